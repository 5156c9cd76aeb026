"""One verdict from the evidence, worst first, and the words that explain it. Nothing is computed here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from pytest_audioparity.audio.records import (
    CLIPPED,
    DEGRADED,
    GARBLED,
    LEVEL_CHANGED,
    MISALIGNED,
    OK,
    SILENT,
    WRONG_CONTENT,
)
from pytest_audioparity.records import NOT_MEASURED, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.audio.likeness import Likeness
    from pytest_audioparity.audio.statistics import Looks
    from pytest_audioparity.audio.warps import Warp
    from pytest_audioparity.keywords import AudioVerdict

    Span = tuple[float, float]

# An estimate this far under the reference is silent.
SILENT_DB = -80.0
# ESTOI of the whole clip: words lost stay at or below 0.45, words kept at or above 0.54, on the clips of development.
GARBLED_ESTOI = 0.47
# Where ESTOI cannot be measured, an error this far under the signal cannot have lost a word.
KEPT_SI_SDR_DB = 15.0
# Below this a delay is no misalignment of speech; envelopes place codecs that do not keep the phase to about 3 ms.
LAG_SECONDS = 0.005
# Share of samples in flat tops. Speech that is not clipped has none; clipped at 40 % of its peak, more than this.
CLIPPED_SHARE = 0.002
# Noise at 10 dB, reverberation and codecs at their lowest rate stay below this or above that; codecs at a rate that one
# would use, an equaliser of ±3 dB, a resampler or noise at 40 dB do neither.
DEGRADED_ESTOI = 0.90
DEGRADED_LSD_DB = 12.0
# Lossy codecs keep the level of speech to a few tenths of a dB; a decoder without a gain, or with one twice, does not.
LEVEL_DB = 1.5
DC_OFFSET = 0.02


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the verdict is made from.

    Attributes
    ----------
    unusable : what makes the estimate nothing to listen to ("3 values are not finite", "it is empty"), or None
    level_db, dc_offset, clipped_share, si_sdr, log_spectral_distance : as in Score
    estoi : under the warp where there is one; None where it was not measured
    lag_seconds : of the beginning; None where nothing lines up
    jumps : second of the reference, and seconds by which the estimate is later from there on
    warp, rates : what explains a difference of tempo, speed or pitch; the true rate and the one it was played at
    lost, invented : seconds of the reference
    replaced, added : what the estimate has where words are lost, and where it invents; None where nothing is
    dropouts : seconds of the reference in which it is loud and the estimate as good as silent, or has faded
    looks : the statistics of the estimate's signal against the reference's
    """

    unusable: str | None = None
    level_db: float | None = None
    dc_offset: float | None = None
    clipped_share: float | None = None
    si_sdr: float | None = None
    log_spectral_distance: float | None = None
    estoi: float | None = None
    lag_seconds: float | None = None
    jumps: tuple[Span, ...] = ()
    warp: Warp | None = None
    rates: tuple[int, int] | None = None
    lost: tuple[Span, ...] = ()
    invented: tuple[Span, ...] = ()
    replaced: Likeness | None = None
    added: Likeness | None = None
    looks: Looks | None = None
    dropouts: tuple[Span, ...] = ()


def judge(evidence: Evidence) -> tuple[AudioVerdict, tuple[Finding, ...]]:
    """Return the verdict and the findings, what decided first."""
    findings = tuple(_findings(evidence))
    kept = evidence.si_sdr is not None and evidence.si_sdr >= KEPT_SI_SDR_DB
    # What can stand first among the findings has a verdict's name. All but silence are named of audio that has its
    # words: where nobody knows whether it does, a finding of its sound must not stand for them.
    verdict = findings[0].code if findings else OK
    if verdict != SILENT and evidence.estoi is None and not kept:
        verdict = NOT_MEASURED
    return cast("AudioVerdict", verdict), findings


def _findings(e: Evidence) -> Iterator[Finding]:
    if e.unusable is not None:
        yield Finding(SILENT, f"the estimate cannot be heard: {e.unusable}")
        return
    if e.level_db is not None and e.level_db <= SILENT_DB:
        yield Finding(SILENT, f"the estimate is silent: {e.level_db:+.0f} dB from the reference", None, _detail(e))
        return
    found = [*_words(e), *_place(e), *_sound(e)]
    yield from sorted(found, key=lambda finding: _ORDER.index(finding.code))


_ORDER = (GARBLED, WRONG_CONTENT, MISALIGNED, CLIPPED, DEGRADED, LEVEL_CHANGED)


