"""The table of all that is read from files that may come from elsewhere: seeds, how it is read, what may be raised.

A new reader is one line in `READERS`. What is not here: test files and models that are run (they are programs, which
their user trusts), and what our own processes send one another.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytest_audioparity.errors import AudioparityError, GoldenError, StageError, TensorFileError
from tests.audio.fuzz import KINDS
from tests.fuzz import seeds
from tests.fuzz.seeds import Seed
from tests.weights.samples import WRITERS

# Weights of a file of a few kilobytes: one that claims so much would take the machine's memory.
MOST_BYTES = 1 << 22


@dataclass(frozen=True)
class Reader:
    """One way in.

    Attributes
    ----------
    read : reads what lies in a folder, to its last byte
    seeds : write valid files into a folder
    errors : what may be raised of damage
    targets : globs of the files that are damaged
    changes : whether reading changes the folder, so that each input needs a new one
    reports : whether damage is one of the results, so that nothing is raised
    programs : what may be started meanwhile
    """

    read: Callable[[Path], object]
    seeds: tuple[Seed, ...]
    errors: tuple[type[Exception], ...] = (AudioparityError,)
    targets: tuple[str, ...] = ("**/*",)
    changes: bool = False
    reports: bool = False
    programs: tuple[str, ...] = ()


def _golden(folder: Path) -> None:
    from pytest_audioparity.golden.file import Golden

    golden = Golden(folder / "a.safetensors")
    assert len(list(golden)) == len(golden.stages)
    for stage in golden.stages:
        golden.hash_of(stage.name)


def _manifest(folder: Path) -> None:
    from pytest_audioparity.golden.manifest import open_manifest
    from pytest_audioparity.golden.shelf import Shelf

    list(open_manifest(folder / "a.manifest.json", Shelf(str(folder / "store"), folder / "cache")))


def _dump(folder: Path, name: str) -> None:
    from pytest_audioparity.adapters.dumps import load

    for stage in load(folder / name):
        assert stage.array.nbytes < MOST_BYTES, stage.meta
        stage.array.tobytes()


def _dumped(folder: Path) -> None:
    from pytest_audioparity.adapters.dumps import load_dump

    load_dump(folder / "dump")


def _weights(folder: Path, name: str) -> None:
    from pytest_audioparity.weights.dtypes import dtype_named
    from pytest_audioparity.weights.files import open_weights

    for weight in open_weights(folder / name).weights:
        assert math.prod(weight.shape) * dtype_named(weight.dtype).itemsize <= MOST_BYTES, weight
        values = weight.read()
        assert (values.shape, values.dtype.name) == (weight.shape, weight.dtype), weight


def _audio(folder: Path) -> None:
    from pytest_audioparity.audio.reading import read_audio

    read_audio(next(folder.iterdir()))


def _score(folder: Path) -> None:
    from pytest_audioparity.audio.files import score_files

    score_files(folder / "a.wav", folder / "b.wav", pesq=False)  # which is C in a process of its own


def _cached(folder: Path) -> None:
    from pytest_audioparity.audio.stored import read_stored

    if read_stored("key", seeds.hashed((folder / "a.score").read_bytes())) is None:
        raise StageError("no score")


def _transcripts(folder: Path) -> None:
    from pytest_audioparity.cli.words import read_transcripts

    read_transcripts(folder / "a.tsv")


def _options(folder: Path) -> None:
    from pytest_audioparity.project import find_project, read_layout

    read_layout(folder)
    find_project(folder, root=str(folder))


def command(folder: Path, *words: str) -> None:
    """Run a command on the project of a folder; wrong use is raised as the error that it is."""
    from pytest_audioparity.cli import main

    out, error = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(error):
        status = main([*words, *(() if words[0] == "inspect" else ("--root", str(folder)))])
    told, problem = (stream.buffer.getvalue().decode() for stream in (out, error))  # type: ignore[attr-defined]
    assert status in (0, 1, 2), status
    assert "Traceback" not in told + problem
    if status == 2:
        assert len(problem.splitlines()) == 1, problem
        raise AudioparityError(problem.rstrip("\n"))


def _on_project(*words: str, targets: tuple[str, ...], changes: bool = False, reports: bool = False) -> Reader:
    def read(folder: Path) -> None:
        command(folder, *(str(folder / word[1:]) if word.startswith("@") else word for word in words))

    return Reader(read, (seeds.project,), (AudioparityError,), targets, changes, reports, programs=("git",))


def _inspect(folder: Path) -> None:
    for more in ((), ("--json",)):
        command(folder, "inspect", str(folder / "a.safetensors"), *more)


_RUN, _PENDING, _GOLDENS = ".audioparity/run.json", ".audioparity/pending/**/*.safetensors", "golden/**/*.safetensors"
_JOBS = tuple(f"jobs/*/{glob}" for glob in (_RUN, _PENDING))
_DUMPS = (TensorFileError, StageError)
_INI = (
    seeds.ini,
    partial(seeds.ini, name="pytest.ini", header="[pytest]"),
    partial(seeds.ini, name="setup.cfg", header="[tool:pytest]"),
    partial(seeds.ini, name="pytest.toml", header="[pytest]"),
)
_SOUNDS = tuple(
    seeds.audio(form, subtype, f"a.{suffix}")
    for form, subtype, suffix in (
        ("WAV", "PCM_16", "wav"),
        ("WAV", "FLOAT", "wav"),
        ("WAV", "IMA_ADPCM", "wav"),
        ("FLAC", "PCM_16", "flac"),
        ("OGG", "VORBIS", "ogg"),
        ("OGG", "OPUS", "opus"),
        ("MP3", "MPEG_LAYER_III", "mp3"),
        ("AIFF", "PCM_16", "aiff"),
        ("W64", "PCM_16", "w64"),
        ("RF64", "PCM_24", "rf64"),
        ("CAF", "PCM_16", "caf"),
        ("AU", "ULAW", "au"),
    )
)


def _dump_of(name: str, *writers: Seed) -> Reader:
    return Reader(partial(_dump, name=name), writers, _DUMPS)


def _weights_of(name: str, *writers: Seed) -> Reader:
    return Reader(partial(_weights, name=name), writers, (TensorFileError,))


READERS: dict[str, Reader] = {
    "golden": Reader(_golden, (seeds.golden, seeds.plain), (GoldenError,)),
    "manifest": Reader(_manifest, (seeds.manifest,), (GoldenError,)),
    "inspect": Reader(_inspect, (seeds.golden,)),
    "dump.safetensors": _dump_of("a.safetensors", seeds.golden, seeds.plain),
    "dump.npy": _dump_of("a.npy", seeds.npy, seeds.fortran_npy),
    "dump.npz": _dump_of("a.npz", seeds.npz, seeds.packed_npz),
    "dump.f32": _dump_of("a.f32", seeds.raw),
    "dump.wav": _dump_of(
        "a.wav",
        seeds.audio("WAV", "PCM_16", "a.wav"),
        seeds.audio("WAV", "DOUBLE", "a.wav", 2),
        seeds.audio("WAVEX", "PCM_24", "a.wav"),
        seeds.audio("RF64", "FLOAT", "a.wav"),
    ),
    "dump.flac": _dump_of(
        "a.flac", seeds.audio("FLAC", "PCM_16", "a.flac"), seeds.audio("FLAC", "PCM_24", "a.flac", 2)
    ),
    "dump folder": Reader(partial(_dump, name="."), (seeds.dumped,), _DUMPS),
    "dump of a program": Reader(_dumped, (seeds.unnamed,), _DUMPS),
    **{f"weights {name}": _weights_of(name, seeds.weights(name)) for name in WRITERS},
    "weights outside": _weights_of("a.onnx", seeds.outside_onnx),
    "weights index": _weights_of("model.safetensors.index.json", seeds.sharded),
    "weights mlx": _weights_of("a.safetensors", seeds.mlx),
    "score": Reader(_score, tuple(map(seeds.pair, KINDS)), (StageError,)),
    "audio": Reader(_audio, _SOUNDS, (StageError,)),
    "score cache": Reader(_cached, (seeds.score,), (StageError,)),
    "transcripts": Reader(_transcripts, (seeds.transcripts,), (StageError,)),
    "options": Reader(_options, _INI),
    "run report": _on_project("run", "report", targets=(_RUN, _PENDING, _GOLDENS)),
    "run recheck": _on_project("run", "recheck", "--tol-db", "0.1", targets=(_RUN,)),
    "run merge": _on_project("run", "merge", "@jobs", "--into", "@merged", targets=_JOBS, reports=True),
    "golden pending": _on_project("golden", "pending", "--json", targets=(_PENDING, _GOLDENS), reports=True),
    "golden show": _on_project("golden", "show", targets=(_PENDING, _GOLDENS), reports=True),
    "golden accept": _on_project("golden", "accept", "--yes", targets=(_PENDING, _GOLDENS), changes=True, reports=True),
    "golden prune": _on_project("golden", "prune", "--yes", targets=(_RUN, _PENDING), changes=True),
    "golden export": _on_project(
        "golden", "export", "tests/test_m/*", "--format", "f32", "--out", "@exported", targets=(_GOLDENS,), changes=True
    ),
}
