"""Mimi as `moshi` has it, in torch: the reference."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

import mimi_weights
import torch
from mimi_codec import Array, Codec, Stages
from moshi.models import loaders

__all__ = ["TorchCodec", "load_model"]


@functools.cache
def load_model() -> Any:
    """Load the weights, once."""
    config = {**loaders._mimi_config}
    config["quantizer"] = {**config["quantizer"], "n_q": mimi_weights.CODEBOOKS}
    path = mimi_weights.checkpoint()
    return loaders.get_mimi(path, mimi_config=config, num_codebooks=mimi_weights.CODEBOOKS).requires_grad_(False)


class TorchCodec(Codec):
    """The codec in torch. All instances share the model, which keeps no state outside its streaming mode."""

    def __init__(self, codebooks: int = mimi_weights.CODEBOOKS, **bugs: bool) -> None:
        super().__init__(codebooks, **bugs)
        self.model = load_model()

    def encode(self, audio: Array) -> Array:
        """Return the codes of a whole clip."""
        return self.model.encode(torch.tensor(audio)[None, None])[0, : self.codebooks].numpy()

    def decode(self, codes: Array) -> Array:
        """Return the audio of whole codes."""
        return self.model.decode(torch.tensor(codes[: self.codebooks])[None])[0, 0].numpy()

    def streaming(self) -> AbstractContextManager[Any]:
        """Enter the model's streaming mode."""
        return self.model.streaming(batch_size=1)

    def reset(self) -> None:
        """Reset the streaming state."""
        self.model.reset_streaming()

    def encode_chunk(self, audio: Array) -> Stages:
        """Go on with a stream, as the model's `encode` does."""
        hidden = self.model.encoder(torch.tensor(audio)[None, None])
        (seen,) = self.model.encoder_transformer(hidden)
        latent = self.model.downsample(seen)
        codes = self.model.quantizer.encode(latent)[0, : self.codebooks]
        named = {"encoder": hidden, "encoder_transformer/0": seen, "downsample": latent, "codes": codes}
        return {name: value.numpy().copy() for name, value in named.items()}

    def decode_chunk(self, codes: Array) -> Stages:
        """Go on with a stream, as the model's `decode` does."""
        hidden = self.model.upsample(self.model.decode_latent(torch.tensor(codes)[None]))
        (seen,) = self.model.decoder_transformer(hidden)
        waveform = self.model.decoder(seen)[0, 0]
        named = {"upsample": hidden, "decoder_transformer/0": seen, "waveform": waveform}
        return {name: value.numpy().copy() for name, value in named.items()}
