"""The port, as another team would write it: in MLX, batch first, one array of keys and values per layer.

Where MLX is not installed, and with TTS_RUNTIME=numpy, the same code runs on numpy. What it shares with the reference
is the codec (`token_codec`), the sizes and the weights; the model and the sampler are written anew.
"""

import importlib.util
import os
from collections.abc import Iterator
from typing import Any

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
    VOCABULARY,
    WIDTH,
    Settings,
    characters,
)
from token_model import WEIGHTS

if os.environ.get("TTS_RUNTIME") == "numpy" or importlib.util.find_spec("mlx") is None:
    xp: Any = np
else:
    import mlx.core as xp

__all__ = ["Port"]

Array = Any  # of MLX, or of numpy


class Cache:
    """Keys and values (1, head, token, width of a head) of one layer."""

    def __init__(self) -> None:
        empty = xp.zeros((1, HEADS, 0, WIDTH // HEADS), dtype=xp.float32)
        self._keys, self._values = empty, empty

    def extend(self, keys: Array, values: Array) -> tuple[Array, Array]:
        """Append those of the next tokens and return all."""
        self._keys = xp.concatenate([self._keys, keys], axis=2)
        self._values = xp.concatenate([self._values, values], axis=2)
        return self._keys, self._values


class Port:
    """The model in MLX.

    Parameters
    ----------
    settings : how codes are drawn and decoded
    """

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self._weights = {name: xp.array(value.astype(np.float32)) for name, value in load_file(WEIGHTS).items()}
        sharp = self._weights["sharpness"][:, None, None] * xp.array(words().astype(np.float32))
        # How near a word w comes to what is left, r: s·(r·w − w·w/2). Lists, since indexing is an operation as well.
        self._near = list(sharp)
        self._words = [xp.array(book) for book in words().astype(np.float32)]
        halves = [(near * book).sum(axis=1) / 2 for near, book in zip(self._near, self._words, strict=True)]
        self._half = -xp.stack(halves)
        self._end = xp.array((np.arange(VOCABULARY) == END).astype(np.float32))

    def speak(self, text: str, uniforms: Any) -> np.ndarray[Any, Any]:
        """Return codes (codebook, frame), drawn until all codebooks of a frame are END."""
        frames = self._frames(text, lambda time, book, logits: self.draw(logits, float(uniforms[time, book])))
        codes = []
        for _, (_, chosen) in zip(range(min(len(uniforms), MAX_FRAMES)), frames, strict=False):
            if self.ended(chosen):
                break
            codes.append(chosen)
        return np.array(codes, np.int32).T

    def read_back(self, text: str, codes: Any) -> Array:
        """Return the logits (frame, codebook, token) before each of given codes (codebook, frame)."""
        frames = self._frames(text, lambda time, book, _: int(codes[book, time]))
        return xp.stack([logits for _, (logits, _) in zip(range(codes.shape[1]), frames, strict=False)])

    def sample(self, logits: Array, uniforms: Any) -> Array:
        """Draw one code for each row of logits (..., token), at the first of uniforms (...)."""
        logits, uniforms = xp.array(logits), xp.array(uniforms)[tuple(slice(n) for n in logits.shape[:-1])]
        passed = xp.cumsum(self.kept(logits / self.settings.temperature), axis=-1)
        below = passed <= uniforms[..., None] * passed[..., -1:]
        return xp.sum(below, axis=-1).astype(xp.int32)  # bools sum to int64 in numpy, int32 in MLX

    def draw(self, logits: Array, uniform: float) -> int:
        """Draw one code."""
        return int(self.sample(logits[None], np.array([uniform], np.float32))[0])

    def kept(self, scaled: Array) -> Array:
        """Return exp of scaled logits, 0 behind the top k."""
        edge = xp.sort(scaled, axis=-1)[..., -self.settings.top_k][..., None]
        return xp.where(scaled >= edge, self.weighed(scaled), 0.0)

    @staticmethod
    def weighed(scaled: Array) -> Array:
        """Return exp of scaled logits, less the largest."""
        return xp.exp(scaled - xp.max(scaled, axis=-1, keepdims=True))

    @staticmethod
    def ended(codes: list[int]) -> bool:
        """Whether speech ends with this frame."""
        return all(code == END for code in codes)

    def caches(self) -> list[Cache]:
        """Return the caches for a text."""
        return [Cache() for _ in range(LAYERS)]

    def speech(self, codes: Any) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the audio in chunks."""
        stream, size = Speech(), self.settings.chunk_size
        for begin in range(0, codes.shape[1], size):
            yield stream.push(np.array(codes[:, begin : begin + size]))

    def _frames(self, text: str, choose: Any) -> Iterator[tuple[Array, list[int]]]:
        """Yield logits and codes of one frame after the other, without end."""
        weights, caches, follower = self._weights, self.caches(), Follower()
        letters = weights["letters"][xp.array(characters(text))] + weights["places"][: len(text)]
        for letter in range(len(text)):  # one by one: so few need no mask
            self._run(letters[None, letter : letter + 1], caches)
        before = np.zeros(LATENT)
        for time in range(MAX_FRAMES):
            heard = self._linear("heard", xp.array(before.astype(np.float32)))
            x = self._run((heard + weights["times"][time])[None, None], caches)
            x = _normed(x[0, 0], weights["norm"])
            points, ends = np.array(self._linear("points", x)), self._linear("ends", x)
            logits, codes = self._depth(follower.turned(points), ends, lambda *row: choose(time, *row))  # noqa: B023
            before = follower.follow(words()[np.arange(len(codes)), codes].sum(axis=0))
            yield logits, codes

    def _depth(self, turned: Any, ends: Array, choose: Any) -> tuple[Array, list[int]]:
        left, rows, codes = xp.array(turned.astype(np.float32)), [], []
        offsets = list(self._half + ends[:, None] * self._end)
        for book in range(self.settings.codebooks):
            rows.append(self._near[book] @ left + offsets[book])
            codes.append(choose(book, rows[-1]))
            left = left - self._words[book][codes[-1]]
        return xp.stack(rows), codes

    def _run(self, x: Array, caches: list[Cache]) -> Array:
        """Run the layers over one token (1, 1, WIDTH)."""
        for number, cache in enumerate(caches):
            name = f"layers.{number}"
            parts = self._linear(f"{name}.qkv", _normed(x, self._weights[f"{name}.attention_norm"]))
            query, key, value = (
                part.reshape(1, 1, HEADS, -1).transpose(0, 2, 1, 3) for part in xp.split(parts, 3, axis=-1)
            )
            keys, values = cache.extend(key, value)
            scores = query @ keys.transpose(0, 1, 3, 2) / (WIDTH // HEADS) ** 0.5
            shares = self.weighed(scores)
            mixed = shares @ values / xp.sum(shares, axis=-1, keepdims=True)
            x = x + self._linear(f"{name}.out", mixed.transpose(0, 2, 1, 3).reshape(1, 1, WIDTH))
            unit = self._linear(f"{name}.up", _normed(x, self._weights[f"{name}.unit_norm"]))
            gate, held = xp.split(unit, 2, axis=-1)
            x = x + self._linear(f"{name}.down", gate / (1 + xp.exp(-gate)) * held)
        return x

    def _linear(self, name: str, x: Array) -> Array:
        y = x @ self._weights[f"{name}.weight"].T
        bias = self._weights.get(f"{name}.bias")
        return y if bias is None else y + bias


def _normed(x: Array, weight: Array) -> Array:
    return x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + NORM_FLOOR) * weight
