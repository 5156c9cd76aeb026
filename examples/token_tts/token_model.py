"""The reference: text to codes to speech, one frame and one codebook after the other, in numpy.

A frame is made in three steps. The *backbone*, a small transformer with a KV cache, reads the text and the frames
decoded so far, and says where the codec's 36 points stand next, and how surely each codebook is done. The *depth
decoder* turns that into codes: codebook k is drawn by how near its words come to what codebooks 0 to k-1 have left.
The *follower* keeps the directions that the codec's decoder has by then, since its codes say how points turn.

Codes are drawn by inverting the distribution function at uniform numbers that are given, so that a port that is given
the same numbers draws the same codes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file
from token_codec import Follower, Speech, words
from token_layout import (
    END,
    HEADS,
    LATENT,
    LAYERS,
    MAX_FRAMES,
    NORM_FLOOR,
    SETTINGS,
    WIDTH,
    Settings,
    characters,
)

Array = np.ndarray[Any, Any]
WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Frames(NamedTuple):
    """What speaking gives, frame by frame."""

    points: Array  # float32 (frame, LATENT): where the backbone wants the codec's points
    logits: Array  # float32 (frame, codebook, token)
    codes: Array  # int32 (codebook, frame); END where a codebook adds nothing


class Backbone:
    """The transformer; it keeps the keys and values of the tokens so far."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self._weights = weights
        self._cache: list[list[Array]] = [[] for _ in range(LAYERS)]

    def read(self, text: str) -> None:
        """Take in the text."""
        weights = self._weights
        for place, letter in enumerate(characters(text)):
            self._step(weights["letters"][letter] + weights["places"][place])

    def frame(self, time: int, before: Array) -> tuple[Array, Array]:
        """Return the points and the END logits of a frame, given the decoded points (LATENT,) of the one before."""
        weights = self._weights
        heard = weights["heard.weight"] @ before.astype(np.float32) + weights["heard.bias"]
        x = _normed(self._step(heard + weights["times"][time]), weights["norm"])
        points, ends = (weights[f"{name}.weight"] @ x + weights[f"{name}.bias"] for name in ("points", "ends"))
        return points, ends

    def _step(self, x: Array) -> Array:
        for number, cached in enumerate(self._cache):
            name = f"layers.{number}"
            x = x + self._attended(name, cached, _normed(x, self._weights[f"{name}.attention_norm"]))
            gate, value = np.split(
                self._weights[f"{name}.up.weight"] @ _normed(x, self._weights[f"{name}.unit_norm"]), 2
            )
            x = x + self._weights[f"{name}.down.weight"] @ (gate / (1 + np.exp(-gate)) * value)
        return x

    def _attended(self, name: str, cached: list[Array], x: Array) -> Array:
        parts = (self._weights[f"{name}.qkv.weight"] @ x).reshape(3, HEADS, -1)
        cached.append(parts[1:])
        keys, values = np.stack(cached, axis=2)  # (head, token, width of a head)
        scores = np.einsum("hd,htd->ht", parts[0], keys) * np.float32((WIDTH // HEADS) ** -0.5)
        mixed = np.einsum("ht,htd->hd", _softmax(scores), values)
        return self._weights[f"{name}.out.weight"] @ mixed.reshape(-1)


class Speaker:
    """The whole model.

    Parameters
    ----------
    settings : how codes are drawn and decoded
    """

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self._weights = {name: value.astype(np.float32) for name, value in load_file(WEIGHTS).items()}

    def speak(self, text: str, uniforms: Array) -> Frames:
        """Draw codes until all codebooks of a frame are END; uniforms (frame, codebook) decide which."""
        settings = self.settings

        def drawn(time: int, book: int, logits: Array) -> int:
            return draw(logits, uniforms[time, book], settings.temperature, settings.top_k)

        return self.choose(text, drawn, len(uniforms))

    def read_back(self, text: str, codes: Array) -> Frames:
        """Return what the model would say before each of given codes (codebook, frame): no sampler takes part."""
        return self.choose(text, lambda time, book, _: int(codes[book, time]), codes.shape[1])

    def choose(self, text: str, choice: Any, most: int) -> Frames:
        """Let ``choice(frame, codebook, logits)`` choose each code, for at most so many frames."""
        return _stacked(self._frames(text, choice, most))

    def speech(self, codes: Array) -> Iterator[Array]:
        """Yield the float32 audio in chunks; the codec's decoder keeps its state between them."""
        stream, size = Speech(), self.settings.chunk_size
        for begin in range(0, codes.shape[1], size):
            yield stream.push(codes[:, begin : begin + size])

    def _frames(self, text: str, choose: Any, most: int) -> Iterator[tuple[Array, Array, list[int]]]:
        backbone, follower = Backbone(self._weights), Follower()
        backbone.read(text)
        before = np.zeros(LATENT)
        for time in range(min(most, MAX_FRAMES)):
            points, ends = backbone.frame(time, before)
            residual, rows, codes = follower.turned(points), [], []
            for book in range(self.settings.codebooks):
                rows.append(self._logits(book, residual, ends[book]))
                codes.append(choose(time, book, rows[-1]))
                residual = residual - words()[book][codes[-1]]
            if all(code == END for code in codes):
                return
            before = follower.follow(follower.turned(points) - residual)
            yield points, np.stack(rows), codes

    def _logits(self, book: int, residual: Array, end: np.floating[Any]) -> Array:
        """Return how near each word of a codebook comes to what is left, END at 0 plus what the backbone says."""
        of_book = words()[book].astype(np.float32)
        near = self._weights["sharpness"][book] * (
            of_book @ residual.astype(np.float32) - np.sum(of_book**2, axis=1) / 2
        )
        near[END] += end
        return near


def sample(logits: Array, uniforms: Array, temperature: float, top_k: int | None) -> Array:
    """Draw one code for each row of logits (..., token), at uniforms (...)."""
    rows = logits.reshape(-1, logits.shape[-1])
    drawn = [draw(row, uniform, temperature, top_k) for row, uniform in zip(rows, uniforms.reshape(-1), strict=True)]
    return np.array(drawn, np.int32).reshape(uniforms.shape)


def draw(logits: Array, uniform: float, temperature: float, top_k: int | None) -> int:
    """Return the first token at which the distribution function passes the uniform number."""
    return int(np.searchsorted(distribution(logits, temperature, top_k), uniform, side="right"))


def distribution(logits: Array, temperature: float, top_k: int | None) -> Array:
    """Return the distribution function, by token, of softmax(logits / temperature) over the top k."""
    scaled = logits / temperature
    if top_k is not None:
        scaled = np.where(logits >= np.partition(logits, -top_k)[-top_k], scaled, -np.inf)
    passed = np.cumsum(_softmax(scaled).astype(np.float64))
    return passed / passed[-1]


def _stacked(frames: Iterator[tuple[Array, Array, list[int]]]) -> Frames:
    points, logits, codes = zip(*frames, strict=True)
    return Frames(np.stack(points), np.stack(logits), np.array(codes, np.int32).T)


def _normed(x: Array, weight: Array) -> Array:
    return x / np.sqrt(np.mean(x**2) + np.float32(NORM_FLOOR)) * weight


def _softmax(x: Array) -> Array:
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)
