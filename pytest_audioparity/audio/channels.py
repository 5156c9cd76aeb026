"""The channels of a stage one by one, as `score` takes them, and what they sound like together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.records import LOST, OK, severity
from pytest_audioparity.audio.scoring import score
from pytest_audioparity.errors import StageError
from pytest_audioparity.golden.provenance import our_own
from pytest_audioparity.records import NOT_MEASURED, shape_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.audio.records import Measure, Score

    Array = np.ndarray[Any, Any]
    Pairs = Mapping[str, tuple[Array, Array]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the channels of a stage sound like.

    Attributes
    ----------
    scores : by the channel, such as ``B=0 C=1``, or an empty text where there is only one
    channels : how many there are; those that differ too little to have lost a word need not be scored
    """

    scores: Mapping[str, Score]
    channels: int

    @property
    def worst(self) -> tuple[str, Score]:
        """The channel with the worst verdict, of several the one with the lowest ESTOI, and its score."""
        return min(self.scores.items(), key=lambda pair: _rank(pair[1]))

    @property
    def lost(self) -> int:
        """How many channels lost words, or have others."""
        return sum(result.verdict in LOST for result in self.scores.values())

    @property
    def unjudged(self) -> tuple[str, Score] | None:
        """The first channel of which nobody knows whether it has its words, and its score; None where there is none."""
        return next(((label, one) for label, one in self.scores.items() if one.verdict == NOT_MEASURED), None)

    def lowest(self, name: str) -> tuple[str, Measure]:
        """Return the channel where a number is lowest, one where it could not be measured before all others."""
        found = ((label, result.measures[name]) for label, result in self.scores.items())
        return min(found, key=lambda pair: -np.inf if pair[1].value is None else pair[1].value)


def _rank(result: Score) -> tuple[float, float]:
    return severity(result.verdict), np.inf if result.estoi is None else result.estoi


def paired(expected: Array, actual: Array, axes: str | None) -> Pairs:
    """Pair the channels of two waveforms, which may differ in length.

    Parameters
    ----------
    expected, actual : in one order of axes
    axes : as declared

    Raises
    ------
    StageError : complex numbers, several channels and no axes that tell which of them is time, other channels
    """
    sides = [_channels(side, axes) for side in (expected, actual)]
    if sides[0].keys() != sides[1].keys():
        raise StageError(f"actual has {len(sides[1])} channels, expected {len(sides[0])}")
    return {label: (channel, sides[1][label]) for label, channel in sides[0].items()}


def _channels(array: Array, axes: str | None) -> dict[str, Array]:
    if np.iscomplexobj(array):
        raise StageError("it is complex, which is no audio")
    if sum(size != 1 for size in array.shape) <= 1:
        return {"": array.reshape(-1)}
    if axes is None or "T" not in axes or len(axes) != array.ndim:
        shape = shape_text(array.shape)
        raise StageError(f"its shape {shape} has several channels; declare axes= with T for time, such as axes='BCT'")
    place = axes.index("T")
    rows, letters = np.moveaxis(array, place, -1), axes[:place] + axes[place + 1 :]
    named = [at for at, size in enumerate(rows.shape[:-1]) if size > 1]
    places = np.ndindex(rows.shape[:-1])
    return {" ".join(f"{letters[at]}={index[at]}" for at in named): rows[index] for index in places}


def hear(pairs: Pairs, *, sample_rate: float, channels: int, pesq: bool) -> Heard:
    """Score channels against each other.

    Raises
    ------
    StageError : what `score` raises
    """
    our_own("soxr")
    scores = {label: score(*sides, sample_rate=sample_rate, pesq=pesq) for label, sides in pairs.items()}
    return Heard(scores, channels)


def verdict_lines(heard: Heard) -> list[str]:
    """Write what a stage sounds like: verdict and message of each finding, or what there is to say without one."""
    label, result = heard.worst
    where = f"{label}: " if label else ""
    if result.findings:
        return [where + _told(finding.code, finding.message, result) for finding in result.findings]
    reasons = result.not_measured
    estoi = f"ESTOI {result.estoi:.2f}" if result.estoi is not None else f"ESTOI not measured: {reasons['estoi']}"
    said = "words cannot be judged" if result.verdict != OK else OK
    return [f"{where}{said}, {estoi}"]


def _told(code: str, message: str, result: Score) -> str:
    from pytest_audioparity.audio.verdict import spans_text

    # Of audio that is garbled as a whole the message has no seconds.
    spans = result.garbled_seconds if code in LOST else ()
    more = f" (words lost at {spans_text(spans)})" if spans and " at " not in message else ""
    return f"{code.replace('_', ' ')}: {message}{more}"
