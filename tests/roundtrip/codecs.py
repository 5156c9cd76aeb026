"""Real codecs as pairs of encode and decode: audio of shape (time,) to bytes and back."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import lameenc
import lc3
import numpy as np
import soundfile

Array = np.ndarray[Any, Any]
Pair = tuple[Callable[[Array], Any], Callable[[Any], Array]]
_FRAME_US = 10_000


def of_soundfile(container: str, subtype: str, rate: int, **more: Any) -> Pair:
    """Opus, Vorbis, FLAC and what else libsndfile has."""

    def encode(audio: Array) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, audio, rate, format=container, subtype=subtype, **more)
        return file.getvalue()

    return encode, lambda data: soundfile.read(io.BytesIO(data), dtype="float32")[0]


def mp3(rate: int, kbps: int) -> Pair:
    """MP3 as a bare stream, as broadcasts send it: without the header that tells a player of the encoder's delay."""

    def encode(audio: Array) -> bytes:
        encoder = lameenc.Encoder()
        encoder.set_bit_rate(kbps)
        encoder.set_in_sample_rate(rate)
        encoder.set_out_sample_rate(rate)
        encoder.set_channels(1)
        encoder.silence()
        data = bytes(encoder.encode((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes()) + encoder.flush())
        return data[_info_size(data) :]

    def decode(data: bytes) -> Array:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            return np.concatenate(list(_blocks(file)))

    return encode, decode


def _blocks(file: soundfile.SoundFile) -> Any:
    # A stream without a header has no length.
    while (block := file.read(4096, dtype="float32")).size:
        yield block


def _info_size(data: bytes) -> int:
    """Return the size of the first frame if that is LAME's own description of the stream."""
    if not any(tag in data[:200] for tag in (b"Xing", b"Info")):
        return 0
    return data.index(data[:2], 4)


def of_lc3(rate: int, frame_bytes: int) -> Pair:
    """LC3, the codec of Bluetooth LE: frames of 10 ms, delayed by 2.5 ms."""
    size = rate * _FRAME_US // 1_000_000

    def encode(audio: Array) -> list[bytes]:
        encoder = lc3.Encoder(_FRAME_US, rate)
        padded = np.append(audio, np.zeros(-audio.size % size)).astype(np.float32).reshape(-1, size)
        return [encoder.encode(frame.tolist(), frame_bytes) for frame in padded]

    def decode(frames: list[bytes]) -> Array:
        decoder = lc3.Decoder(_FRAME_US, rate)
        return np.concatenate([np.asarray(decoder.decode(frame), np.float32) for frame in frames])

    return encode, decode


def codec2(bits: int) -> Pair:
    """Codec2: parametric, 8 kHz, does not keep the phase."""

    def frames(audio: Array, size: int) -> Array:
        return (np.append(audio, np.zeros(-audio.size % size)) * 32767).astype(np.int16).reshape(-1, size)

    def encode(audio: Array) -> list[bytes]:
        import pycodec2

        codec = pycodec2.Codec2(bits)
        return [codec.encode(frame) for frame in frames(audio, codec.samples_per_frame())]

    def decode(data: list[bytes]) -> Array:
        import pycodec2

        codec = pycodec2.Codec2(bits)
        return np.concatenate([codec.decode(frame) for frame in data])

    return encode, decode
