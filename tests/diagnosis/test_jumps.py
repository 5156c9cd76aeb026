"""Frames that are lost, doubled or put in, once or in every chunk: the lag is followed from jump to jump."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_audioparity import compare

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "pocketsphinx_cards_002.wav"
SAMPLES = soundfile.read(SPEECH, dtype="float32")[0][:30000]
STEREO = np.stack([SAMPLES, 0.5 * np.roll(SAMPLES, 11)])


def found(expected, actual):
    actual = np.concatenate([actual, np.zeros_like(expected)], -1)[..., : expected.shape[-1]]
    axes = "T" if expected.ndim == 1 else "CT"
    return compare(expected, actual, kind="waveform", axes=axes, sample_rate=16000).findings[0]


def chunks(samples, size):
    return [samples[..., start : start + size] for start in range(0, samples.shape[-1], size)]


@pytest.mark.parametrize("size", [320, 800, 1600, 5000])
@pytest.mark.parametrize("samples", [SAMPLES, STEREO], ids=["mono", "stereo"])
def test_the_tail_of_every_chunk_is_lost(samples, size):
    first = found(samples, np.concatenate([chunk[..., :-8] for chunk in chunks(samples, size)], -1))

    assert first.code == "dropped_frames"
    # A sample at the seam may be that of either side.
    assert first.detail["at"][:3] == pytest.approx([size - 8, 2 * (size - 8), 3 * (size - 8)], abs=2)
    # Where speech pauses, two chunks are one: their tails are silence.
    lost = np.array(first.detail["frames"])
    assert np.mean(lost == -8) > 0.7
    assert not np.any(lost % 8)


@pytest.mark.parametrize("size", [320, 1600, 5000])
def test_the_tail_of_every_chunk_comes_twice(size):
    doubled = [np.concatenate([chunk, chunk[-40:]]) for chunk in chunks(SAMPLES, size)]
    first = found(SAMPLES, np.concatenate(doubled))

    assert first.code == "repeated_frames"
    assert first.detail["at"][:2] == [size, 2 * size + 40]


@pytest.mark.parametrize("zeros", [40, 700, 3000])
def test_silence_is_put_in_once(zeros):
    first = found(SAMPLES, np.concatenate([SAMPLES[:12000], np.zeros(zeros, np.float32), SAMPLES[12000:]]))

    assert (first.code, first.detail["at"], first.detail["frames"]) == ("repeated_frames", [12000 + zeros], [zeros])


@pytest.mark.parametrize("lost", [160, 700, 1500])
def test_much_of_a_stereo_signal_is_lost_at_once(lost):
    first = found(STEREO, np.delete(STEREO, range(12000, 12000 + lost), axis=1))

    assert (first.code, first.detail["at"], first.detail["frames"]) == ("dropped_frames", [12000], [-lost])


def test_what_follows_a_jump_may_be_silent():
    """Silence agrees with all silence, so that the lag is known where speech begins again."""
    samples = SAMPLES.copy()
    samples[10000:13000] = 0.0
    first = found(samples, np.delete(samples, range(11000, 11100)))

    assert (first.code, first.detail["frames"]) == ("dropped_frames", [-100])


def test_a_start_that_is_silent_repeats_nothing():
    """A clip may begin with a zero, and what is not filled is zero as well."""
    samples = np.r_[np.float32(0), SAMPLES]
    samples[1:] += np.float32(1e-3)
    actual = samples.copy()
    actual[: samples.size // 10] = 0

    assert found(samples, actual).code == "edges"
