"""Whether two passes of one clip through a codec gave the same, by the rules of every other comparison here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.tolerances import PEAK_FACTOR
from pytest_audioparity.records import StageMeta, StageTensor, Tolerance
from pytest_audioparity.report.attribution import amount
from pytest_audioparity.roundtrip.codes import axes_of

if TYPE_CHECKING:
    import numpy as np

    from pytest_audioparity.records import Finding
    from pytest_audioparity.results import StageResult
    from pytest_audioparity.roundtrip.limits import Limits
    from pytest_audioparity.roundtrip.records import Codec, Trip

    Array = np.ndarray[Any, Any]


def same_codes(codec: Codec, expected: Trip, actual: Trip, limits: Limits) -> StageResult | None:
    """Compare the codes of two passes; None where they are no integers that can be seen."""
    if expected.codes is None or actual.codes is None or expected.codes.dtype.kind not in "iu":
        return None
    axes = axes_of(codec, expected.codes)
    fits = len(axes) == expected.codes.ndim == actual.codes.ndim
    meta = StageMeta("codes", kind="codes", axes=axes if fits else None)
    tolerance = Tolerance(None, None, min_match=limits.min_match, dtype="any")
    return check_stage(StageTensor(meta, expected.codes), StageTensor(meta, actual.codes), tolerance)


def same_audio(codec: Codec, expected: Array, actual: Array, limits: Limits) -> StageResult:
    """Compare the audio of two passes, with the causes of a difference."""
    meta = StageMeta("audio", kind="waveform", axes="T", sample_rate=codec.sample_rate)
    tolerance = Tolerance(tol_db=limits.tol_db, tol_peak_db=PEAK_FACTOR * limits.tol_db)
    return check_stage(StageTensor(meta, expected), StageTensor(meta, actual), tolerance)


def difference(codec: Codec, expected: Trip, actual: Trip, limits: Limits) -> tuple[str | None, tuple[Finding, ...]]:
    """Say how two passes differ, and why; None where they do not.

    Where the codes are the same or cannot be seen, it is the audio that tells.
    """
    codes = same_codes(codec, expected, actual, limits)
    if codes is not None and not codes.passed:
        return f"the codes differ ({amount(codes)})", codes.findings
    if expected.nonfinite or actual.nonfinite:
        return ("the output is not finite", ()) if expected.nonfinite != actual.nonfinite else (None, ())
    if not expected.output.size and not actual.output.size:
        return None, ()  # what is empty twice is no difference; that it is empty is told by `length`
    audio = same_audio(codec, expected.output, actual.output, limits)
    if audio.passed:
        return None, ()
    with_same = ", with the same codes" if codes is not None else ""
    return f"the audio differs by {amount(audio)}{with_same}", audio.findings
