"""The reference: Resemblyzer's encoder in torch, its three layers apart so that each can be looked at."""

import numpy as np
import torch
from mel_frontend import BANDS, HOP, WINDOW, filters, hann
from torch import Tensor, nn
from voice_weights import EMBEDDING, HIDDEN, LAYERS, Weights


class VoiceEncoder(nn.Module):
    """Takes the mel (voices, frames, BANDS), returns one embedding of length 1 per voice."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [BANDS, *[HIDDEN] * (LAYERS - 1)]
        self.lstm = nn.ModuleList(nn.LSTM(size, HIDDEN, batch_first=True) for size in sizes)
        self.linear = nn.Linear(HIDDEN, EMBEDDING)
        self.relu = nn.ReLU()

    def forward(self, mel: Tensor) -> Tensor:
        """Encode."""
        x = mel
        for one in self.lstm:
            x, _states = one(x)
        raw = self.relu(self.linear(x[:, -1]))
        return raw / torch.linalg.vector_norm(raw, dim=1, keepdim=True)


def load(weights: Weights) -> VoiceEncoder:
    """Return the encoder with these weights, all of them."""
    encoder = VoiceEncoder().eval()
    state = {_module_name(name): torch.from_numpy(np.array(value)) for name, value in weights.items()}
    encoder.load_state_dict(state, strict=True)
    return encoder


def _module_name(name: str) -> str:
    """Return ``lstm.2.bias_ih_l0`` for ``lstm.bias_ih_l2``: each layer is a module of its own here."""
    module, _, part = name.partition(".")
    if module != "lstm":
        return name
    kind, index = part.rsplit("_l", 1)
    return f"lstm.{index}.{kind}_l0"


def mel_power(waveform: np.ndarray) -> Tensor:
    """Return the power in each band, (voices, frames, BANDS), by torch's own STFT."""
    samples, window, bank = (torch.from_numpy(side).float() for side in (waveform, hann(), filters()))
    spectrum = torch.stft(samples, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
    return torch.einsum("mf,bft->btm", bank, spectrum.abs() ** 2)
