"""A small neural speech codec, 16 kHz, 22.4 kb/s, run with numpy alone.

Causal convolutions with Snake activations turn 160 samples into a frame of 36 points of a plane; residual vector
quantisation codes *how each point turned* since the last decoded frame (differential phase, as a modem does it), so
both ends keep the same running state and neither works without it. The decoder mirrors the encoder and ends in tanh.

Everything is causal: frame t is coded from the samples up to its own end and decodes to exactly those 160 samples. The
delay is 0 samples; a stream must wait for a frame to be full, so the latency is 10 ms. The last frame is filled up with
zeros, so that decoded audio is up to 159 samples longer than what was encoded.

Arithmetic is float64 inside: chunks of another size round differently, and in float32 a stream would now and then
choose another codeword than the whole clip does. Audio comes out as float32.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from layout import (
    ANALYSIS,
    CODEBOOK_SIZE,
    CODEBOOKS,
    DECODER,
    ENCODER,
    HOP,
    LATENT,
    SAMPLE_RATE,
    SIZE_FLOOR,
    SYNTHESIS,
    Layer,
)
from safetensors.numpy import load_file

__all__ = ["CODEBOOKS", "CODEBOOK_SIZE", "HOP", "SAMPLE_RATE", "Codec", "Decoder", "Encoder"]

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]

WEIGHTS = Path(__file__).with_name("weights.safetensors")
_ALPHA_FLOOR = 1e-3  # as in training


class Snake:
    """x + sin²(a·x) / a with one a per channel; keeps no state."""

    def __init__(self, weights: Weights, name: str) -> None:
        self._alpha = np.maximum(weights[f"{name}.alpha"], _ALPHA_FLOOR)

    def push(self, x: Array) -> Array:
        """Apply it to (channel, time)."""
        return x + np.sin(self._alpha * x) ** 2 / self._alpha


class Conv:
    """A causal strided convolution that keeps the end of its input for the next call."""

    def __init__(self, layer: Layer, weights: Weights, name: str) -> None:
        self._layer = layer
        self._matrix = weights[f"{name}.conv.weight"].reshape(layer.outputs, -1)
        self._bias = weights[f"{name}.conv.bias"][:, None]
        self._span = (layer.width - 1) * layer.dilation + 1
        self._past = np.zeros((layer.inputs, self._span - layer.stride))

    def push(self, x: Array) -> Array:
        """Convolve whole strides of (channel, time)."""
        known = np.concatenate([self._past, x], axis=1)
        self._past = known[:, known.shape[1] - self._past.shape[1] :]
        windows = np.lib.stride_tricks.sliding_window_view(known, self._span, axis=1)
        taps = windows[:, :: self._layer.stride, :: self._layer.dilation]  # (channel, time, tap)
        return self._matrix @ taps.transpose(0, 2, 1).reshape(self._matrix.shape[1], -1) + self._bias


class Up:
    """A causal transposed convolution that keeps what its last frames add to the next ones."""

    def __init__(self, layer: Layer, weights: Weights, name: str) -> None:
        self._layer = layer
        self._matrix = weights[f"{name}.conv.weight"].reshape(layer.inputs, -1).T
        self._bias = weights[f"{name}.conv.bias"][:, None]
        self._overlaps = layer.width // layer.stride
        self._tail = np.zeros((layer.outputs, self._overlaps - 1, layer.stride))

    def push(self, x: Array) -> Array:
        """Upsample (channel, time) by the stride."""
        outputs, stride, frames = self._layer.outputs, self._layer.stride, x.shape[1]
        pieces = (self._matrix @ x).reshape(outputs, self._overlaps, stride, frames)
        total = np.zeros((outputs, frames + self._overlaps - 1, stride))
        total[:, : self._overlaps - 1] = self._tail
        for late in range(self._overlaps):
            total[:, late : late + frames] += pieces[:, late].transpose(0, 2, 1)
        self._tail = total[:, frames:]
        return total[:, :frames].reshape(outputs, -1) + self._bias


class Unit:
    """A residual unit: Snake, dilated convolution, Snake, 1×1 convolution."""

    def __init__(self, layer: Layer, weights: Weights, name: str) -> None:
        point = layer._replace(width=1, dilation=1)
        self._first, self._second = Snake(weights, f"{name}.first"), Snake(weights, f"{name}.second")
        self._wide, self._point = Conv(layer, weights, f"{name}.wide"), Conv(point, weights, f"{name}.point")

    def push(self, x: Array) -> Array:
        """Add what the two convolutions find."""
        return x + self._point.push(self._second.push(self._wide.push(self._first.push(x))))


class Stack:
    """Layers in a row, each with its own state."""

    def __init__(self, layers: tuple[Layer, ...], weights: Weights, name: str) -> None:
        makers = {"conv": Conv, "up": Up, "unit": Unit, "snake": lambda _, weights, name: Snake(weights, name)}
        self._layers = [makers[layer.kind](layer, weights, f"{name}.{i}") for i, layer in enumerate(layers)]

    def push(self, x: Array) -> Array:
        """Run the layers over (channel, time)."""
        for layer in self._layers:
            x = layer.push(x)
        return x


class Quantiser:
    """Residual vector quantisation of the turn of each point; the state is the direction of the last decoded points.

    Encoder and decoder follow the same decoded directions. A decoder that starts from other directions stays wrong by
    the same angles for the rest of the stream: nothing in it forgets.
    """

    def __init__(self, weights: Weights) -> None:
        self._words = weights["quantiser.codewords"]  # (codebook, codeword, LATENT)
        self._half = np.sum(self._words**2, axis=2) / 2
        self._direction = np.ones(LATENT // 2, complex)

    def encode(self, latent: Array) -> Array:
        """Return the codes (codebook, frame) of latent frames (LATENT, frame)."""
        codes = np.empty((CODEBOOKS, latent.shape[1]), np.int64)
        for frame, values in enumerate(np.ascontiguousarray(latent.T)):
            target = values.view(complex) * self._direction.conj()
            residual = target.view(float).copy()
            for book, words in enumerate(self._words):
                chosen = codes[book, frame] = np.argmax(words @ residual - self._half[book])
                residual -= words[chosen]
            self._direction = self._direction * _directions(target - residual.view(complex))
        return codes

    def decode(self, codes: Array) -> Array:
        """Return the latent frames (LATENT, frame) of codes (codebook, frame)."""
        turned = sum(words[chosen] for words, chosen in zip(self._words, codes, strict=True)).view(complex)
        # directions[t] is where the points stood before frame t
        directions = np.cumprod(np.concatenate([self._direction[None], _directions(turned)]), axis=0)
        self._direction = _directions(directions[-1])
        return (turned * directions[:-1]).view(float).T


class Encoder:
    """The encoder of one stream."""

    def __init__(self, weights: Weights) -> None:
        self._stack, self._quantiser = Stack(ENCODER, weights, "encoder"), Quantiser(weights)
        self._analysis = Conv(ANALYSIS, weights, "analysis")
        self._waiting = np.zeros(0)

    def push(self, audio: Array) -> Array:
        """Return the codes of the frames that are now full; the rest waits for the next call."""
        known = np.concatenate([self._waiting, audio])
        whole = known.size - known.size % HOP
        self._waiting = known[whole:]
        if not whole:
            return np.empty((CODEBOOKS, 0), np.int64)
        samples = known[None, :whole]
        linear = self._analysis.push(samples)
        return self._quantiser.encode(linear / np.sqrt(_sizes(linear)) + self._stack.push(samples))

    def finish(self) -> Array:
        """Return the codes of the last frame, filled up with zeros, or none if no sample waits."""
        return self.push(np.zeros(-self._waiting.size % HOP))


class Decoder:
    """The decoder of one stream."""

    def __init__(self, weights: Weights) -> None:
        self._stack, self._quantiser = Stack(DECODER, weights, "decoder"), Quantiser(weights)
        self._synthesis = Up(SYNTHESIS, weights, "synthesis")

    def push(self, codes: Array) -> Array:
        """Return the samples of these frames as float32."""
        return self.bounded(self.unbounded(codes)).astype(np.float32)

    def unbounded(self, codes: Array) -> Array:
        """Return the samples before the last activation."""
        if not codes.shape[1]:
            return np.zeros(0)
        points = self._quantiser.decode(codes)
        return (self._synthesis.push(points * _sizes(points)) + self._stack.push(points))[0]

    @staticmethod
    def bounded(samples: Array) -> Array:
        """Apply the last activation."""
        return np.tanh(samples)


class Codec:
    """Encode and decode clips, whole or as streams; a call never knows of the calls before it.

    Parameters
    ----------
    path : the weights
    """

    def __init__(self, path: Path = WEIGHTS) -> None:
        self._weights = {name: value.astype(np.float64) for name, value in load_file(path).items()}

    def encoder(self) -> Encoder:
        """Return a fresh encoder for one stream."""
        return Encoder(self._weights)

    def decoder(self) -> Decoder:
        """Return a fresh decoder for one stream."""
        return Decoder(self._weights)

    def encode(self, audio: Array) -> Array:
        """Return the codes, integers of shape (codebook, frame), of audio of shape (time,)."""
        return self.encode_stream(audio, max(1, len(audio)))

    def encode_stream(self, audio: Array, chunk_samples: int) -> Array:
        """Return the codes of audio that arrives in chunks of so many samples."""
        _check_audio(audio)
        encoder = self.encoder()
        pieces = [encoder.push(audio[begin : begin + chunk_samples]) for begin in range(0, len(audio), chunk_samples)]
        return np.concatenate([*pieces, encoder.finish()], axis=1)

    def decode(self, codes: Array) -> Array:
        """Return the float32 audio of shape (160 · frames,)."""
        _check_codes(codes)
        return self.decoder().push(codes)

    def decode_stream(self, codes: Array, chunk_frames: int) -> Iterator[Array]:
        """Yield the audio of so many frames at a time."""
        _check_codes(codes)
        decoder = self.decoder()
        for begin in range(0, codes.shape[1], chunk_frames):
            yield decoder.push(codes[:, begin : begin + chunk_frames])


def _sizes(frames: Array) -> Array:
    """Return the sizes of latent frames (LATENT, frame); their roots compand, so that quiet frames are coded finely."""
    return np.sqrt(np.sum(frames**2, axis=0) + SIZE_FLOOR)


def _directions(points: Array) -> Array:
    """Return complex numbers of size 1; a point at 0 has not turned."""
    sizes = np.abs(points)
    return np.divide(points, sizes, out=np.ones_like(points), where=sizes > 0)


def _check_audio(audio: Array) -> None:
    if audio.ndim != 1 or not np.issubdtype(audio.dtype, np.floating):
        raise ValueError(f"audio is {audio.dtype} of shape {audio.shape}; pass floating-point samples of shape (time,)")
    if not np.all(np.isfinite(audio)):
        raise ValueError("audio has samples that are not finite")


def _check_codes(codes: Array) -> None:
    if codes.ndim != 2 or codes.shape[0] != CODEBOOKS or not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(
            f"codes are {codes.dtype} of shape {codes.shape}; pass integers of shape ({CODEBOOKS}, frames)"
        )
    if codes.size and not (codes.min() >= 0 and codes.max() < CODEBOOK_SIZE):
        raise ValueError(f"codes lie in {codes.min()}..{codes.max()}; a codebook has entries 0..{CODEBOOK_SIZE - 1}")
