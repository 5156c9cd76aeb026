"""What a waveform stage sounds and looks like: players of one loudness, spectrograms, what is lost marked."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.page.charts import lines
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.images import HEIGHT, WIDTH, picture, reduced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = np.ndarray[Any, Any]

# Longer audio is cut for the page: a minute of it is a megabyte.
_MOST_SECONDS = 30.0
# Of the largest value of both sides that is played: what is turned up must not clip.
_HEADROOM = 0.99
_FRAME_S = 0.032
# What is this far below the loudest bin is drawn as silence.
_RANGE_DB = 70.0


def sound(expected: Array, actual: Array, meta: Mapping[str, Any], audio: Mapping[str, Any] | None) -> Markup:
    """Show and play the two sides of a waveform.

    Parameters
    ----------
    expected, actual : one channel each, shape (time,)
    meta : the stage in the JSON document of its result
    audio : what it was heard to be, in the form of `audioparity score`
    """
    rate = meta["sample_rate"]
    spans = (audio or {}).get("garbled_seconds") or []
    seconds = max(expected.size, actual.size) / rate
    marks = [(a / seconds, min(b / seconds, 1.0)) for a, b in spans]
    loudest = max(float(np.max(np.abs(side), initial=0.0)) for side in (expected, actual))
    level = [
        float(np.sqrt(np.mean(np.square(side, dtype=np.float64)))) if side.size else 0.0 for side in (expected, actual)
    ]
    turned = level[0] / level[1] if all(level) else 1.0
    peak = max(float(np.max(np.abs(expected), initial=0.0)), turned * float(np.max(np.abs(actual), initial=0.0)))
    safe = min(1.0, _HEADROOM / peak) if peak > 0 else 1.0
    note = f"actual is played {20 * np.log10(turned):+.1f} dB louder, at the level of expected" if turned != 1.0 else ""
    outline = lines(
        [("expected", expected), ("actual", actual)], f"waveforms, largest value {loudest:.3g}", marks=marks
    )
    return element(
        "div",
        element("p", note, class_="note") if note else None,
        element(
            "div",
            _side("expected", expected * safe, rate, marks),
            _side("actual", actual * (turned * safe), rate, marks),
            class_="pair",
        ),
        outline,
        class_="sound",
    )


def _side(title: str, samples: Array, rate: float, marks: Sequence[Sequence[float]]) -> Markup:
    player = _player(samples, rate)
    return element(
        "figure",
        element("figcaption", title),
        element("audio", controls=True, preload="none", src=player)
        if player
        else element("p", "cannot be played", class_="note"),
        _spectrogram(samples, rate, marks),
    )


def _player(samples: Array, rate: float) -> str | None:
    """Return audio as the data URI of a FLAC file of 16 bits, or None where the rate is none that FLAC has."""
    import soundfile

    if not samples.size or not np.all(np.isfinite(samples)) or rate != int(rate):
        return None
    buffer = io.BytesIO()
    try:
        cut = samples[: int(_MOST_SECONDS * rate)].astype(np.float64)
        soundfile.write(buffer, cut, int(rate), format="FLAC", subtype="PCM_16")
    except (soundfile.SoundFileError, ValueError, TypeError):
        return None
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode()


def _spectrogram(samples: Array, rate: float, marks: Sequence[Sequence[float]]) -> Markup | None:
    frame = max(16, round(_FRAME_S * rate))
    if samples.size < 2 * frame or not np.all(np.isfinite(samples)):
        return None
    hop = max(1, (samples.size - frame) // (2 * WIDTH), frame // 4)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), frame)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(frame), axis=-1)).T ** 2
    small = reduced(power, HEIGHT, WIDTH)
    top = float(small.max()) or 1.0
    levels = 10 * np.log10(np.maximum(small / top, 10 ** (-_RANGE_DB / 10)))
    shaded = [
        element("rect", x=f"{a * 100:.2f}", y=0, width=f"{(b - a) * 100:.2f}", height=100, class_="lost")
        for a, b in marks
    ]
    image = element("image", href=picture(levels, -_RANGE_DB, 0.0), width=100, height=100, preserveAspectRatio="none")
    label = f"spectrogram up to {rate / 2:g} Hz, {_RANGE_DB:g} dB"
    return element(
        "svg",
        image,
        shaded,
        class_="heat",
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
