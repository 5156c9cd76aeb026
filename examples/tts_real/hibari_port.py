"""A port of hibari-tts's acoustic network and synthesis to numpy, made as a port is made: stage by stage.

It reads the weights out of the package's own .onnx file, turns them from int8 into floats, and computes in float32.
The package computes in int8: before each matrix product it rounds the activations to 256 steps between their smallest
and their largest. ``Port(activations="int8")`` rounds them too; what is left then is what float32 sums leave, which
shows that all of the distance between the float port and the package is that rounding.

Prosody (durations, F0, energy) is not ported: the golden gives it, as it does while a port is being made.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import synthesis
from hibari.voices import DEFAULT, voice_path
from hibari_trace import ENCODER_GAIN, checked_faults
from onnx import numpy_helper
from scipy.special import erf

Array = np.ndarray[Any, np.dtype[Any]]

HEADS = 2
FRAMES_PER_DURATION = 2  # durations count 25 ms, frames are 12.5 ms
ENCODER_LAYERS = 4  # one set of weights, applied four times
DECODER_BLOCKS = 8
NORM_EPS = 1e-5
# What the graph does to the two curves before the decoder: ln(1 + max(F0, 0)) / 5 and energy / 5.
LOG_F0_SCALE = ENERGY_SCALE = 5.0

SPECTRA = (
    "harmonic_log_magnitude",
    "harmonic_phase_pre_tanh",
    "noise_log_magnitude",
    "residual_log_magnitude",
    "residual_phase_rad",
)

FAULTS = (
    "encoder_gain",
    "attention_scale",
    "qkv_order",
    "heads_merged",
    "gelu_tanh",
    "norm_eps",
    "decoder_layout",
    "swapped_spectra",
    *synthesis.FAULTS,
)
WRONG_NORM_EPS = 1e-2


@dataclass(frozen=True)
class Port:
    """The acoustic network: each method is one step between two stages of the golden.

    Attributes
    ----------
    faults : frozenset of str
        Planted bugs, from `FAULTS`.
    activations : str
        ``"float"``, or ``"int8"`` to round the inputs of matrix products as the package does.
    """

    faults: frozenset[str] = frozenset()
    activations: str = "float"

    def embedding(self, ids: Array) -> Array:
        """Look the phonemes [B, T] up: [B, T, C], as all stages of the encoder are."""
        return _weights()["m.text.emb.weight"][ids]

    def conv_norm(self, x: Array) -> Array:
        """Run the first depthwise convolution and its norm."""
        return self._norm(self._depthwise(x, "m.text.convs.0"), "m.text.convs.0.norm")

    def conv_hidden(self, normed: Array) -> Array:
        """Widen to twice the channels."""
        return self._linear(normed, "/convs.0/pw1", "m.text.convs.0.pw1.bias")

    def gelu(self, x: Array) -> Array:
        """Apply x · Φ(x)."""
        if "gelu_tanh" in self.faults:
            return x * 0.5 * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)))
        return x * 0.5 * (1 + erf(x / np.float32(np.sqrt(2))))

    def convolved(self, x: Array, activated: Array) -> Array:
        """Finish the first block of convolutions and run the second."""
        return self._block(self._narrowed(x, activated, "m.text.convs.0", "/convs.0"), "m.text.convs.1", "/convs.1")

    def attention_scores(self, x: Array) -> Array:
        """Compare queries with keys after the norm that comes first: [B, heads, T, T] before the softmax."""
        query, key, _ = self._projections(x)
        scores = query @ np.swapaxes(key, 2, 3)
        return scores if "attention_scale" in self.faults else scores / np.float32(query.shape[-1]) ** 0.5

    def attention_heads(self, x: Array, scores: Array) -> Array:
        """Mix the values by their scores and join the heads."""
        mixed = _softmax(scores) @ self._projections(x)[2]
        if "heads_merged" not in self.faults:  # [B, heads, T, C / heads] read as [B, T, C] without a transpose
            mixed = mixed.swapaxes(1, 2)
        return mixed.reshape(x.shape)

    def attention_output(self, x: Array, mixed: Array) -> Array:
        """Project, and add the input."""
        return x + self._linear(mixed, "/out_proj", "m.text.attn.self_attn.out_proj.bias")

    def feed_forward(self, x: Array) -> Array:
        """Run the two linear layers with their norm before and their input added: the end of an attention layer."""
        hidden = self._linear(self._norm(x, "m.text.attn.norm2"), "/linear1", "m.text.attn.linear1.bias")
        return x + self._linear(self.gelu(hidden), "/linear2", "m.text.attn.linear2.bias")

    def encoder_layer(self, x: Array) -> Array:
        """Run one whole layer of attention; all four have the same weights."""
        heads = self.attention_heads(x, self.attention_scores(x))
        return self.feed_forward(self.attention_output(x, heads))

    def encoder_output(self, x: Array) -> Array:
        """Run the layers that are left after the second, and the last norm."""
        for _ in range(ENCODER_LAYERS - 2):
            x = self.encoder_layer(x)
        gain = np.float32(ENCODER_GAIN if "encoder_gain" in self.faults else 1)
        return gain * self._norm(x, "m.text.norm")

    def decoder_input(self, encoded: Array, durations: Array, f0_hz: Array, energy: Array) -> Array:
        """Repeat each phoneme for its frames, add the two curves and convolve: [B, C, frames]."""
        frames = np.repeat(encoded, FRAMES_PER_DURATION * durations, axis=1)
        curves = np.log(1 + np.maximum(f0_hz, 0)) / LOG_F0_SCALE, energy / ENERGY_SCALE
        x = np.concatenate([frames, *(curve[..., np.newaxis] for curve in curves)], axis=2).astype(np.float32)
        weights = _weights()
        x = _windows(x, 7) @ _as_matrix(weights["m.dec_in.weight"]) + weights["m.dec_in.bias"]
        if "decoder_layout" in self.faults:  # [B, frames, C] read as [B, C, frames] without a transpose
            return x.reshape(x.shape[0], x.shape[2], x.shape[1])
        return np.swapaxes(x, 1, 2)

    def decoder_output(self, x: Array) -> Array:
        """Run the decoder's blocks and its norm: [B, frames, C]."""
        x = np.swapaxes(x, 1, 2)
        for index in range(DECODER_BLOCKS):
            x = self._block(x, f"m.dec.{index}", f"/dec.{index}")
        return self._norm(x, "m.dec_norm")

    def spectrum(self, x: Array, name: str) -> Array:
        """Project to one of `SPECTRA`: [B, bins, frames]."""
        order = list(SPECTRA)
        if "swapped_spectra" in self.faults:  # the third and the fourth part of the head's output exchanged
            order[2], order[3] = order[3], order[2]
        everything = np.swapaxes(self._linear(x, "/head", "m.head.bias"), 1, 2)
        return np.split(everything, len(SPECTRA), axis=1)[order.index(name)]

    def window(self) -> Array:
        """Return the window of the synthesis."""
        return synthesis.hann(symmetric="hann_symmetric" in self.faults)

    def synthesise(self, *spectra_and_f0: Array, noise: Array) -> Array:
        """Turn the five spectra and F0, of a batch of one, and noise into the waveform."""
        return synthesis.synthesise(*(x[0] for x in spectra_and_f0), noise, faults=self.faults)

    def _projections(self, x: Array) -> list[Array]:
        """Norm and project to query, key and value: [B, heads, T, C / heads] each."""
        normed = self._norm(x, "m.text.attn.norm1")
        projected = self._linear(normed, "/Transpose_2", "m.text.attn.self_attn.in_proj_bias", transposed=False)
        heads = projected.reshape(*x.shape[:2], 3 * HEADS, x.shape[2] // HEADS).swapaxes(1, 2)
        parts = np.split(heads, 3, axis=1)
        return parts if "qkv_order" not in self.faults else [parts[1], parts[2], parts[0]]

    def _block(self, x: Array, name: str, node: str) -> Array:
        """Run one ConvNeXt block on [B, T, C]: depthwise convolution, norm, two linear layers, scaled and added."""
        normed = self._norm(self._depthwise(x, name), f"{name}.norm")
        return self._narrowed(x, self.gelu(self._linear(normed, f"{node}/pw1", f"{name}.pw1.bias")), name, node)

    def _depthwise(self, x: Array, name: str) -> Array:
        kernel = _weights()[f"{name}.dw.weight"][:, 0]
        return np.einsum("btck,ck->btc", _unfold(x, kernel.shape[1]), kernel) + _weights()[f"{name}.dw.bias"]

    def _narrowed(self, x: Array, activated: Array, name: str, node: str) -> Array:
        return x + _weights()[f"{name}.gamma"] * self._linear(activated, f"{node}/pw2", f"{name}.pw2.bias")

    def _linear(self, x: Array, node: str, bias: str, *, transposed: bool = True) -> Array:
        name = f"{node}/Transpose_output_0" if transposed else f"{node}_output_0"
        return _product(x, name, self.activations) + _weights()[bias]

    def _norm(self, x: Array, name: str) -> Array:
        eps = WRONG_NORM_EPS if "norm_eps" in self.faults else NORM_EPS
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(eps))
        return scaled * _weights()[f"{name}.weight"] + _weights()[f"{name}.bias"]


