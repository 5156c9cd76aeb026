"""What speaking needs of the codec in examples/streaming_codec: its words, its decoder, the directions it keeps."""

from functools import cache
from typing import Any

import numpy as np
from codec import WEIGHTS, Decoder, _directions
from safetensors.numpy import load_file
from token_layout import CODEBOOKS, END, LATENT, VOCABULARY

Array = np.ndarray[Any, Any]


@cache
def _weights() -> dict[str, Array]:
    weights = {name: value.astype(np.float64) for name, value in load_file(WEIGHTS).items()}
    known = weights["quantiser.codewords"]
    weights["quantiser.codewords"] = np.pad(known, ((0, 0), (0, VOCABULARY - known.shape[1]), (0, 0)))
    return weights


def words() -> Array:
    """Return the codec's words (codebook, token, LATENT), with END as a word of zeros behind those of each codebook."""
    return _weights()["quantiser.codewords"]


class Follower:
    """The directions that the codec's decoder has after each frame.

    Codes say how points turn, so whoever chooses codes has to follow what the decoder makes of them, as the codec's own
    encoder does. In float64, as there.
    """

    def __init__(self) -> None:
        self._direction = np.ones(LATENT // 2, complex)

    def turned(self, points: Array) -> Array:
        """Return how points (LATENT,) stand as seen from the last directions: what the codes have to say."""
        return (points.astype(np.float64).view(complex) * self._direction.conj()).view(float)

    def follow(self, coded: Array) -> Array:
        """Move on by the sum of a frame's words (LATENT,), and return the decoded points."""
        turn = coded.view(complex)
        points = turn * self._direction
        self._direction = _directions(self._direction * _directions(turn))
        return points.view(float)


class Speech:
    """The codec's decoder for one stream; fewer codebooks than it has are filled up with END, which adds nothing."""

    def __init__(self) -> None:
        self._decoder = Decoder(_weights())

    def push(self, codes: Array) -> Array:
        """Return the float32 audio of codes (codebook, frame)."""
        return self._decoder.push(np.pad(codes, ((0, CODEBOOKS - len(codes)), (0, 0)), constant_values=END))
