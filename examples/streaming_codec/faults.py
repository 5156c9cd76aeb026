"""Bugs that ports of streaming codecs have had, each to be switched on by its name."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from codec import CODEBOOK_SIZE, CODEBOOKS, Codec, Decoder

Array = np.ndarray[Any, Any]

_CHUNK_FRAMES = 25  # a quarter of a second, what a server sends at once
_READ_CODEBOOKS = CODEBOOKS // 2
_OFFSET = 0.05
_QUIET = 1 / 200
_OTHER_STREAM_FRAMES = 100


class StaleState(Codec):
    """The decoder is a clone of one in the middle of another stream, and goes on from there, call after call."""

    def __init__(self) -> None:
        super().__init__()
        other = np.random.default_rng(0).integers(CODEBOOK_SIZE, size=(CODEBOOKS, _OTHER_STREAM_FRAMES))
        self._kept = super().decoder()
        self._kept.push(other)

    def decoder(self) -> Decoder:
        """Return the one decoder that there is."""
        return self._kept


class ResetPerChunk(Codec):
    """A server decodes chunk by chunk, and each chunk gets a fresh decoder."""

    def decode_stream(self, codes: Array, chunk_frames: int) -> Iterator[Array]:
        """Yield the audio of so many frames at a time."""
        for begin in range(0, codes.shape[1], chunk_frames):
            yield self.decoder().push(codes[:, begin : begin + chunk_frames])

    def decode(self, codes: Array) -> Array:
        """Decode as the server does: it has no other way."""
        return np.concatenate([*self.decode_stream(codes, _CHUNK_FRAMES), np.zeros(0, np.float32)])


class _CodesChanged(Codec):
    """The decoder reads other codes than the encoder wrote."""

    def read(self, codes: Array) -> Array:
        """Return the codes as the decoder reads them."""
        raise NotImplementedError

    def decode(self, codes: Array) -> Array:
        """Decode what was read."""
        return super().decode(self.read(codes))

    def decode_stream(self, codes: Array, chunk_frames: int) -> Iterator[Array]:
        """Decode what was read, in chunks."""
        return super().decode_stream(self.read(codes), chunk_frames)


class CodebookCount(_CodesChanged):
    """Half of the codebooks are written; the decoder takes code 0 for those that it misses."""

    def encode_stream(self, audio: Array, chunk_samples: int) -> Array:
        """Return the first half of the codes."""
        return super().encode_stream(audio, chunk_samples)[:_READ_CODEBOOKS]

    def read(self, codes: Array) -> Array:
        """Fill up with zeros."""
        return np.pad(codes, ((0, CODEBOOKS - len(codes)), (0, 0)))


class SwappedCodebooks(_CodesChanged):
    """The converter exchanged codebooks 0 and 1."""

    def read(self, codes: Array) -> Array:
        """Exchange them."""
        return codes[[1, 0, *range(2, CODEBOOKS)]]


class DelayPattern(_CodesChanged):
    """Codebook k comes k frames late, as a language model writes it, and nobody undoes that before decoding."""

    def read(self, codes: Array) -> Array:
        """Delay them."""
        late = np.zeros_like(codes)
        for book, row in enumerate(codes):
            late[book, book:] = row[: max(0, row.size - book)]
        return late


class CodesOutOfRange(_CodesChanged):
    """Codes carry the offsets of a flattened vocabulary; the decoder wraps them, so the audio is right by luck."""

    def encode_stream(self, audio: Array, chunk_samples: int) -> Array:
        """Add k times the codebook's size to codebook k."""
        return super().encode_stream(audio, chunk_samples) + CODEBOOK_SIZE * np.arange(CODEBOOKS)[:, None]

    def read(self, codes: Array) -> Array:
        """Wrap them."""
        return codes % CODEBOOK_SIZE


class MissingTanh(Codec):
    """The last activation was not ported: heard only where it is overdriven."""

    def decoder(self) -> Decoder:
        """Return a decoder without it."""
        return _Unbounded(self._weights)


class _Unbounded(Decoder):
    @staticmethod
    def bounded(samples: Array) -> Array:
        return samples


class _AudioChanged(Codec):
    def decoder(self) -> Decoder:
        """Return a decoder whose samples are changed."""
        return _Affine(self._weights, self.gain, self.offset)

    gain, offset = 1.0, 0.0


class _Affine(Decoder):
    def __init__(self, weights: dict[str, Array], gain: float, offset: float) -> None:
        super().__init__(weights)
        self._gain, self._offset = gain, offset

    def push(self, codes: Array) -> Array:
        return (super().push(codes) * self._gain + self._offset).astype(np.float32)


class DcOffset(_AudioChanged):
    """A constant was added: an RMS loss takes it for loudness."""

    offset = _OFFSET


class ScaledDown(_AudioChanged):
    """The output is 200 times too small."""

    gain = _QUIET


_FAULTS: dict[str, type[Codec]] = {
    "stale_state": StaleState,
    "reset_per_chunk": ResetPerChunk,
    "codebook_count": CodebookCount,
    "swapped_codebooks": SwappedCodebooks,
    "delay_pattern": DelayPattern,
    "codes_out_of_range": CodesOutOfRange,
    "missing_tanh": MissingTanh,
    "dc_offset": DcOffset,
    "scaled_down": ScaledDown,
}
NAMES = tuple(_FAULTS)


def faulty(name: str) -> Codec:
    """Return the codec with one fault.

    Raises
    ------
    ValueError : there is no fault of that name
    """
    if name not in _FAULTS:
        raise ValueError(f"no fault {name!r}; there are {', '.join(NAMES)}")
    return _FAULTS[name]()


def make_codec(fault: str | None) -> Codec:
    """Return the codec, with a fault where one is named."""
    return faulty(fault) if fault else Codec()
