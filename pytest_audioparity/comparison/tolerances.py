"""What a stage is allowed: keywords, presets, layers of defaults, and the judgement of a comparison against them.

Nothing here needs numpy: marks are checked at collection, when no runtime may be loaded yet.
"""

from __future__ import annotations

import math
import numbers
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pytest_audioparity.records import Comparison, Tolerance
from pytest_audioparity.results import Criterion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# The deviation that each numeric precision is usually good for. Healthy fp32 ports of codecs and vocoders stay under
# 0.001 dB at every stage; the other three follow from what their formats keep through tens of layers.
PRESET_DB = {"fp32": 0.01, "fp16": 0.1, "bf16": 0.5, "int8": 1.0}
# A single element may be this much further off than the whole: rounding has tails, a click is far beyond them.
PEAK_FACTOR = 100.0
# The float type that a port of that precision returns where its reference returned float32.
FLOAT_OF_PRECISION = {"fp16": "float16", "bf16": "bfloat16"}

DTYPES = ("same", "any")
WORDS = ("kept", "any")
# Keyword -> the number of `audio.score` that it limits.
SCORES = {"min_stoi": "stoi", "min_estoi": "estoi", "min_pesq_wb": "pesq_wb", "min_pesq_nb": "pesq_nb"}
# What concerns waveforms alone.
AUDIO_KEYWORDS = (*SCORES, "words")


def is_at_least_zero(value: Any) -> bool:
    """Whether a value is a number, 0 or more, and finite."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 <= float(value) < math.inf


def is_share(value: Any) -> bool:
    """Whether a value is a number from 0 to 1."""
    return is_at_least_zero(value) and value <= 1


def is_mos(value: Any) -> bool:
    """Whether a value is a mean opinion score, 1 to 5."""
    return is_at_least_zero(value) and 1 <= value <= 5


def is_finite(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def or_none(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a test that None passes as well."""
    return lambda value: value is None or accepts(value)


# Keyword -> (what is accepted, in words; the test for it). One table serves marks, ini options, `record` and `compare`.
TOLERANCE_KEYWORDS = {
    "tol_db": ("a number of dB, 0 or more, or None", or_none(is_at_least_zero)),
    "tol_peak_db": ("a number of dB, 0 or more, or None", or_none(is_at_least_zero)),
    "min_snr_db": ("a number of dB or None", or_none(is_finite)),
    "atol": ("a number, 0 or more, or None", or_none(is_at_least_zero)),
    "rtol": ("a number, 0 or more, or None", or_none(is_at_least_zero)),
    "min_match": ("a share between 0 and 1", is_share),
    "min_stoi": ("a number between 0 and 1 or None", or_none(is_share)),
    "min_estoi": ("a number between 0 and 1 or None", or_none(is_share)),
    "min_pesq_wb": ("a mean opinion score between 1 and 5 or None", or_none(is_mos)),
    "min_pesq_nb": ("a mean opinion score between 1 and 5 or None", or_none(is_mos)),
    "words": ("'kept' or 'any'", lambda v: isinstance(v, str) and v in WORDS),
    "precision": (f"one of {', '.join(PRESET_DB)}", lambda v: isinstance(v, str) and v in PRESET_DB),
    "dtype": ("'same' or 'any'", lambda v: isinstance(v, str) and v in DTYPES),
    "allow_empty": ("True or False", lambda v: isinstance(v, bool)),
}
# What a tolerance holds: of scores of a golden also their drop, which a round trip sets and nobody else.
_HELD = {*TOLERANCE_KEYWORDS, "max_drop"} - {"tol_db", "tol_peak_db"}

STAGES_KEYWORD = {
    "stages": (
        "a dictionary from stage globs to dictionaries of tolerance keywords",
        lambda v: isinstance(v, dict) and all(isinstance(x, str) and isinstance(y, dict) for x, y in v.items()),
    )
}


def problem_with(
    keywords: Mapping[str, Any], known: Mapping[str, Any] = TOLERANCE_KEYWORDS, also: Sequence[str] = ()
) -> str | None:
    """Say in one sentence what is wrong with keyword arguments, or return None.

    Parameters
    ----------
    keywords : the arguments to check
    known : what is accepted, in the form of `TOLERANCE_KEYWORDS`
    also : further keywords that the caller takes, for the suggestion of what was meant
    """
    for name, value in keywords.items():
        if name not in known:
            near = nearest(str(name), [*known, *also])
            choice = f", did you mean {near!r}?" if near else f" ({', '.join([*also, *known])})"
            return f"unknown keyword {name!r}{choice}"
        expected, accepts = known[name]
        if not accepts(value):
            return f"{name}={value!r} is not {expected}"
    return None