def make_port(faults: Collection[str] = (), activations: str = "float") -> Port:
    """Make a port with planted bugs; a misspelt one is refused."""
    return Port(checked_faults(faults, FAULTS), activations)


def _product(x: Array, name: str, activations: str) -> Array:
    """Multiply by the weights `name`, with x as it is or rounded as ONNX's DynamicQuantizeLinear rounds it."""
    weights = _weights()
    matrix, scale = weights[f"{name}_quantized"], weights[f"{name}_scale"]
    if activations == "float":
        return x @ (matrix.astype(np.float32) * scale)
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    step = (high - low) / np.float32(255)
    zero = np.clip(np.rint(-low / step), 0, 255)
    rounded = np.clip(np.rint(x / step) + zero, 0, 255) - zero
    # Whole numbers below 2**53: the sums are exact, as the package's sums of integers are.
    return (rounded.astype(np.float64) @ matrix.astype(np.float64)).astype(np.float32) * (step * scale)


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _unfold(x: Array, width: int) -> Array:
    """Return the windows of `width` frames around each frame of [B, T, C], zeros outside: [B, T, C, width]."""
    padded = np.pad(x, ((0, 0), (width // 2, width // 2), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)


def _windows(x: Array, width: int) -> Array:
    unfolded = _unfold(x, width)
    return unfolded.reshape(*unfolded.shape[:2], -1)


def _as_matrix(kernel: Array) -> Array:
    """Turn the kernel [out, in, width] of a convolution into a matrix over unfolded frames."""
    return kernel.reshape(kernel.shape[0], -1).T


@functools.cache
def _weights() -> Mapping[str, Array]:
    """Read the tensors of the package's graph: floats, and int8 matrices (``…_quantized``) with their ``…_scale``."""
    graph = onnx.load(voice_path(DEFAULT)).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
