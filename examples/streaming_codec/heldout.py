"""Score the codec on speech that it was not trained on: `python heldout.py [--fault NAME] [FOLDER...]`.

The speech of this repository's tests is the default; any folder of .wav files will do.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from codec import SAMPLE_RATE
from faults import NAMES, make_codec

from pytest_audioparity import Score, score

SPEECH = Path(__file__).parents[2] / "tests" / "data" / "speech"


def clips(*folders: Path) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yield the name and the samples, float32 at 16 kHz, of every .wav file."""
    for path in sorted(path for folder in folders or (SPEECH,) for path in folder.glob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        yield path.stem, samples if rate == SAMPLE_RATE else soxr.resample(samples, rate, SAMPLE_RATE)


def round_trip(codec: Any, audio: np.ndarray[Any, Any], *, pesq: bool = True) -> Score:
    """Encode, decode and score; the last frame's zeros are cut off again."""
    decoded = codec.decode(codec.encode(audio))[: audio.size]
    return score(audio, decoded, sample_rate=SAMPLE_RATE, pesq=pesq)


def line(name: str, result: Score) -> str:
    """Return one line of the table."""
    names = ("stoi", "estoi", "pesq_wb", "level_db", "dc_offset")
    values = (getattr(result, name) for name in names)
    numbers = "  ".join("   --" if value is None else f"{value:6.3f}" for value in values)
    return f"{name[:40]:40}  {numbers}  {result.verdict}"


def report(codec: Any, *folders: Path) -> None:
    """Print the table."""
    print(f"{'clip':40}    stoi   estoi  pesq_wb  level_db   dc  verdict")
    for name, audio in clips(*folders):
        print(line(name, round_trip(codec, audio)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--fault", choices=NAMES, default=os.environ.get("CODEC_FAULT"))
    chosen = parser.parse_args()
    report(make_codec(chosen.fault), *chosen.folders)
