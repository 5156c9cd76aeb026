"""Valid files of every kind that is read, each written into an empty folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import soundfile
from onnx import numpy_helper

from pytest_audioparity.adapters.exports import write_raw_folder
from pytest_audioparity.adapters.rawfiles import SIDECAR
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.golden.shelf import Shelf, save_golden
from pytest_audioparity.records import StageMeta, StageTensor
from pytest_audioparity.tensorfile import write_tensors
from tests.audio.fuzz import KINDS
from tests.audio.verdicts import SPEECH
from tests.weights.samples import WRITERS

Seed = Callable[[Path], object]
MEL = np.linspace(-11, 2, 24, dtype="float32").reshape(1, 4, 6)
STAGES = [
    StageTensor(StageMeta("mel", "log_spectrum", "BCT", "ln", None, 86.13), MEL),
    StageTensor(StageMeta("codes", "codes", "CT"), np.arange(12).reshape(2, 6)),
    StageTensor(StageMeta("wave", "waveform", "T", None, 24000), np.sin(np.arange(50.0, dtype="float32"))),
    StageTensor(StageMeta("ode/0"), np.array([1, 2.5], ml_dtypes.bfloat16)),
    StageTensor(StageMeta("mask"), np.array([True, False])),
]
COMPLEX = StageTensor(StageMeta("z"), np.array([1 + 2j, 3], "complex128"))
SETTINGS = {"temperature": 0.9, "solver": {"steps": [1, 2]}}
RATE = 8000


def golden(folder: Path) -> None:
    """Write a golden with every kind of stage."""
    stages = [*STAGES, COMPLEX]
    write_golden(folder / "a.safetensors", stages, settings=SETTINGS, provenance={"test": "t", "python": "3"})


def plain(folder: Path) -> None:
    """Write tensors without a word about them, as another program does."""
    with (folder / "a.safetensors").open("wb") as file:
        write_tensors(file, [("a", MEL), ("b", np.arange(3))], {})


def manifest(folder: Path) -> None:
    """Write a golden whose tensors lie in a store; small ones, so that the manifest is hit most of the time."""
    shelf = Shelf(str(folder / "store"), folder / "store")
    save_golden(folder / "a.safetensors", [*STAGES, COMPLEX], settings=SETTINGS, provenance={}, shelf=shelf, since=None)


def npy(folder: Path) -> None:
    """Write one array."""
    np.save(folder / "a.npy", MEL)


def fortran_npy(folder: Path) -> None:
    """Write an array in another order, of another type."""
    np.save(folder / "a.npy", np.asfortranarray(MEL[0].astype(">f8")))


def npz(folder: Path) -> None:
    """Write arrays that are stored."""
    np.savez(folder / "a.npz", mel=MEL, codes=np.arange(4))


def packed_npz(folder: Path) -> None:
    """Write arrays that are compressed."""
    np.savez_compressed(folder / "a.npz", mel=MEL, ode=np.zeros(5))


def raw(folder: Path) -> None:
    """Write raw numbers with all that may be said of them."""
    np.arange(24, dtype=">f4").tofile(folder / "a.f32")
    said = {"shape": [2, 3, 2], "strides": [12, 1, 4], "offset": 0, "byte_order": "big", "dtype": "f32", "name": "mel"}
    said |= {"kind": "log_spectrum", "axes": "BCT", "unit": "ln", "frame_rate": 86.1}
    (folder / f"a.f32{SIDECAR}").write_text(json.dumps(said))


def dumped(folder: Path) -> None:
    """Write files of several formats, as a program leaves them."""
    write_raw_folder(folder, STAGES[:3])
    np.save(folder / "x.npy", MEL)
    audio("WAV", "PCM_16", "y.wav")(folder)


def unnamed(folder: Path) -> None:
    """Write what is told by its content alone."""
    np.savez(folder / "a.npz", mel=MEL)
    (folder / "a.npz").rename(folder / "dump")


def audio(form: str, subtype: str, name: str, channels: int = 1) -> Seed:
    """Return what writes a sound."""

    def write(folder: Path) -> None:
        samples = np.sin(np.arange(400 * channels) * 0.3).reshape(-1, channels) * 0.5
        soundfile.write(folder / name, samples, RATE, format=form, subtype=subtype)

    return write


def pair(kind: str) -> Seed:
    """Return what writes two sounds, one of them of a kind of `tests.audio.fuzz`."""

    def write(folder: Path) -> None:
        speech = soundfile.read(SPEECH / "librivox_sense_and_sensibility_0930.wav", frames=6000)[0]
        other = np.asarray(KINDS[kind](speech, np.random.default_rng(1))).reshape(-1)
        other = other if other.dtype.kind == "i" else other.astype("float32")
        for name, samples in (("a.wav", speech), ("b.wav", other.astype(other.dtype.newbyteorder("=")))):
            soundfile.write(folder / name, samples, RATE, subtype="FLOAT")

    return write


def weights(name: str) -> Seed:
    """Return what writes a file of `tests.weights.samples`."""
    return lambda folder: WRITERS[name](folder / name)


def outside_onnx(folder: Path) -> None:
    """Write a model whose weights lie in a file beside it."""
    WRITERS["a.onnx"](folder / "a.onnx")
    model = onnx.load(folder / "a.onnx")
    model.graph.initializer.append(numpy_helper.from_array(MEL, "outside"))
    onnx.save(model, folder / "a.onnx", save_as_external_data=True, location="b.bin", size_threshold=8)


def sharded(folder: Path) -> None:
    """Write two files of tensors, and the index that names them."""
    places = {}
    for shard, name in (("s1.safetensors", "a"), ("s2.safetensors", "b")):
        with (folder / shard).open("wb") as file:
            write_tensors(file, [(name, MEL)], {})
        places[name] = shard
    index = {"metadata": {"total_size": 192}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def mlx(folder: Path) -> None:
    """Write a layer as MLX quantises it, and what says how."""
    layer = {
        "l.weight": np.arange(32, dtype="uint32").reshape(4, 8),
        "l.scales": np.ones((4, 1), "float16"),
        "l.biases": np.zeros((4, 1), "float16"),
    }
    with (folder / "a.safetensors").open("wb") as file:
        write_tensors(file, list(layer.items()), {})
    (folder / "config.json").write_text(json.dumps({"quantization": {"bits": 4, "group_size": 64}}))


def score(folder: Path) -> None:
    """Write a score as the cache keeps it, without the hash that stands before it."""
    from pytest_audioparity import score
    from pytest_audioparity.audio.stored import stored_text

    wave = np.sin(np.arange(8000) * 0.1)
    text = stored_text("key", score(wave, wave * 0.5, sample_rate=RATE, pesq=False))
    assert text is not None
    (folder / "a.score").write_bytes(text.partition(b"\n")[2])


def hashed(text: bytes) -> bytes:
    """Return an entry of the cache with its hash."""
    return content_hash(memoryview(text)).encode() + b"\n" + text


def transcripts(folder: Path) -> None:
    """Write what clips say."""
    (folder / "a.tsv").write_text("clip/1\thello world\n\nclip/2\tn\u00e4chste Woche\n", encoding="utf-8")


def ini(folder: Path, name: str = "pyproject.toml", header: str = "[tool.pytest.ini_options]") -> None:
    """Write the options of a project."""
    quote = '"' if name.endswith(".toml") else ""
    lines = [
        header,
        f"audioparity_golden_dir = {quote}golden{quote}",
        f"audioparity_golden_store = {quote}store{quote}",
    ]
    lines += [f"testpaths = {quote}tests more{quote}", f"python_files = {quote}test_*.py{quote}"]
    (folder / name).write_text("\n".join((*lines, "")), encoding="utf-8")


_TESTS = """
import numpy as np
from pytest_audioparity import parity

