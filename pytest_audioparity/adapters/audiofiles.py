"""Stage tensors from audio files, sample by sample as they are stored: nothing is resampled, mixed or rounded.

Integers become floats with the full scale at 1, which is exact: float32 has the 24 bits of its significand, and 32-bit
integers become float64. What a lossy coder made is no tensor to compare: each decoder returns another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from pytest_audioparity.adapters.arrays import first_line
from pytest_audioparity.adapters.opening import opened, refusal
from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.records import StageMeta, StageTensor

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".wav", ".flac", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64")
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
# A WAV file that was written into a pipe could not be told its length.
_UNKNOWN_LENGTH = 0xFFFFFFFF


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
            with soundfile.SoundFile(file) as audio:
                dtype = _DTYPES.get(audio.subtype)
                if dtype is None:
                    said = f"{path} holds {audio.subtype_info}, which loses values; write PCM or float samples"
                    raise TensorFileError(said)
                samples = audio.read(dtype=dtype)
                rate, frames = audio.samplerate, audio.frames
        except (OSError, ValueError, soundfile.SoundFileError) as error:
            if isinstance(error, TensorFileError):
                raise
            raise refusal(path, f"cannot be read as audio: {_reason(error)}") from None
    if len(samples) != frames:
        raise refusal(path, f"is truncated: {len(samples)} samples of {frames}")
    axes = "T" if samples.ndim == 1 else "TC"
    return [StageTensor(StageMeta(name, "waveform", axes, sample_rate=rate), samples)]


def _check_length(path: Path, file: BinaryIO) -> None:
    """Refuse a WAV file that is shorter than it says, of which the library would read what is there."""
    start = file.read(12)
    size = file.seek(0, 2)
    file.seek(0)
    order: dict[bytes, str] = {b"RIFF": "little", b"RIFX": "big"}
    if (sign := order.get(start[:4])) is None or len(start) < 12:
        return
    stated = int.from_bytes(start[4:8], "big" if sign == "big" else "little")
    if stated != _UNKNOWN_LENGTH and stated + 8 > size:
        raise refusal(path, f"is truncated: {size} bytes of {stated + 8}")


def _reason(error: Exception) -> str:
    """Return what the library says, without the object that it read from."""
    said = first_line(error)
    return said.partition(">: ")[2] or said
