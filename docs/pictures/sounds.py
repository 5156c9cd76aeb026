"""Pictures of what audio is judged by: ESTOI over time, and an estimate of each verdict. Drawn by measures.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from cards import card
from material import FRAMES, POINTS, RATE, SHADES, mel_of, speech, use_examples

from pytest_audioparity import score
from pytest_audioparity.faults.signals import surrogate
from pytest_audioparity.page.curves import Curve, curves
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.images import picture
from pytest_audioparity.page.scores import timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.audio.records import Score

Array = np.ndarray[Any, Any]

# Samples from a frame of a map to the next.
_HOP = 640
# Where other words begin in another clip.
_OTHER_S = 0.3


def estoi() -> str:
    """Show ESTOI over time, where a word is lost."""
    reference = speech()
    wrong = reference.copy()
    lost = slice(int(1.6 * RATE), int(2.3 * RATE))
    wrong[lost] = surrogate(reference[lost].astype(np.float64), np.random.default_rng(0))
    result = score(reference, wrong, sample_rate=RATE, pesq=False)
    seconds = reference.size / RATE
    marks = [(start / seconds, end / seconds) for start, end in result.garbled_seconds]
    drawn = [Curve("expected", reference), Curve("actual", wrong)]
    parts = [
        curves(drawn, "expected (blue) and actual (orange)", height=80, marks=marks, points=POINTS),
        timeline(result.estoi_over_time, seconds, result.garbled_seconds),
        _scored("the clip as a whole", result),
    ]
    said = "speech in which 0.7 s are noise of the same spectrum; garbled_seconds are shaded"
    return card(f"ESTOI over time · {result.verdict}", said, parts)


def garbled() -> str:
    """Show two outputs of one codec, garbled and degraded."""
    reference = _clip()
    healthy, stale = (_through_codec(reference, fault) for fault in (None, "stale_state"))
    scores = [score(reference, side, sample_rate=RATE, pesq=False) for side in (healthy, stale)]
    said = "speech through the codec of the examples, and through the same with the state of another stream"
    told = [_scored(title, one) for title, one in zip(("healthy", "stale state"), scores, strict=True)]
    sides = {"reference": reference, scores[0].verdict: healthy, scores[1].verdict: stale}
    return card("garbled is not degraded", said, [_maps(sides), *told])


def lost() -> str:
    """Show the verdicts that say that words are lost."""
    reference = _clip()
    other = speech("arctic_a0007")[int(_OTHER_S * RATE) :][: reference.size]
    other = np.pad(other, (0, reference.size - other.size))
    estimates = {
        "silent": np.zeros_like(reference),
        "garbled": _through_codec(reference, "stale_state"),
        "wrong_content": other,
    }
    return verdicts("verdicts: words are lost", reference, estimates, {"reference": reference})


def kept() -> str:
    """Show the verdicts that say that words are still there, and something else is wrong."""
    reference = _clip()
    late = RATE // 10
    noise = np.random.default_rng(0).standard_normal(reference.size) * float(np.std(reference)) * 10 ** (-10 / 20)
    estimates = {
        "misaligned": np.concatenate([np.zeros(late, reference.dtype), reference[:-late]]),
        "clipped": np.clip(4 * reference, -0.5, 0.5),
        "degraded": reference + noise,
        "level_changed": 0.4 * reference,
    }
    return verdicts("verdicts: words are kept", reference, estimates, {})


def _clip() -> Array:
    """Return so much of a clip that its maps have as many frames as others, of 40 ms each."""
    return speech()[: FRAMES * _HOP + 512]


def _through_codec(reference: Array, fault: str | None) -> Array:
    use_examples("streaming_codec")
    from faults import make_codec

    codec = make_codec(fault)
    return codec.decode(codec.encode(reference))[: reference.size]


def _maps(sides: Mapping[str, Array]) -> Markup:
    """Draw log-mels beside each other, on the scale of the first."""
    levels = [np.log(np.maximum(mel_of(side, _HOP), 1e-3)) for side in sides.values()]
    low, high = np.percentile(np.log(np.maximum(mel_of(_clip(), _HOP), 1e-3)), (2.5, 97.5)).tolist()
    figures = [
        element("figure", element("figcaption", title), element("img", src=picture(mel, low, high, shades=SHADES)))
        for title, mel in zip(sides, levels, strict=True)
    ]
    return Markup("".join(figures))


def verdicts(title: str, reference: Array, estimates: Mapping[str, Array], before: Mapping[str, Array]) -> str:
    """Draw estimates of each verdict, with what the tool says of them.

    Raises
    ------
    ValueError : an estimate gets another verdict
    """
    told = []
    for verdict, estimate in estimates.items():
        result = score(reference, estimate, sample_rate=RATE, pesq=False)
        if result.verdict != verdict:
            raise ValueError(f"{verdict}: the verdict is {result.verdict}")
        told.append(f"{verdict}: {result.findings[0].message}")
    return card(title, "log-mels of 2.6 s, on one scale", [_maps({**before, **estimates}), *told])


def _scored(title: str, result: Score) -> str:
    values = {name: getattr(result, name) for name in ("estoi", "stoi", "level_db", "log_spectral_distance")}
    shown = ", ".join(f"{name} {'-' if value is None else f'{value:.2f}'}" for name, value in values.items())
    return f"{title}: {result.verdict}; {shown}"
