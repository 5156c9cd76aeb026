"""Audio files of one channel."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.audiofiles import Seekable, read_samples, reason
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]


def read_audio(path: Path) -> tuple[Array, int]:
    """Read a file of one channel: samples of shape (time,), float64 with the full scale at 1, and their rate in Hz.

    Raises
    ------
    StageError : it cannot be read, or has several channels
    """
    return decoded(path, content_of(path))


def content_of(path: Path) -> bytes:
    """Return the bytes of an audio file.

    Raises
    ------
    StageError : the file system refused
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StageError(f"{path} cannot be read as audio: {error.strerror or error}") from None


def decoded(path: Path, content: bytes) -> tuple[Array, int]:
    """Decode the bytes of an audio file, as `read_audio` does.

    Raises
    ------
    StageError : they are no audio, or of several channels
    """
    import soundfile

    try:
        with soundfile.SoundFile(Seekable(io.BytesIO(content))) as audio:
            samples, rate = read_samples(audio, "float64", len(content)), audio.samplerate
    except (OSError, soundfile.SoundFileError, TypeError, ValueError) as error:
        raise StageError(f"{path} cannot be read as audio: {reason(error)}") from None
    if samples.ndim != 1:
        raise StageError(f"{path} has {samples.shape[1]} channels; give one channel at a time")
    return samples, int(rate)
