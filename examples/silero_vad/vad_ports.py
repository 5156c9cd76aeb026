"""Two ports of silero-vad, to numpy [B, C, T] and to MLX [B, T, C], and where their weights come from.

Each step takes a whole clip, joined along T, and computes it as the stream does: convolutions see the frames of one
chunk at a time, the LSTM goes from chunk to chunk.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import silero_onnx
from onnx import numpy_helper
from safetensors.numpy import load_file

Array = np.ndarray[Any, np.dtype[Any]]

STRIDES = (1, 2, 2, 1)
HOP = 128

#: Bugs to switch on with VAD_FAULT. The last two load a file of the package that is not the model of its name.
FAULTS = ("state_reset", "context_missing", "gate_order", "half", "safetensors")
_FILES = {"half": silero_onnx.HALF, "safetensors": silero_onnx.SAFETENSORS}

# The names of the .safetensors file, by those of the ONNX files.
_RENAMED = {
    "stft.forward_basis_buffer": "stft_conv.weight",
    **{f"encoder.{i}.reparam_conv.{part}": f"conv{i + 1}.{part}" for i in range(4) for part in ("weight", "bias")},
    **{f"decoder.rnn.{part}": f"lstm_cell.{part}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")},
    **{f"decoder.decoder.2.{part}": f"final_conv.{part}" for part in ("weight", "bias")},
}


def switched_on() -> frozenset[str]:
    """Return the bugs that VAD_FAULT names; a misspelt one is refused, as it would pass for no reason."""
    named = frozenset(filter(None, os.environ.get("VAD_FAULT", "").split(",")))
    for name in named - set(FAULTS):
        nearest = difflib.get_close_matches(name, FAULTS, n=1, cutoff=0.0)[0]
        raise ValueError(f"unknown fault {name!r}; the nearest is {nearest!r}")
    return named


def weights_file(faults: Collection[str] = ()) -> Path:
    """Return the file that the ports take their weights from."""
    return silero_onnx.data(next((_FILES[fault] for fault in faults if fault in _FILES), silero_onnx.REFERENCE))


def weights(faults: Collection[str] = ()) -> dict[str, Array]:
    """Read the weights by the names of the ONNX files."""
    path = weights_file(faults)
    if path.suffix == ".safetensors":
        held = load_file(path)
        return {ours: held[theirs] for ours, theirs in _RENAMED.items()}
    tensors = onnx.load(path).graph.initializer
    held = {tensor.name.removeprefix("model."): numpy_helper.to_array(tensor) for tensor in tensors}
    return {name: held[name] for name in _RENAMED}


def audio_chunks(audio: Array, faults: Collection[str] = ()) -> Array:
    """Cut audio into chunks with their context, and the 64 samples after, mirrored: [chunks, 64 + 512 + 64]."""
    chunks = np.array(silero_onnx.chunks(audio))
    if "context_missing" in faults:
        chunks[:, : silero_onnx.CONTEXT_SAMPLES] = 0
    return np.pad(chunks, ((0, 0), (0, silero_onnx.CONTEXT_SAMPLES)), mode="reflect")


@dataclass(frozen=True)
class NumpyVad:
    """The port to numpy; tensors are [B, C, T]."""

    weights: Mapping[str, Array]
    faults: Collection[str] = ()

    def stft_magnitude(self, audio: Array) -> Array:
        """Analyse audio [T]: 129 bins, four frames a chunk."""
        basis = self.weights["stft.forward_basis_buffer"]
        frames = np.lib.stride_tricks.sliding_window_view(audio_chunks(audio, self.faults), basis.shape[2], axis=1)
        real, imaginary = np.split(frames[:, ::HOP] @ basis[:, 0].T, 2, axis=2)
        return _joined(np.sqrt(real**2 + imaginary**2).swapaxes(1, 2))

    def layer(self, x: Array, index: int) -> Array:
        """Run one convolution of width 3 over the frames of each chunk, and ReLU."""
        kernel = self.weights[f"encoder.{index}.reparam_conv.weight"]
        frames_per_chunk = (4, 4, 2, 1)[index]
        padded = np.pad(_split(x, frames_per_chunk), ((0, 0), (0, 0), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=2)[:, :, :: STRIDES[index]]
        out = np.einsum("bctk,ock->bot", windows, kernel, optimize=True)
        return _joined(np.maximum(out + self.weights[f"encoder.{index}.reparam_conv.bias"][:, np.newaxis], 0))

    def lstm(self, x: Array, which: int) -> Array:
        """Run the LSTM over chunks and return its hidden (0) or its cell (1) states."""
        w = {name: self.weights[f"decoder.rnn.{name}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        state, states = np.zeros((2, 128), np.float32), []
        for frame in x[0].T:
            if "state_reset" in self.faults:
                state = np.zeros_like(state)
            gates = w["weight_ih"] @ frame + w["bias_ih"] + w["weight_hh"] @ state[0] + w["bias_hh"]
            i, f, g, o = np.split(gates, 4)
            if "gate_order" in self.faults:  # read as ONNX orders them: input, output, forget, cell
                i, o, f, g = i, f, g, o
            cell = _sigmoid(f) * state[1] + _sigmoid(i) * np.tanh(g)
            state = np.stack([_sigmoid(o) * np.tanh(cell), cell])
            states.append(state[which])
        return np.stack(states, axis=-1)[np.newaxis]

    def speech_logit(self, hidden: Array) -> Array:
        """Project what ReLU leaves of the hidden states: [B, 1, T]."""
        weight, bias = (self.weights[f"decoder.decoder.2.{part}"] for part in ("weight", "bias"))
        return weight[:, :, 0] @ np.maximum(hidden, 0) + bias

    def probability(self, logit: Array) -> Array:
        """Turn logits into the probability of speech: [B, T]."""
        return _sigmoid(logit)[:, 0]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _joined(chunks: Array) -> Array:
    """Join [chunks, C, frames] along T: [1, C, T]."""
    return chunks.swapaxes(0, 1).reshape(1, chunks.shape[1], -1)


def _split(x: Array, frames: int) -> Array:
    return x.reshape(x.shape[1], -1, frames).swapaxes(0, 1)


@dataclass(frozen=True)
class MlxVad:
    """The port to MLX; tensors are [B, T, C], as its convolutions want them, and a chunk is a row of a batch."""

    weights: Mapping[str, Any]
    faults: Collection[str] = ()

    def stft_magnitude(self, audio: Array) -> Any:
        """Analyse audio [T]: 129 bins, four frames a chunk."""
        import mlx.core as mx

        basis = self.weights["stft.forward_basis_buffer"]
        chunks = mx.array(audio_chunks(audio, self.faults)).astype(basis.dtype)
        real, imaginary = mx.split(mx.conv1d(chunks[..., None], basis.swapaxes(1, 2), stride=HOP), 2, axis=2)
        return mx.sqrt(real**2 + imaginary**2).reshape(1, -1, real.shape[2])

    def layer(self, x: Any, index: int) -> Any:
        """Run one convolution of width 3 over the frames of each chunk, and ReLU."""
        import mlx.core as mx

        kernel, bias = (self.weights[f"encoder.{index}.reparam_conv.{part}"] for part in ("weight", "bias"))
        chunks = x.reshape(-1, (4, 4, 2, 1)[index], x.shape[2])
        out = mx.conv1d(chunks, kernel.swapaxes(1, 2), stride=STRIDES[index], padding=1) + bias
        return mx.maximum(out, 0).reshape(1, -1, out.shape[2])

    def lstm(self, x: Any, which: int) -> Any:
        """Run the LSTM over chunks and return its hidden (0) or its cell (1) states."""
        import mlx.core as mx
        import mlx.nn as nn

        names = {"weight_ih": "Wx", "weight_hh": "Wh"}
        cell = nn.LSTM(128, 128)  # one bias, torch's order of gates
        for ours, its in names.items():
            setattr(cell, its, self.weights[f"decoder.rnn.{ours}"])
        cell.bias = self.weights["decoder.rnn.bias_ih"] + self.weights["decoder.rnn.bias_hh"]
        if "state_reset" in self.faults:
            return mx.concatenate([cell(x[:, t : t + 1])[which] for t in range(x.shape[1])], axis=1)
        return cell(x)[which]

    def speech_logit(self, hidden: Any) -> Any:
        """Project what ReLU leaves of the hidden states: [B, T, 1]."""
        import mlx.core as mx

        weight, bias = (self.weights[f"decoder.decoder.2.{part}"] for part in ("weight", "bias"))
        return mx.maximum(hidden, 0) @ weight[:, :, 0].T + bias

    def probability(self, logit: Any) -> Any:
        """Turn logits into the probability of speech: [B, T]."""
        import mlx.core as mx

        return mx.sigmoid(logit)[..., 0]
