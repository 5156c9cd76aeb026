"""What a stage of any size takes while it is drawn: it is read from its file a block at a time."""

from __future__ import annotations

import tracemalloc

import numpy as np

from pytest_audioparity.page.pictures import Look, pictures
from pytest_audioparity.page.sound import Clip, sound

# The stages have 64 MB each; a block is 8 MB as float64, and some are held at once.
_ELEMENTS = 16 << 20
_MOST = 48_000_000


def mapped(path, shape, value):
    array = np.memmap(path, np.float32, "w+", shape=shape)
    array[..., :: shape[-1] // 8] = value
    array.flush()
    return np.memmap(path, np.float32, "r", shape=shape)


def peak(draw):
    tracemalloc.start()
    try:
        draw()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_stage_is_drawn_without_a_copy(tmp_path):
    """Both sides, their difference and the bias take less than one side; the measurement sees a copy."""
    sides = [mapped(tmp_path / name, (1, 4096, _ELEMENTS // 4096), value) for name, value in (("a", 1), ("b", 2))]
    assert peak(lambda: sides[0].astype(np.float32)) > _MOST
    assert peak(lambda: pictures(Look(*sides, axes=("BCT", "BCT")))) < _MOST


def test_long_audio_is_drawn_without_a_copy(tmp_path):
    """The same of a waveform of a quarter of an hour: players, spectrograms and curves."""
    sides = [mapped(tmp_path / name, (_ELEMENTS,), value) for name, value in (("a", 0.5), ("b", 0.25))]
    assert peak(lambda: sound(Clip(*sides, 16_000))) < _MOST
