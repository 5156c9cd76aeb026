"""Stage tensors from audio files, sample by sample as they are stored: nothing is resampled, mixed or rounded.

Integers become floats with the full scale at 1, which is exact: float32 has the 24 bits of its significand, and 32-bit
integers become float64. What a lossy coder made is no tensor to compare: each decoder returns another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from pytest_audioparity.adapters.arrays import first_line
from pytest_audioparity.adapters.opening import opened, refusal
from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.records import StageMeta, StageTensor

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]

SUFFIXES = (".wav", ".flac")
# Of others, libsndfile does not tell whether they were cut off.
_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC")
# How libsndfile calls what is stored without loss, and the smallest float that holds every value of it.
_DTYPES = {
    "PCM_S8": "float32",
    "PCM_U8": "float32",
    "PCM_16": "float32",
    "PCM_24": "float32",
    "PCM_32": "float64",
    "ULAW": "float32",  # 14 bits
    "ALAW": "float32",  # 13 bits
    "FLOAT": "float32",
    "DOUBLE": "float64",
}
# A WAV file that was written into a pipe could not be told its length. Instead it has the most that fits its header or
# nearly that, with or without a sign: ffmpeg 0xFFFFFFFF, sox 0x7FFFF000.
_LEAST_UNKNOWN = 0x7FFFF000
# What a second of sound takes in memory, over what it takes in its file: 2 for PCM of 16 bits, 200 for what is made for
# telephones. Silence may take less in the file, a block of FLAC of 65 535 samples 14 bytes; that is read in pieces.
_USUAL_GROWTH = 1000
_MOST_GROWTH = 1 << 16
_BLOCK_SAMPLES = 1 << 18
_LEAST_ROOM = 1 << 26
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"RIFX": "big"}


def read_audio_file(path: Path, name: str) -> list[StageTensor]:
    """Read an audio file as one waveform of that name: axes ``T``, of several channels ``TC``.

    Raises
    ------
    TensorFileError : missing, damaged, truncated, no audio, or stored with loss
    """
    import soundfile

    with opened(path) as file:
        _check_length(path, file)
        try:
            with soundfile.SoundFile(Seekable(file)) as audio:
                dtype = _dtype(path, audio)
                samples = read_samples(audio, dtype, path.stat().st_size)
                rate, frames = audio.samplerate, audio.frames
        except (OSError, ValueError, soundfile.SoundFileError) as error:
            if isinstance(error, TensorFileError):
                raise
            raise refusal(path, f"cannot be read as audio: {reason(error)}") from None
    if len(samples) != frames:
        raise refusal(path, f"is truncated: {len(samples)} samples of {frames}")
    axes = "T" if samples.ndim == 1 else "TC"
    return [StageTensor(StageMeta(name, "waveform", axes, sample_rate=rate), samples)]


class Seekable:
    """A file as libsndfile is given it: a damaged header leads anywhere, and an error would end on the terminal."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, or stay where that cannot be."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return self._file.tell()


def read_samples(audio: Any, dtype: str, size_bytes: int) -> Array:
    """Return all samples of an open sound file of that size; there may be fewer than its header claims.

    Raises
    ------
    ValueError : it goes on for longer than any file of its size
    """
    import numpy as np

    item_bytes = audio.channels * np.dtype(dtype).itemsize
    if audio.frames * item_bytes <= size_bytes * _USUAL_GROWTH:
        # All are asked for by their number: some codecs cannot seek (GSM 6.10), and are not asked how many are left.
        samples: Array = audio.read(audio.frames, dtype=dtype)
        return samples
    blocks: list[Array] = []  # a header may claim anything: room is made as samples come
    while len(block := audio.read(_BLOCK_SAMPLES, dtype=dtype)):
        blocks.append(block)
        if len(blocks) * _BLOCK_SAMPLES * item_bytes > size_bytes * _MOST_GROWTH + _LEAST_ROOM:
            raise ValueError(f"it holds more than {len(blocks) * _BLOCK_SAMPLES} samples in {size_bytes} bytes")
    return np.concatenate(blocks) if blocks else audio.read(0, dtype=dtype)


def _dtype(path: Path, audio: Any) -> str:
    if audio.format not in _FORMATS:
        raise TensorFileError(f"{path} holds {audio.format_info}; write a WAV or FLAC file")
    if audio.subtype not in _DTYPES:
        raise TensorFileError(f"{path} holds {audio.subtype_info}, which loses values; write PCM or float samples")
    return _DTYPES[audio.subtype]


def _check_length(path: Path, file: BinaryIO) -> None:
    """Refuse a WAV file that is shorter than it says, of which the library would read what is there."""
    start, size = file.read(36), file.seek(0, 2)
    needed: int | None = 0
    if start[:4] == b"RF64" and start[12:16] == b"ds64":
        whole, samples = (int.from_bytes(start[place : place + 8], "little") for place in (20, 28))
        needed = None if samples == 0 and size > 8 + whole else max(8 + whole, samples)
    elif start[:4] in _ORDERS:
        needed = _needed(file, _ORDERS[start[:4]], size)
    file.seek(0)
    if needed is None:
        raise refusal(path, "has a header that was not completed")
    if needed > size:
        raise refusal(path, f"is truncated: {size} bytes of {needed}")


def _needed(file: BinaryIO, order: Literal["little", "big"], size: int) -> int | None:
    """Return the size that a WAV file says it has, by its header or by that of its samples if that is more.

    None is returned where a program has not come to fill in the lengths with which it began: that of the whole is
    nothing, or that of the samples, and the file goes on behind its end.
    """

    def number() -> int:
        return int.from_bytes(file.read(4), order)

    file.seek(4)
    stated = number()
    if size >= 8 and stated == 0:
        return None
    needed = 8 if stated >= _LEAST_UNKNOWN else 8 + stated
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = file.read(4), number()
        if name == b"data":
            if length == 0 and size > max(needed, position + 8):
                return None
            return max(needed, position + 8 + (0 if length >= _LEAST_UNKNOWN else length))
        position += 8 + length + length % 2  # chunks begin at even places
    return needed


def reason(error: Exception) -> str:
    """Return what the library says, without the object that it read from."""
    said = first_line(error)
    return said.partition(">: ")[2] or said
