"""The keywords of `codec_roundtrip`: what a round trip is allowed, which checks are switched off. Needs no numpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.tolerances import (
    PRESET_DB,
    is_at_least_zero,
    is_finite,
    is_mos,
    is_share,
    nearest,
    or_none,
    problem_with,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Every check by its name, in the order in which a report has them.
CHECKS = {
    "codes_integer": "the codes are integers",
    "codes_in_range": "no code is negative, or as large as codebook_size and more",
    "codebooks": "there are as many codebooks as declared, and the decoder uses each",
    "codes_shape": "the codes have the axes that were declared, and as many frames as the clip is long",
    "stale_state": "the same input twice gives the same output",
    "leaked_state": "another clip in between changes nothing",
    "fresh_instance": "a fresh instance agrees with the used one",
    "streaming": "decoding in chunks equals decoding at once",
    "stream_encoding": "encoding in chunks equals encoding at once",
    "seams": "it does so at the chunk boundaries too",
    "finite": "no sample is NaN or infinite",
    "bounded": "no sample is beyond full scale",
    "dc": "no constant is added",
    "level": "the output is as loud as the input",
    "clipping": "no more flat tops than in the input",
    "length": "the output is as long as the input, to a frame",
    "delay": "the output is as late as declared",
    "polarity": "the output is not upside down",
    "rate": "the output has the tempo and the pitch of the input",
    "words": "what is said is still there",
}
# Of these, more is better.
GAINS = ("stoi", "estoi", "pesq_wb", "pesq_nb", "si_sdr", "snr")
DISTANCES = ("log_spectral_distance", "mel_cepstral_distortion", "f0_error", "f0_frame_error")
# What a codec keeps of level and DC, as in audio.verdict, where the origin of the numbers stands.
_MAX_LEVEL_DB, _MAX_DC = 1.5, 0.02


def _names(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(name, str) for name in value)


_DB = ("a number of dB or None", or_none(is_finite))
_SHARE = ("a number from 0 to 1 or None", or_none(is_share))
_MOS = ("a mean opinion score from 1 to 5 or None", or_none(is_mos))
_LEAST = {"stoi": _SHARE, "estoi": _SHARE, "pesq_wb": _MOS, "pesq_nb": _MOS, "si_sdr": _DB, "snr": _DB}
_AMOUNT = ("a number, 0 or more, or None", or_none(is_at_least_zero))
KEYWORDS = {
    **{f"min_{name}": _LEAST[name] for name in GAINS},
    **{f"max_{name}": _AMOUNT for name in DISTANCES},
    **{f"max_drop_{name}": _AMOUNT for name in GAINS},
    "max_wer": _AMOUNT,
    "max_wer_rise": _AMOUNT,
    "max_level_db": ("a number of dB, 0 or more", is_at_least_zero),
    "max_dc": ("a share of full scale, 0 or more", is_at_least_zero),
    "max_peak": ("a number, full scale being 1, or None", or_none(is_at_least_zero)),
    "tol_db": ("a number of dB, 0 or more", is_at_least_zero),
    "min_match": ("a share between 0 and 1", is_share),
    "skip": ("a list of names of checks", _names),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a round trip is allowed.

    Attributes
    ----------
    least, most : thresholds of scores that every clip has to keep, by the score's name
    drop : how much less than in the golden a score may be, by its name
    max_wer, max_wer_rise : word errors of a recogniser per word of the transcript, and how many more than in the clip
    max_level_db : how much louder or softer than its input the output may be, dB
    max_dc : the largest constant that may be added, of full scale
    max_peak : the largest sample; None for full scale, and some overshoot where the input has full scale itself
    tol_db : how far two outputs may be from each other that should be one, dB
    min_match : the share of codes that has to be equal where they should be
    skip : checks that are switched off
    """

    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    drop: Mapping[str, float] = field(default_factory=dict)
    max_wer: float | None = None
    max_wer_rise: float | None = None
    max_level_db: float = _MAX_LEVEL_DB
    max_dc: float = _MAX_DC
    max_peak: float | None = None
    tol_db: float = PRESET_DB["fp32"]
    min_match: float = 1.0
    skip: frozenset[str] = frozenset()

    @property
    def listens(self) -> bool:
        """Whether words have to be recognised."""
        return self.max_wer is not None or self.max_wer_rise is not None


def problem_with_limits(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """Say in one sentence what is wrong with the arguments of a mark `codec_roundtrip`, or return None."""
    if args:
        return f"takes keywords only, such as codec_roundtrip(min_stoi=0.9), not {args[0]!r}"
    if (problem := problem_with(kwargs, KEYWORDS)) is not None:
        return problem
    for name in kwargs.get("skip", ()):
        if name not in CHECKS:
            near = nearest(name, CHECKS)
            return f"skip names no check {name!r}" + (f", did you mean {near!r}?" if near else f": {', '.join(CHECKS)}")
    return None


def limits_of(marks: Sequence[Mapping[str, Any]]) -> Limits:
    """Merge the keyword arguments of marks, the closest first: per keyword the closest wins; None sets no threshold."""
    merged: dict[str, Any] = {}
    for kwargs in reversed(marks):
        merged.update(kwargs)
    rest = {name: value for name, value in merged.items() if name != "skip"}

    def taken(prefix: str, names: Sequence[str]) -> dict[str, float]:
        found = {name: rest.pop(f"{prefix}{name}", None) for name in names}
        return {name: float(value) for name, value in found.items() if value is not None}

    drop, least, most = taken("max_drop_", GAINS), taken("min_", GAINS), taken("max_", DISTANCES)
    numbers: dict[str, Any] = {name: value if value is None else float(value) for name, value in rest.items()}
    return Limits(least, most, drop, skip=frozenset(merged.get("skip", ())), **numbers)
