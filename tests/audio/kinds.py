"""The table of changes that `python -m tests.audio.verdicts` measures, with the verdicts that are right for each."""

from __future__ import annotations

import numpy as np
import soxr

from tests.audio.changes import (
    Array,
    Change,
    Random,
    at_snr,
    blocks,
    coded,
    faded,
    fitted,
    frame_size,
    istft,
    mel_coded,
    mu_law,
    noise_like,
    opus,
    reverberated,
    rms,
    speech_rms,
    speech_span,
    stft,
    telephoned,
    vocoded,
)
from tests.audio.timing import (
    another_speed,
    chunk_missing,
    chunk_repeated,
    faster_or_slower,
    late,
    more_pause,
    pitch,
    tempo,
    words_missing,
    words_repeated,
    wrong_rate,
)

SHORTEST_PAUSE = 0.35
# What is done to half a second needs a clip that has more; a jump in time needs speech before and after it.
LOCAL, JUMP, WORDS = 1.8, 2.6, 3.2


def shuffled(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    parts = blocks(x, round(r.uniform(0.03, 0.16) * rate))
    return np.concatenate([parts[i] for i in r.permutation(len(parts))])


def reversed_frames(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    return np.concatenate([b[::-1] for b in blocks(x, round(r.uniform(0.08, 0.2) * rate))])


def repeated_frames(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    parts = blocks(x, round(r.uniform(0.08, 0.2) * rate))
    return np.concatenate([parts[i - i % 2][: len(p)] for i, p in enumerate(parts)])


def same_statistics(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Noise with the histogram and the long-term spectrum of the clip."""
    magnitude, out = np.abs(np.fft.rfft(x)), np.asarray(r.permutation(x))
    for _ in range(10):
        out = np.fft.irfft(magnitude * np.exp(1j * np.angle(np.fft.rfft(out))), x.size)
        out = np.sort(x)[np.argsort(np.argsort(out))]
    return out


def under_envelope(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Noise with the long-term spectrum and the envelope of the clip."""
    noise = np.fft.irfft(np.abs(np.fft.rfft(x)) * np.exp(2j * np.pi * r.random(x.size // 2 + 1)), x.size)
    n = round(r.uniform(0.01, 0.04) * rate)
    smooth = np.ones(n) / n
    envelope = np.sqrt(np.convolve(x**2, smooth, "same"))
    return noise / np.maximum(np.sqrt(np.convolve(noise**2, smooth, "same")), 1e-9) * envelope


def turned_round(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    return x[::-1].copy()


def swapped_codebook(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Blocks of the spectrum exchanged, as by a permuted codebook."""
    size = frame_size(rate)
    spectrum = stft(x, size, size // 4)
    top = min(round(4500 / rate * size), spectrum.shape[1])
    parts = np.array_split(np.arange(top), int(r.integers(8, 20)))
    order = np.concatenate([parts[i] for i in r.permutation(len(parts))])
    spectrum = np.concatenate([spectrum[:, order], spectrum[:, top:]], axis=1)
    return istft(spectrum, size, size // 4, x.size)


def random_tokens(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Half and more of the 20 ms to 80 ms frames come from elsewhere in the clip."""
    parts = blocks(x, round(r.uniform(0.02, 0.08) * rate))
    share = r.uniform(0.55, 0.95)
    pick = [int(r.integers(len(parts) - 1)) if r.random() < share else i for i in range(len(parts))]
    return np.concatenate([fitted(parts[j], parts[i].size, r) for i, j in enumerate(pick)])


def drowned(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    return at_snr(x, noise_like(x, r, r.uniform(0, 0.3)), r.uniform(-18, -12))


def other_words(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
    out = fitted(others[int(r.integers(len(others)))], x.size, r)
    return out * (rms(x) / rms(out))


def locally(make, low=0.5, high=1.0):
    """Do it in one span of speech only."""

    def change(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
        span = speech_span(x, rate, r, r.uniform(low, high))
        y = x.copy()
        y[span] = faded(make(x[span], rate, r, others)[: span.stop - span.start], rate)
        return y

    return change


def silence(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
    return x * r.choice([0.0, 0.001])


def stuck(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
    """One frame again and again, as of a decoder whose state stands still."""
    return np.resize(x[: round(r.uniform(0.02, 0.08) * rate)], x.size)


def words(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
    """Other speech of the same length, at its level."""
    other = others[int(r.integers(len(others)))]
    span = speech_span(other, rate, r, x.size / rate)
    out = np.resize(other[span], x.size)
    return out * (rms(x) / rms(out)) if rms(out) else out


def spoilt(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
    """One of the ways in which a decoder loses a frame or some."""
    return (silence, stuck, turned_round)[int(r.integers(3))](x, rate, r, others)


def invented(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
    """Speech in the longest pause, of which it fills 0.3 to 0.6 s."""
    start, end = longest_pause(x, rate)
    n = min(round(r.uniform(0.3, 0.6) * rate), end - start)
    at = int(r.integers(start, end - n + 1))
    other = others[int(r.integers(len(others)))]
    piece = other[speech_span(other, rate, r, n / rate)]
    piece = faded(piece * (speech_rms(x, rate) / rms(piece) * 10 ** (r.uniform(-8, 2) / 20)), rate)
    y = x.copy()
    y[at : at + piece.size] += piece
    return y


def longest_pause(x: Array, rate: int) -> tuple[int, int]:
    hop = rate // 100
    levels = 10 * np.log10(np.mean(x[: x.size // hop * hop].reshape(-1, hop) ** 2, axis=1) + 1e-12)
    quiet = levels < 20 * np.log10(speech_rms(x, rate)) - 30
    best, start = (0, 0), None
    for i, q in enumerate([*quiet, False]):
        if q and start is None:
            start = i
        elif not q and start is not None:
            best = max(best, (start, i), key=lambda span: span[1] - span[0])
            start = None
    return best[0] * hop, best[1] * hop


def jump_in_codec(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
    """Let time jump in what does not keep the phase, or in noise."""
    y = [more_pause, chunk_missing, chunk_repeated][int(r.integers(3))](x, rate, r, others)
    kind = int(r.integers(3))
    if kind == 0:
        return mel_coded(y, rate, r, int(r.integers(40, 80)), r.uniform(1, 5))
    return opus(y, rate, 1.0) if kind == 1 else at_snr(y, noise_like(y, r, 0), 10)


def codecs_in_a_row(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Opus at a rate that one would use, a telephone, Opus again."""
    return opus(telephoned(opus(x, rate, r.uniform(0.6, 0.9)), rate), rate, r.uniform(0.6, 0.9))


def clipped(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    if r.random() < 0.5:
        top = np.max(np.abs(x)) * r.uniform(0.12, 0.4)
        return np.clip(x, -top, top)
    return np.clip(x / np.max(np.abs(x)) * r.uniform(2.5, 8), -1, 1)


def quieter(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    return x * 10 ** (float(r.choice([r.uniform(-45, -3), r.uniform(3, 5)])) / 20)


def with_dc(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    return x + r.choice([-1, 1]) * r.uniform(0.03, 0.2)


def babble(x: Array, rate: int, r: Random, others: list[Array]) -> Array:
    return at_snr(x, np.sum([fitted(others[int(r.integers(len(others)))], x.size, r) for _ in range(8)], axis=0), 10)


def dull(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    spectrum = np.fft.rfft(x)
    f = np.fft.rfftfreq(x.size, 1 / rate)
    return np.fft.irfft(spectrum / (1 + (f / r.uniform(1500, 3000)) ** 8), x.size)


def equalised(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    f = np.fft.rfftfreq(x.size, 1 / rate)
    curve = np.interp(f, np.linspace(0, rate / 2, 6), r.uniform(-3, 3, 6))
    out = np.fft.irfft(np.fft.rfft(x) * 10 ** (curve / 20), x.size)
    return out * (rms(x) / rms(out))


OK, DEGRADED, LEVEL, CLIPPED, MISALIGNED = "ok", "degraded", "level_changed", "clipped", "misaligned"
GARBLED, WRONG, SILENT = "garbled", "wrong_content", "silent"
EITHER = (OK, DEGRADED)

CHANGES = (
    Change("zeros", lambda x, *_: x * 0, (SILENT,)),
    Change("100 dB down", lambda x, *_: x * 1e-5, (SILENT,)),
    Change("frames shuffled", shuffled, (GARBLED,)),
    Change("frames reversed", reversed_frames, (GARBLED,)),
    Change("every second frame repeats", repeated_frames, (GARBLED,)),
    Change("noise of the same statistics", same_statistics, (GARBLED,)),
    Change("noise under the envelope", under_envelope, (GARBLED,)),
    Change("backwards", turned_round, (GARBLED, WRONG)),
    Change("bands exchanged", swapped_codebook, (GARBLED,)),
    Change("random tokens", random_tokens, (GARBLED,)),
    Change("noise at -15 dB", drowned, (GARBLED,)),
    Change("locally silent", locally(silence), (GARBLED,), LOCAL),
    Change("locally stuck", locally(stuck), (GARBLED, WRONG), LOCAL),
    Change("locally shuffled", locally(shuffled), (GARBLED, WRONG), LOCAL),
    Change("locally noise", locally(under_envelope), (GARBLED,), LOCAL),
    Change("locally backwards", locally(turned_round), (WRONG, GARBLED), LOCAL),
    Change("other words", other_words, (WRONG,)),
    Change("locally other words", locally(words), (WRONG, GARBLED), LOCAL),
    Change("a short word exchanged", locally(words, 0.3, 0.45), (WRONG, GARBLED), LOCAL),
    Change("a short word spoilt", locally(spoilt, 0.3, 0.45), (GARBLED, WRONG), LOCAL),
    Change("invented in a pause", invented, (WRONG,)),
    Change("words missing", words_missing, (GARBLED,), WORDS),
    Change("words said twice", words_repeated, (WRONG, GARBLED), WORDS),
    Change("a longer pause", more_pause, (MISALIGNED,), JUMP),
    Change("a chunk missing", chunk_missing, (MISALIGNED,), JUMP),
    Change("a chunk repeated", chunk_repeated, (MISALIGNED,), JUMP),
    Change("a jump in a poor codec or noise", jump_in_codec, (MISALIGNED,), JUMP),
    Change("late or early", late, (MISALIGNED,)),
    Change("wrong rate", wrong_rate, (MISALIGNED,)),
    Change("tempo", tempo, (MISALIGNED, DEGRADED)),
    Change("much faster or slower", faster_or_slower, (MISALIGNED,)),
    Change("another speed", another_speed, (MISALIGNED,)),
    Change(
        "MP3",
        lambda x, rate, r, _: coded(
            x, rate, "MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=r.uniform(0.1, 0.8)
        )[: x.size],
        (OK, MISALIGNED),  # at 22.05 kHz, the encoder's delay of 1105 samples sometimes stays
    ),
    Change("GSM telephone", lambda x, rate, *_: telephoned(x, rate), EITHER),
    Change("three codecs in a row", codecs_in_a_row, EITHER),
    Change("clipped", clipped, (CLIPPED,)),
    Change("white noise at 10 dB", lambda x, _, r, __: at_snr(x, noise_like(x, r, 0), 10), (DEGRADED,)),
    Change("pink noise at 10 dB", lambda x, _, r, __: at_snr(x, noise_like(x, r, 0.5), 10), (DEGRADED,)),
    Change("babble at 10 dB", babble, (DEGRADED,)),
    Change(
        "noise at 15 to 25 dB", lambda x, _, r, __: at_snr(x, noise_like(x, r, 0), r.uniform(15, 25)), (DEGRADED, OK)
    ),
    Change(
        "reverberation",
        lambda x, rate, r, _: reverberated(x, rate, r, r.uniform(0.3, 0.6), r.uniform(1.0, 2.0)),
        (DEGRADED,),
    ),
    Change("a little reverberation", lambda x, rate, r, _: reverberated(x, rate, r, r.uniform(0.15, 0.3), 2.0), EITHER),
    Change("random phase", lambda x, rate, r, _: vocoded(x, rate, r, 0), (DEGRADED,)),
    Change("phase found again", lambda x, rate, r, _: vocoded(x, rate, r, 20), (DEGRADED, OK)),
    Change(
        "mel vocoder", lambda x, rate, r, _: mel_coded(x, rate, r, int(r.integers(40, 80)), r.uniform(1, 5)), EITHER
    ),
    Change("pitch", pitch, (DEGRADED, OK, MISALIGNED)),
    Change("dull", dull, (DEGRADED, OK)),
    Change("mu-law, 4 and 5 bits", lambda x, _, r, __: mu_law(x, int(r.integers(4, 6))), (DEGRADED, OK)),
    Change("Opus, lowest rate", lambda x, rate, *_: opus(x, rate, 1.0), EITHER),
    Change("quieter or louder", quieter, (LEVEL,)),
    Change("DC", with_dc, (LEVEL,)),
    Change("unchanged", lambda x, *_: x.copy(), (OK,)),
    Change("Opus, high rate", lambda x, rate, r, _: opus(x, rate, r.uniform(0.2, 0.7)), (OK,)),
    Change(
        "Vorbis",
        lambda x, rate, r, _: coded(x, rate, "OGG", "VORBIS", compression_level=r.uniform(0, 0.6))[: x.size],
        (OK,),
    ),
    Change("noise at 40 dB", lambda x, _, r, __: at_snr(x, noise_like(x, r, 0.25), 40), (OK,)),
    Change("16 bits, 1 dB down", lambda x, *_: np.round(x * 0.89 * 32767) / 32767, (OK,)),
    Change("equalised", equalised, (OK,)),
    Change(
        "there and back through 24 kHz",
        lambda x, rate, *_: soxr.resample(soxr.resample(x, rate, 24000), 24000, rate)[: x.size],
        (OK,),
    ),
)