def problem_with_stages(keywords: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the overrides that `stages=` holds for globs, or return None."""
    for glob, overrides in (keywords.get("stages") or {}).items():
        if (problem := problem_with(overrides)) is not None:
            return f"stages[{glob!r}]: {problem}"
    return None


def scores_asked(tolerance: Tolerance) -> dict[str, float]:
    """Return the limits of audio scores that a waveform is to keep, by their keywords."""
    limits = ((keyword, getattr(tolerance, keyword)) for keyword in SCORES)
    return {keyword: limit for keyword, limit in limits if limit is not None}


def problem_with_kind(keywords: Mapping[str, Any], kind: str | None) -> str | None:
    """Say which keyword of a stage concerns waveforms, which it is not declared to be, or return None."""
    given = next((name for name in AUDIO_KEYWORDS if keywords.get(name) is not None), None)
    if given is None or kind == "waveform":
        return None
    return f"{given}= is for waveforms; declare kind='waveform' and sample_rate=, or leave it out"


def unheard(asked: Iterable[tuple[str, str]], waveforms: Sequence[str]) -> str | None:
    """Say which keyword for waveforms concerns none, or return None.

    Parameters
    ----------
    asked : pairs of a glob of stages and a keyword
    waveforms : the stages that are waveforms
    """
    for glob, keyword in asked:
        if not any(matches(name, glob) for name in waveforms):
            which = "no stage" if glob == "*" else f"no stage like {glob!r}"
            return f"{keyword}= concerns {which}: none is declared kind='waveform'"
    return None


def matches(stage: str, glob: str) -> bool:
    """Whether a stage's name is meant by a glob; its own name always means it, brackets or not."""
    return stage == glob or fnmatchcase(stage, glob)


def unmatched(globs: Iterable[str], stages: Iterable[str], *, what: str = "stage") -> str | None:
    """Say which glob means none of the stages, or of what else has names, or return None."""
    names = list(stages)
    for glob in globs:
        if not any(matches(name, glob) for name in names):
            near = nearest(glob, names)
            hint = f", did you mean {near!r}?" if near else f" ({', '.join(names)})" if names else ""
            return f"{glob!r} matches no {what}{hint}"
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known word that was most likely meant, or None: much alike, else the shortest that begins alike."""
    import difflib

    words = sorted(known, key=len)
    begins = [word for word in words if len(name) > 2 and word.startswith(name[:3])]
    much, little = (difflib.get_close_matches(name, words, cutoff=cutoff) for cutoff in (0.75, 0.5))
    return next(iter([*much, *begins, *little]), None)


def layered(layers: Iterable[Mapping[str, Any]], stage: str) -> Tolerance:
    """Resolve the tolerance of one stage from layers of keywords, the general one first.

    A layer may hold `stages`, a map from globs to keywords, which counts as more layers right behind it. A layer that
    sets `precision` and no `tol_db` brings in that precision's preset, whatever a more general layer said.
    """
    values: dict[str, Any] = {}
    for layer in layers:
        _overlay(values, layer)
        for pattern, overrides in (layer.get("stages") or {}).items():
            if matches(stage, pattern):
                _overlay(values, overrides)
    precision = values.get("precision", "fp32")
    tol_db = values.get("tol_db", PRESET_DB[precision])
    peak_is_derived = "tol_peak_db" not in values
    peak = values.get("tol_peak_db", None if tol_db is None else PEAK_FACTOR * tol_db)
    rest = {k: _plain(v) for k, v in values.items() if k in _HELD}
    return Tolerance(tol_db=_plain(tol_db), tol_peak_db=_plain(peak), peak_is_derived=peak_is_derived, **rest)


def _plain(value: Any) -> Any:
    """Return a value of a keyword as a plain one: numpy's scalars can be neither written as JSON nor sent by xdist."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    return "".join(value) if isinstance(value, str) else value


def _overlay(values: dict[str, Any], layer: Mapping[str, Any]) -> None:
    if "precision" in layer:
        values.pop("tol_db", None)
    values.update(layer)


def judge(comparison: Comparison, tolerance: Tolerance, kind: str) -> tuple[Criterion, ...]:
    """Hold the numbers of a comparison against a tolerance. No criterion at all means that nothing was asked."""
    if kind == "codes":
        match = comparison.match
        passed = match is not None and match >= tolerance.min_match
        return (Criterion("match", match, tolerance.min_match, passed, at_most=False),)
    criteria = [
        _at_most("deviation_db", comparison.deviation_db, tolerance.tol_db),
        _at_most("peak_db", comparison.peak_db, tolerance.tol_peak_db),
        _at_least("snr_db", comparison.snr_db, tolerance.min_snr_db),
    ]
    if tolerance.atol is not None or tolerance.rtol is not None:
        criteria.append(_at_most("excess", comparison.excess, tolerance.atol or 0.0))
    criteria.append(_at_most("drop", None if comparison.bias is None else -comparison.bias, tolerance.max_drop))
    return tuple(criterion for criterion in criteria if criterion is not None)


def _at_most(name: str, value: float | None, limit: float | None) -> Criterion | None:
    if limit is None:
        return None
    return Criterion(name, value, limit, value is not None and value <= limit)


def _at_least(name: str, value: float | None, limit: float | None) -> Criterion | None:
    if limit is None:
        return None
    return Criterion(name, value, limit, value is not None and value >= limit, at_most=False)


def smallest_tol_db(comparison: Comparison, tolerance: Tolerance) -> float | None:
    """Return the smallest `tol_db` with which the dB criteria would have passed, or None when none would."""
    deviation, peak = comparison.deviation_db, comparison.peak_db
    if deviation is None or peak is None or not math.isfinite(deviation):
        return None
    if not tolerance.peak_is_derived:
        return deviation if tolerance.tol_peak_db is None or peak <= tolerance.tol_peak_db else None
    return max(deviation, _smallest_for_peak(peak)) if math.isfinite(peak) else None


def _smallest_for_peak(peak_db: float) -> float:
    """Return the smallest number that 100 times it, as it is computed for the limit, covers the peak."""
    near = peak_db / PEAK_FACTOR
    # The quotient is rounded by half a step, the product by two thirds of one, so that a neighbour will do.
    around = (math.nextafter(near, 0.0), near, math.nextafter(near, math.inf))
    return next(needed for needed in around if PEAK_FACTOR * needed >= peak_db)


def accepted_dtypes(expected: str, tolerance: Tolerance) -> Sequence[str]:
    """Return the dtype names that may stand where `expected` is expected, or an empty sequence for any."""
    if tolerance.dtype == "any":
        return ()
    own = FLOAT_OF_PRECISION.get(tolerance.precision)
    return (expected, own) if own and expected == "float32" else (expected,)
