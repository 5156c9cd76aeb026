"""Mimi as `moshi-mlx` has it, in MLX.

The package's attention takes a mask, and its layers never pass one: within one call each position sees those after it,
which the reference hides. Here the mask is passed, made by the package's own function, unless `published` asks for
the package as it is.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import mimi_weights
import mlx.core as mx
import numpy as np
from mimi_codec import Array, Codec, Stages
from moshi_mlx.models.mimi import Mimi, mimi_202407
from moshi_mlx.modules.kv_cache import create_additive_causal_mask
from moshi_mlx.modules.transformer import Attention

__all__ = ["MlxCodec", "load_model"]


class _CausalAttention(Attention):
    """The package's attention with the mask that its layers leave out."""

    def __call__(self, xs: mx.array, cache: Any, mask: mx.array | None = None) -> mx.array:
        assert mask is None, "the layers pass a mask by now: this class can go"
        return super().__call__(xs, cache=cache, mask=create_additive_causal_mask(xs.shape[1], cache.offset))


@functools.lru_cache(maxsize=1)  # each is 334 MB
def load_model(published: bool) -> Mimi:
    """Load the weights into the package's model, with the mask or as published."""
    config = mimi_202407(mimi_weights.CODEBOOKS)
    model = Mimi(config)
    if not published:
        for transformer in (model.encoder_transformer, model.decoder_transformer):
            for layer in transformer.transformer.layers:
                layer.self_attn = _CausalAttention(config.transformer)
    return model.load_pytorch_weights(str(mimi_weights.checkpoint()))


class MlxCodec(Codec):
    """The codec in MLX. Instances share a model.

    Parameters
    ----------
    codebooks : how many are used
    published : run the package as it is, without the causal mask
    half_reset : start a stream with `reset_state()`, which leaves the two resamplers as they were
    """

    def __init__(
        self,
        codebooks: int = mimi_weights.CODEBOOKS,
        *,
        published: bool = False,
        half_reset: bool = False,
        **bugs: bool,
    ) -> None:
        super().__init__(codebooks, **bugs)
        self.model = load_model(published)
        self._start = self.model.reset_state if half_reset else self.model.reset_all

    def encode(self, audio: Array) -> Array:
        """Return the codes of a whole clip."""
        return np.array(self.model.encode(mx.array(audio[None, None])))[0, : self.codebooks]

    def decode(self, codes: Array) -> Array:
        """Return the audio of whole codes."""
        return np.array(self.model.decode(mx.array(codes[None, : self.codebooks])))[0, 0]

    def streaming(self) -> AbstractContextManager[Any]:
        """Forget the stream before."""
        return nullcontext(self._start())

    def reset(self) -> None:
        """Forget the stream so far."""
        self.model.reset_all()

    def encode_chunk(self, audio: Array) -> Stages:
        """Go on with a stream, as the model's `encode_step` does."""
        hidden = self.model.encoder.step(mx.array(audio[None, None]))
        (seen,) = self.model.encoder_transformer(hidden, cache=self.model.encoder_cache)
        latent = self.model.downsample.step(seen)
        codes = self.model.quantizer.encode(latent)[0, : self.codebooks]
        named = {"encoder": hidden, "encoder_transformer/0": seen, "downsample": latent, "codes": codes}
        return {name: np.array(value) for name, value in named.items()}

    def decode_chunk(self, codes: Array) -> Stages:
        """Go on with a stream, as the model's `decode_step` does."""
        hidden = self.model.upsample.step(self.model.quantizer.decode(mx.array(codes[None])))
        (seen,) = self.model.decoder_transformer(hidden, cache=self.model.decoder_cache)
        waveform = self.model.decoder.step(seen)[0, 0]
        named = {"upsample": hidden, "decoder_transformer/0": seen, "waveform": waveform}
        return {name: np.array(value) for name, value in named.items()}
