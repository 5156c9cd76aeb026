"""The encoder for MLX: its own LSTM and Linear, one bias for the two of torch."""

from pathlib import Path

import mlx.core as mx
import numpy as np
from mel_frontend import BANDS
from mlx import nn
from voice_weights import EMBEDDING, HIDDEN, LAYERS, Weights, layer, reordered

GATES = "ifgo"  # of MLX, as of torch


class VoiceEncoder(nn.Module):
    """Takes the mel (voices, frames, BANDS), returns one embedding of length 1 per voice."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = [nn.LSTM(HIDDEN if index else BANDS, HIDDEN) for index in range(LAYERS)]
        self.linear = nn.Linear(HIDDEN, EMBEDDING)
        self.relu = nn.ReLU()

    def __call__(self, mel: mx.array) -> mx.array:
        """Encode."""
        x = mel
        for one in self.lstm:
            x, _cells = one(x)
        raw = self.relu(self.linear(x[:, -1]))
        return raw / mx.linalg.norm(raw, axis=1, keepdims=True)


def save(weights: Weights, path: Path, gates: str = GATES) -> Path:
    """Write the weights as safetensors under the names of `VoiceEncoder`, their rows of gates in the order given."""
    ported = {name: mx.array(weights[name]) for name in ("linear.weight", "linear.bias")}
    for index in range(LAYERS):
        weight_ih, weight_hh, *biases = (reordered(part, gates) for part in layer(weights, index))
        ported |= {
            f"lstm.{index}.Wx": mx.array(weight_ih),
            f"lstm.{index}.Wh": mx.array(weight_hh),
            f"lstm.{index}.bias": mx.array(biases[0] + biases[1]),
        }
    mx.save_safetensors(str(path), ported)
    return path


def array(values: np.ndarray) -> mx.array:
    """Return MLX's own array of the same values."""
    return mx.array(values)


def load(path: Path) -> VoiceEncoder:
    """Return the encoder with the weights of a file; MLX refuses a file that lacks or adds a tensor."""
    encoder = VoiceEncoder()
    encoder.load_weights(str(path))
    return encoder
