"""Mimi as `rustymimi` has it, in Rust: codes and audio, and nothing in between."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import mimi_weights
import numpy as np
import rustymimi
from mimi_codec import Array, Codec, Stages

__all__ = ["RustCodec"]


class RustCodec(Codec):
    """The codec in Rust.

    `reset()` of the package leaves the encoder's downsampler as it was, so the first frame of the next stream is coded
    with the end of the one before. After a stream was encoded, the next one gets a tokenizer of its own.

    Parameters
    ----------
    codebooks : how many the model has
    half_reset : start every stream with `reset()`
    """

    def __init__(self, codebooks: int = mimi_weights.CODEBOOKS, *, half_reset: bool = False, **bugs: bool) -> None:
        super().__init__(codebooks, **bugs)
        self._half_reset = half_reset
        self._load()

    def _load(self) -> None:
        self.model = None  # frees 334 MB first
        self.model = rustymimi.Tokenizer(str(mimi_weights.checkpoint()), num_codebooks=self.codebooks)
        self._has_encoded = False

    def encode(self, audio: Array) -> Array:
        """Return the codes of a whole clip."""
        return self.model.encode(audio[None, None])[0]

    def decode(self, codes: Array) -> Array:
        """Return the audio of whole codes."""
        return self.model.decode(codes[None, : self.codebooks].astype(np.uint32))[0, 0]

    def streaming(self) -> AbstractContextManager[Any]:
        """Start a stream."""
        return nullcontext(self._load() if self._has_encoded and not self._half_reset else self.reset())

    def reset(self) -> None:
        """Forget the stream so far, as far as the package does."""
        self.model.reset()

    def encode_chunk(self, audio: Array) -> Stages:
        """Go on with a stream."""
        self._has_encoded = True
        return {"codes": self.model.encode_step(audio[None, None])[0]}

    def decode_chunk(self, codes: Array) -> Stages:
        """Go on with a stream."""
        return {"waveform": self.model.decode_step(codes[None].astype(np.uint32))[0, 0]}
