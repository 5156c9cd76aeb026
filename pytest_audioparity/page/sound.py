"""What a waveform stage sounds and looks like: players of one loudness, spectrograms, what is lost marked."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.page.cells import HEIGHT, WIDTH, grid, means
from pytest_audioparity.page.curves import Curve, curves, shaded
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.images import picture
from pytest_audioparity.page.scores import timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, Any]

# Longer audio is cut for the page: a minute of it is a megabyte.
MOST_SECONDS = 30.0
# Of the largest value of both sides that is played: what is turned up must not clip.
_HEADROOM = 0.99
# Less is not heard, and not worth a word.
_LEVEL_DB = 0.05
_FRAME_S = 0.032
# Frames of a spectrogram for each column of its picture.
_FRAMES = 8
# What is this far below the loudest bin is drawn as silence.
_RANGE_DB = 70.0
# Parts of the time axis that are named.
_TICKS = 4
# Samples that are squared at once: an hour of audio is no reason to hold it twice.
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Clip:
    """One channel of a waveform as it is played and drawn.

    Attributes
    ----------
    expected, actual : shape (time,), None where there is none; integers count as shares of their largest value
    sample_rate : Hz
    label : which channel, empty where there is one
    lost, invented : seconds in which words are garbled, or are there that were not before
    estoi : pairs of a second and ESTOI there
    """

    expected: Array | None
    actual: Array | None
    sample_rate: float
    label: str = ""
    lost: Sequence[Sequence[float]] = ()
    invented: Sequence[Sequence[float]] = ()
    estoi: Sequence[Sequence[float]] = ()

    @property
    def sides(self) -> list[tuple[str, Array]]:
        """The sides that there are, as floats."""
        both = (("expected", self.expected), ("actual", self.actual))
        return [(title, side) for title, side in both if side is not None]

    @property
    def longest(self) -> int:
        """Samples of the longer side."""
        return max(side.size for _, side in self.sides)

    @property
    def seconds(self) -> float:
        """Length of the longer side."""
        return self.longest / self.sample_rate

    @property
    def marks(self) -> list[tuple[float, float]]:
        """What is lost, as shares of the longer side."""
        seconds = self.seconds
        return [(max(0.0, a / seconds), min(b / seconds, 1.0)) for a, b in self.lost if a < seconds]


def sound(clip: Clip) -> Markup:
    """Show and play what there is of a waveform."""
    gains, note = _gains(clip)
    sides = [_side(title, side, gain, clip) for (title, side), gain in zip(clip.sides, gains, strict=True)]
    drawn = [Curve(title, side, side.size / clip.longest) for title, side in clip.sides]
    title = "waveforms, expected (blue) and actual (orange)" if len(drawn) > 1 else f"waveform, {clip.sides[0][0]}"
    return element(
        "div",
        element("p", clip.label, class_="note") if clip.label else None,
        element("p", note, class_="note") if note else None,
        _switch() if len(clip.sides) > 1 else None,
        element("div", sides, class_="pair"),
        _marked(clip),
        curves(drawn, title, height=110, marks=clip.marks),
        timeline(clip.estoi, clip.seconds, clip.lost) if clip.estoi else None,
        _ticks(clip.seconds),
        class_="sound",
        data_seconds=f"{clip.seconds:.3f}",
    )


def _ticks(seconds: float) -> Markup:
    names = [element("span", f"{seconds * place / _TICKS:.2f} s") for place in range(_TICKS + 1)]
    return element("div", names, class_="ticks")


def _switch() -> Markup:
    """Return the button that changes which side is heard; the script says which that is."""
    button = element("button", "A/B", type="button", class_="switch", aria_keyshortcuts="x")
    how = "hears the other side at the same place, as the key x does; a click on a picture plays from there"
    return element("p", button, element("span", how, class_="note"), class_="ab")


def samples(array: Array) -> Array:
    """Return a channel as floats of which the loudest is 1, where the format says which that is."""
    if array.dtype.kind in "iu":
        return np.asarray(np.divide(array, np.iinfo(array.dtype).max, dtype=np.float32))
    return array.astype(np.float32) if array.dtype.itemsize < 4 else array


def _marked(clip: Clip) -> Markup | None:
    """Name the seconds that are marked, each a button that plays it."""
    both = (("words lost (shaded) at ", clip.lost), ("words that expected lacks at ", clip.invented))
    rows = [element("p", word, [_span(*span) for span in spans], class_="spans note") for word, spans in both if spans]
    return element("div", rows) if rows else None


def _span(start: float, end: float) -> Markup:
    said = f"{start:.2f} to {end:.2f} s"
    if start >= MOST_SECONDS:
        return element("span", said, class_="span")
    where = {"data_from": f"{start:.2f}", "data_to": f"{end:.2f}"}
    return element("button", said, type="button", class_="span", aria_label=f"play {said}", **where)


def _gains(clip: Clip) -> tuple[list[float], str]:
    """Return the gain that each side is played with, so that both have one level and neither clips, and say so."""
    sides = [side for _, side in clip.sides]
    levels = [_level(side) for side in sides]
    turned = [1.0] * len(sides)
    note = ""
    if len(sides) == 2 and all(level and math.isfinite(level) for level in levels):
        turned[1] = levels[0] / levels[1]
        change = 20 * math.log10(turned[1])
        if abs(change) >= _LEVEL_DB:
            note = f"actual is played {abs(change):.1f} dB {'louder' if change > 0 else 'quieter'} than it is, "
            note += "at the level of expected"
    elif not all(levels):
        note = " and ".join(title for (title, _), level in zip(clip.sides, levels, strict=True) if not level)
        note += " is silent: nothing but zeros"
    peaks = [gain * _peak(side) for gain, side in zip(turned, sides, strict=True)]
    peak = max((value for value in peaks if math.isfinite(value)), default=0.0)
    safe = min(1.0, _HEADROOM / peak) if peak else 1.0
    return [gain * safe for gain in turned], note


def _level(side: Array) -> float:
    blocks = (side[at : at + _BLOCK] for at in range(0, side.size, _BLOCK))
    return math.sqrt(sum(float(np.sum(np.square(block, dtype=np.float64))) for block in blocks) / max(side.size, 1))


def _peak(side: Array) -> float:
    return float(max(side.max(), -side.min())) if side.size else 0.0


def _side(title: str, side: Array, gain: float, clip: Clip) -> Markup:
    rate = clip.sample_rate
    seconds = side.size / rate
    source, problem = _player(side, gain, rate)
    player = element("audio", controls=True, preload="metadata", src=source, aria_label=title)
    long = f", the first {MOST_SECONDS:g} s can be played" if source and seconds > MOST_SECONDS else ""
    return element(
        "figure",
        element("figcaption", f"{title}, {seconds:.2f} s at {rate:g} Hz{long}"),
        player if source else element("p", f"cannot be played: {problem}", class_="note"),
        _spectrogram(side, clip),
    )


def _player(side: Array, gain: float, rate: float) -> tuple[str | None, str]:
    """Return audio as the data URI of a FLAC file of 16 bits, or why there is none."""
    import soundfile

    if not side.size:
        return None, "it has no samples"
    if rate != int(rate):
        return None, f"a rate of {rate} Hz"
    cut = side[: int(MOST_SECONDS * rate)].astype(np.float64) * gain
    if not np.all(np.isfinite(cut)):
        return None, "it holds NaN or infinity"
    buffer = io.BytesIO()
    try:
        soundfile.write(buffer, cut, int(rate), format="FLAC", subtype="PCM_16")
    except (soundfile.SoundFileError, ValueError, TypeError):
        return None, f"FLAC has no rate of {rate:g} Hz"
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode(), ""


def _spectrogram(side: Array, clip: Clip) -> Markup | None:
    """Draw a spectrogram as wide as its part of the longer side, what is lost shaded."""
    frame = max(16, round(_FRAME_S * clip.sample_rate))
    if side.size < 2 * frame:
        return None
    hop = max(1, frame // 4, (side.size - frame) // (_FRAMES * WIDTH))
    frames = np.lib.stride_tricks.sliding_window_view(side, frame)[::hop].astype(np.float64)
    with np.errstate(all="ignore"):
        power = np.abs(np.fft.rfft(frames * np.hanning(frame), axis=-1)).T ** 2
    cells = means(power, grid((power.shape[0], power.shape[1]), HEIGHT, WIDTH))
    finite = cells[np.isfinite(cells)]
    top = float(finite.max(initial=0.0)) or 1.0
    levels = 10 * np.log10(np.maximum(cells / top, 10 ** (-_RANGE_DB / 10)))
    wide = 100 * side.size / clip.longest
    image = element(
        "image", href=picture(levels, -_RANGE_DB, 0.0), width=f"{wide:.2f}", height=100, preserveAspectRatio="none"
    )
    label = f"spectrogram up to {clip.sample_rate / 2:g} Hz, {_RANGE_DB:g} dB below the loudest"
    label += "" if finite.size == cells.size else "; magenta: NaN or infinite"
    drawn = element(
        "svg",
        image,
        shaded(clip.marks, 100, 100),
        class_="heat",
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
    return element("div", drawn, element("p", label, class_="note"))
