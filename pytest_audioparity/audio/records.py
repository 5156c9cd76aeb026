"""What `score` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.keywords import AudioVerdict
    from pytest_audioparity.records import Finding

# Worst first. `not_measured` stands beside them: nothing can be said of the words.
VERDICTS = ("silent", "garbled", "wrong_content", "misaligned", "clipped", "degraded", "level_changed", "ok")
SILENT, GARBLED, WRONG_CONTENT, MISALIGNED, CLIPPED, DEGRADED, LEVEL_CHANGED, OK = VERDICTS
# Those that say that not all words are there.
LOST = (SILENT, GARBLED, WRONG_CONTENT)


def severity(verdict: str) -> float:
    """Return the place of a verdict, the worst first; what cannot be judged is worse than what keeps its words."""
    return VERDICTS.index(verdict) if verdict in VERDICTS else len(LOST) - 0.5


@dataclass(frozen=True, slots=True)
class Measure:
    """One number.

    Attributes
    ----------
    value : the number, None where it was not measured; infinite is a true value
    unit : "dB", "s", "1" for plain numbers and shares, "MOS" for the scale of PESQ
    implementation : what computed it, with the version of a package
    not_measured : why there is no value, None where there is one
    """

    value: float | None
    unit: str
    implementation: str
    not_measured: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """How the estimate compares with the reference.

    The numbers are properties: floats, or None where `not_measured` has the reason. `measures` has them with unit and
    implementation. All but `peak`, `clipped_share` and `duration_ratio` compare the sides after alignment, over what
    both have; `stoi` and `estoi` over the whole reference, what the estimate lacks being silence.

    Attributes
    ----------
    verdict : one of VERDICTS, or "not_measured"
    findings : the evidence: what decided the verdict first, then what else was noticed
    measures : every number by its name
    sample_rate : Hz
    lag_samples : samples by which the estimate is late, at `sample_rate` (at its beginning, where time jumps); None
        where nothing lines up
    aligned_by : "waveform", "envelopes", "warp", "jumps" or "none"
    uncovered_seconds : length of the reference's beginning and end that the estimate lacks
    surplus_seconds : length that the estimate has before and after the reference
    garbled_seconds : times of the reference at which words were lost
    invented_seconds : times of the reference at which the estimate speaks and the reference pauses; what was put in
        where time jumps counts from the place at which it was put in
    estoi_over_time : seconds of the reference in which it speaks, ten of a second, and the lowest ESTOI around each,
        averaged over half a second; empty where there is too little speech
    """

    verdict: AudioVerdict
    findings: tuple[Finding, ...]
    measures: Mapping[str, Measure]
    sample_rate: int
    lag_samples: int | None = None
    aligned_by: str = "none"
    uncovered_seconds: tuple[float, float] = (0.0, 0.0)
    surplus_seconds: tuple[float, float] = (0.0, 0.0)
    garbled_seconds: tuple[tuple[float, float], ...] = ()
    invented_seconds: tuple[tuple[float, float], ...] = ()
    estoi_over_time: tuple[tuple[float, float], ...] = ()

    def __bool__(self) -> bool:
        """Be true only when ok, so that ``assert score(...)`` means what it says."""
        return self.passed

    def __str__(self) -> str:
        """Say the verdict, why, and the numbers, as `audioparity score` does."""
        from pytest_audioparity.audio.report import render

        return render(self, "score")

    @property
    def passed(self) -> bool:
        """Whether the verdict is ok."""
        return self.verdict == OK

    @property
    def not_measured(self) -> dict[str, str]:
        """The numbers that could not be measured, with the reasons."""
        return {name: m.not_measured for name, m in self.measures.items() if m.not_measured is not None}

    def is_at_least(self, verdict: str) -> bool:
        """Whether the verdict is this one or a better one; never for `not_measured`."""
        return self.verdict in VERDICTS and VERDICTS.index(self.verdict) >= VERDICTS.index(verdict)

    def _value(self, name: str) -> float | None:
        return self.measures[name].value

    @property
    def stoi(self) -> float | None:
        """Intelligibility, about 0 to 1 (Taal and others 2011)."""
        return self._value("stoi")

    @property
    def estoi(self) -> float | None:
        """Extended intelligibility, about 0 to 1 (Jensen and Taal 2016): what decides whether words are lost."""
        return self._value("estoi")

    @property
    def pesq_wb(self) -> float | None:
        """Wide-band quality as mean opinion score, 1.04 to 4.64 (ITU-T P.862.2)."""
        return self._value("pesq_wb")

    @property
    def pesq_nb(self) -> float | None:
        """Narrow-band quality as mean opinion score, 1.02 to 4.55 (ITU-T P.862.1)."""
        return self._value("pesq_nb")

    @property
    def si_sdr(self) -> float | None:
        """Scale-invariant signal-to-distortion ratio in dB (Le Roux and others 2019)."""
        return self._value("si_sdr")

    @property
    def snr(self) -> float | None:
        """Signal-to-error ratio in dB."""
        return self._value("snr")

    @property
    def log_spectral_distance(self) -> float | None:
        """Log-spectral distance in dB, levels matched (Gray and Markel 1976)."""
        return self._value("log_spectral_distance")

    @property
    def mel_cepstral_distortion(self) -> float | None:
        """Mel-cepstral distortion in dB, levels matched (Kubichek 1993)."""
        return self._value("mel_cepstral_distortion")

    @property
    def f0_error(self) -> float | None:
        """How far the pitch is off in cents, the median of the frames that are voiced on both sides (YIN, 2002)."""
        return self._value("f0_error")

    @property
    def f0_frame_error(self) -> float | None:
        """Share of the frames that are voiced on one side alone, or off by more than 20 % (Chu and Alwan 2009)."""
        return self._value("f0_frame_error")

    @property
    def level_db(self) -> float | None:
        """Root mean square of the estimate over the reference's, without DC, in dB."""
        return self._value("level_db")

    @property
    def dc_offset(self) -> float | None:
        """Mean of the estimate less that of the reference; full scale is 1."""
        return self._value("dc_offset")

    @property
    def peak(self) -> float | None:
        """Largest absolute sample of the estimate; full scale is 1."""
        return self._value("peak")

    @property
    def clipped_share(self) -> float | None:
        """Share of the estimate's samples in flat tops, less the reference's, at least 0."""
        return self._value("clipped_share")

    @property
    def duration_ratio(self) -> float | None:
        """Length of the estimate over that of the reference."""
        return self._value("duration_ratio")