def _words(e: Evidence) -> Iterator[Finding]:
    if e.estoi is None:
        return
    if e.estoi < GARBLED_ESTOI or e.lost:
        other = e.replaced is not None and e.replaced.is_speech
        whole = e.estoi < GARBLED_ESTOI
        where = "" if whole else f" at {spans_text(e.lost)}"
        what = "other words than the reference's" if other else "words are lost"
        looks = f"; {e.looks.text}" if e.looks is not None and not other else ""
        yield Finding(
            WRONG_CONTENT if other else GARBLED,
            f"{what}{where}: ESTOI {e.estoi:.2f}{looks}",
            None,
            {"estoi": e.estoi, "seconds": [list(span) for span in e.lost], **_likeness(e.replaced), **_looks(e)},
        )
    if e.invented:
        what = "speech" if e.added is not None and e.added.is_sound_of_speech else "sound"
        yield Finding(
            WRONG_CONTENT,
            f"{what} at {spans_text(e.invented)}, where the reference has none",
            None,
            {"seconds": [list(span) for span in e.invented], **_likeness(e.added)},
        )


def _likeness(likeness: Likeness | None) -> dict[str, Any]:
    return {} if likeness is None else asdict(likeness)


def _looks(e: Evidence) -> dict[str, Any]:
    return {} if e.looks is None else e.looks.detail


def _place(e: Evidence) -> Iterator[Finding]:
    if e.warp is not None and e.warp.family in ("tempo", "speed"):
        detail = {"tempo": e.warp.tempo, "pitch": e.warp.pitch}
        if e.rates is not None:
            message = f"audio of {e.rates[0]} Hz is played as {e.rates[1]} Hz"
            yield Finding(MISALIGNED, message, None, {"true_rate": e.rates[0], "played_rate": e.rates[1], **detail})
        else:
            how = "at the same pitch" if e.warp.family == "tempo" else f"with frequencies times {e.warp.pitch:.4f}"
            yield Finding(MISALIGNED, f"the estimate takes {e.warp.tempo:.4f} times as long, {how}", None, detail)
    elif e.jumps:
        message = f"time jumps: the estimate is {_jumps_text(e.jumps)}"
        yield Finding(MISALIGNED, message, None, {"lag_seconds": e.lag_seconds, "jumps": [list(j) for j in e.jumps]})
    elif e.lag_seconds is not None and abs(e.lag_seconds) > LAG_SECONDS:
        late = "late" if e.lag_seconds > 0 else "early"
        message = f"the estimate is {abs(e.lag_seconds) * 1000:.1f} ms {late}"
        yield Finding(MISALIGNED, message, None, {"lag_seconds": e.lag_seconds})


def _jumps_text(jumps: tuple[Span, ...], shown: int = 4) -> str:
    texts = [
        f"{abs(by) * 1000:.0f} ms {'later' if by > 0 else 'earlier'} from {at:.2f} s on" for at, by in jumps[:shown]
    ]
    return ", ".join(texts) + (f" and so on, {len(jumps)} times" if len(jumps) > shown else "")


def _sound(e: Evidence) -> Iterator[Finding]:
    if e.clipped_share is not None and e.clipped_share > CLIPPED_SHARE:
        message = f"{e.clipped_share:.2%} more of the samples than the reference's are clipped".replace("%", " %")
        yield Finding(CLIPPED, message, None, {"clipped_share": e.clipped_share})
    reasons = []
    if e.warp is not None and e.warp.family == "pitch":
        reasons.append(f"frequencies times {e.warp.pitch:.3f}")
    if e.estoi is not None and GARBLED_ESTOI <= e.estoi < DEGRADED_ESTOI:
        reasons.append(f"ESTOI {e.estoi:.2f}, below {DEGRADED_ESTOI}")
    distance = e.log_spectral_distance
    if distance is not None and distance > DEGRADED_LSD_DB:
        reasons.append(f"log-spectral distance {distance:.1f} dB, above {DEGRADED_LSD_DB:.0f}")
    if e.dropouts:
        reasons.append(f"the sound drops out or fades at {spans_text(e.dropouts)}")
    if reasons:
        detail = {"estoi": e.estoi, "log_spectral_distance": distance, "dropouts": [list(span) for span in e.dropouts]}
        yield Finding(DEGRADED, "worse to hear: " + "; ".join(reasons), None, detail)
    reasons = []
    if e.level_db is not None and abs(e.level_db) > LEVEL_DB:
        reasons.append(f"level {e.level_db:+.1f} dB")
    if e.dc_offset is not None and abs(e.dc_offset) > DC_OFFSET:
        reasons.append(f"DC offset {e.dc_offset:+.3f} of full scale")
    if reasons:
        yield Finding(LEVEL_CHANGED, ", ".join(reasons), None, _detail(e))


def _detail(e: Evidence) -> dict[str, Any]:
    return {"level_db": e.level_db, "dc_offset": e.dc_offset}


def spans_text(spans: tuple[Span, ...], shown: int = 4) -> str:
    """Write spans of seconds: ``1.20-1.90 s``."""
    texts = [f"{start:.2f}-{end:.2f}" for start, end in spans[:shown]]
    more = f" and {len(spans) - shown} more places" if len(spans) > shown else ""
    return ", ".join(texts) + " s" + more