TIME = np.arange(800) / 8000

@parity(tol_db=0.01)
def test_tts(stages):
    gain = {gain}
    stages.settings(temperature=gain)
    stages.record("mel", np.linspace(-11, 2, 80, dtype="float32").reshape(1, 4, 20) + gain, kind="log_spectrum",
                  unit="ln", axes="BCT", frame_rate=50)
    stages.record("codes", (np.arange(24) * int(gain)).reshape(2, 12), axes="CT")
    stages.record("wave", (np.sin(TIME * 900) * gain).astype("float32"), kind="waveform", axes="T", sample_rate=8000)
    stages.record("ode/0", np.ones(7, "float32"))

@parity(tol_db=0.5)
def test_other(stages):
    stages["x"] = np.arange(9.0) + 1
"""


def project(folder: Path) -> None:
    """Make a project of which the last run left a failure, and what two jobs left of it; with a golden of nobody."""
    template = _template()
    for one in template.iterdir():
        (shutil.copytree if one.is_dir() else shutil.copy)(one, folder / one.name)


def _template(made: list[Path] = []) -> Path:  # noqa: B006 - made once in a process
    if not made:
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="fuzz-project-")).resolve()
        made.append(folder)
        _make_project(folder)
    return made[0]


def _make_project(folder: Path) -> None:
    ini(folder)
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (folder / "tests").mkdir()
    test = folder / "tests" / "test_m.py"
    for gain, options in ((1.0, ["--update-golden"]), (2.0, [])):
        test.write_text(_TESTS.format(gain=gain))
        shutil.rmtree(folder / ".audioparity", ignore_errors=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
        write_golden(folder / "golden" / "tests" / "gone.safetensors", STAGES, settings={}, provenance={})
    for job in ("one", "two"):
        shutil.copytree(folder / ".audioparity", folder / "jobs" / job / ".audioparity")
    assert list((folder / ".audioparity" / "pending").rglob("*.safetensors"))
