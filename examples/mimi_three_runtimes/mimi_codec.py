"""What the three runtimes have in common here: one interface, and streams that are made of chunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

__all__ = ["FRAME", "FRAME_RATE", "SAMPLE_RATE", "Array", "Codec", "Stages"]

Array = np.ndarray[Any, np.dtype[Any]]
Stages = dict[str, Array]  # time is the last axis of each

SAMPLE_RATE = 24_000
FRAME = 1920  # samples
FRAME_RATE = SAMPLE_RATE / FRAME


class Codec(ABC):
    """Audio of shape (time,) to codes of shape (codebook, frame), and back.

    Parameters
    ----------
    codebooks : how many of the checkpoint's codebooks are used; decoding leaves the codes of others out
    forgetful : a bug to switch on: the state of a stream is reset before every chunk
    """

    def __init__(self, codebooks: int, *, forgetful: bool = False) -> None:
        self.codebooks = codebooks
        self._forgetful = forgetful

    @abstractmethod
    def encode(self, audio: Array) -> Array:
        """Return the codes of a whole clip."""

    @abstractmethod
    def decode(self, codes: Array) -> Array:
        """Return the audio of whole codes."""

    @abstractmethod
    def streaming(self) -> AbstractContextManager[Any]:
        """Start a stream that knows nothing of those before it."""

    @abstractmethod
    def reset(self) -> None:
        """Forget the stream so far, by the runtime's own function for that."""

    @abstractmethod
    def encode_chunk(self, audio: Array) -> Stages:
        """Go on with a stream: the stages of whole frames of audio, ``codes`` the last of them."""

    @abstractmethod
    def decode_chunk(self, codes: Array) -> Stages:
        """Go on with a stream: the stages of frames of codes, ``waveform`` the last of them."""

    def encode_stages(self, audio: Array, chunk_samples: int = FRAME) -> Stages:
        """Return the stages of a clip that comes in chunks, joined along time; the last frame is filled up."""
        whole = max(chunk_samples // FRAME, 1) * FRAME
        padded = np.pad(audio, (0, -audio.size % FRAME))
        return _joined(self._stream(self.encode_chunk, padded, whole))

    def decode_stages(self, codes: Array, chunk_frames: int = 1) -> Stages:
        """Return the stages of codes that come in chunks, joined along time."""
        return _joined(self._stream(self.decode_chunk, codes[: self.codebooks], chunk_frames))

    def encode_stream(self, audio: Array, chunk_samples: int = FRAME) -> Array:
        """Return the codes of a clip that comes in chunks."""
        return self.encode_stages(audio, chunk_samples)["codes"]

    def decode_stream(self, codes: Array, chunk_frames: int = 1) -> Iterator[Array]:
        """Yield the audio of codes that come in chunks."""
        for stages in self._stream(self.decode_chunk, codes[: self.codebooks], chunk_frames):
            yield stages["waveform"]

    def _stream(self, step: Callable[[Array], Stages], values: Array, size: int) -> Iterator[Stages]:
        with self.streaming():
            for start in range(0, values.shape[-1], size):
                if self._forgetful:
                    self.reset()
                yield step(values[..., start : start + size])


def _joined(chunks: Iterator[Stages]) -> Stages:
    pieces = list(chunks)
    return {name: np.concatenate([piece[name] for piece in pieces], axis=-1) for name in pieces[0]}
