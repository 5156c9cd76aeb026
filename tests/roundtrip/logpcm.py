"""Logarithmic PCM with integer codes: mu-law in two codebooks of 16, the upper and the lower four bits of a sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
MU = 255.0
RATE = 16_000
FRAME = 20


class LogPcm:
    """Mu-law as in G.711, 20 samples to a frame: codes of shape (2·20, frames), codebook 2k+1 refining codebook 2k."""

    codebooks = 2 * FRAME
    codebook_size = 16

    def encode(self, audio: Array) -> Array:
        audio = np.asarray(audio, np.float64).reshape(-1)
        audio = np.append(audio, np.zeros(-audio.size % FRAME))
        compressed = np.sign(audio) * np.log1p(MU * np.minimum(np.abs(audio), 1)) / np.log1p(MU)
        steps = np.round((compressed + 1) / 2 * MU).astype(np.int64).reshape(-1, FRAME).T
        return np.stack([steps // 16, steps % 16], axis=1).reshape(self.codebooks, -1)

    def decode(self, codes: Array) -> Array:
        pairs = np.asarray(codes).reshape(FRAME, 2, -1)
        compressed = 2 * (16 * pairs[:, 0] + pairs[:, 1]).T.reshape(-1) / MU - 1
        return (np.sign(compressed) * np.expm1(np.abs(compressed) * np.log1p(MU)) / MU).astype(np.float32)

    def decode_stream(self, codes: Array, frames: int) -> Iterator[Array]:
        for start in range(0, codes.shape[1], frames):
            yield self.decode(codes[:, start : start + frames])

    def encode_stream(self, audio: Array, samples: int) -> Array:
        return np.concatenate([self.encode(audio[at : at + samples]) for at in range(0, audio.size, samples)], axis=1)
