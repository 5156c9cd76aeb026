"""The writers of `docs/writers`, each compiled with a small program and held to the bits that it was told to write.

Every program does the same two things. With an argument it writes the stages of `EDGES`. Without one it reads the input
of `NOISE` and writes twice its values as the stage ``mel``. A language is tested where its compiler is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pytest_audioparity.adapters.dumps import load
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.records import StageMeta, StageTensor
from pytest_audioparity.tensorfile import TensorFile

HERE = Path(__file__).parent
WRITERS = HERE.parents[1] / "docs" / "writers"
BITS = np.array([0, 0x80000000, 0x3EAAAAAB, 1, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC01234], np.uint32)
EDGES = [
    StageTensor(StageMeta("z/single"), np.array(0.5, np.float32)),
    StageTensor(StageMeta("a codes", "codes", "T"), np.array([-(2**63), -1, 2**63 - 1])),
    StageTensor(StageMeta('quote " back \\ é/日', "log_spectrum", "CT"), BITS.view(np.float32).reshape(2, 4)),
    StageTensor(StageMeta("empty", axes="TC"), np.zeros((0, 3), np.float32)),
]
NOISE = StageTensor(StageMeta("the \\ noise", role="input"), np.random.default_rng(0).standard_normal(999, np.float32))
# In the header of its file this has the name of the input between quotes, and the words around it.
DECOY = StageTensor(StageMeta('the \\ noise":{"dtype":'), np.zeros(3, np.float32))

# What is copied beside the writer, and how that becomes a program; its name in the last place is what runs it.
BUILDS = {
    "rustc": ("main.rs", ["rustc", "--edition=2021", "-Dwarnings", "-Adead_code", "-o", "main", "main.rs"], ["./main"]),
    "gcc": ("main.c", ["gcc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-omain", "main.c"], ["./main"]),
    "node": ("main.mjs", None, ["node", "main.mjs"]),
    "go": ("main.go", ["go", "build", "-o", "main", "."], ["./main"]),
    "swiftc": ("main.swift", ["swiftc", "-o", "main", "Dump.swift", "main.swift"], ["./main"]),
}  # fmt: skip
SOURCES = {"rustc": "dump.rs", "gcc": "dump.h", "node": "dump.mjs", "go": "audioparity/dump.go", "swiftc": "Dump.swift"}
FOUND = [tool for tool in BUILDS if shutil.which(tool)]


@pytest.fixture(scope="module", params=FOUND)
def program(request, tmp_path_factory):
    """Compile the program of a language and return the command that runs it."""
    folder = tmp_path_factory.mktemp(request.param)
    main, build, command = BUILDS[request.param]
    shutil.copy(HERE / main, folder)
    source = folder / SOURCES[request.param]
    source.parent.mkdir(exist_ok=True)
    shutil.copy(WRITERS / source.name, source)
    (folder / "go.mod").write_text("module example\n\ngo 1.19\n")
    if build is not None:
        done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return [str(folder / word) if (folder / word).is_file() else word for word in command]


def test_a_compiler_is_there():
    """Without any, nothing on this page would be tested, and nobody would know."""
    assert {"rustc", "gcc", "node"} & set(FOUND)


def test_what_is_written_is_read_back_to_the_bit(program, tmp_path):
    """Names, order, declarations, shapes and values arrive, NaN's payload and the sign of zero included."""
    path = tmp_path / "dump.safetensors"
    subprocess.run([*program, "edges"], env={**os.environ, "AUDIOPARITY_DUMP": str(path)}, check=True)
    stages = load(path)
    assert [stage.meta for stage in stages] == [stage.meta for stage in EDGES]
    for stage, expected in zip(stages, EDGES, strict=True):
        assert (stage.array.dtype, stage.array.shape) == (expected.array.dtype, expected.array.shape)
        assert stage.array.tobytes() == expected.array.tobytes()
    assert TensorFile(path).names == tuple(stage.meta.name for stage in EDGES)
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


@pytest.mark.parametrize("factor", [2, 3])
def test_a_port_in_the_language_consumes_the_inputs_of_a_golden(program, pytester, monkeypatch, factor):
    """A port that makes what the reference makes of the same noise passes to the bit, and fails where it does not."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")  # importing it anew takes a second
    mel = StageTensor(StageMeta("mel", axes="T"), NOISE.array * np.float32(factor))
    write_golden(pytester.path / "golden/test_m/owner.safetensors", [NOISE, mel], settings={}, provenance={})
    pytester.makepyfile(
        test_m=f"""
        from pytest_audioparity import parity
        @parity(golden="test_m/owner", port=True, atol=0.0, rtol=0.0)
        def test_port(stages):
            stages.run({program!r})
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=int(factor == 2), failed=int(factor == 3))
    if factor == 3:
        result.stdout.fnmatch_lines("stage 'mel' is off by *")


def test_a_name_within_a_name_is_not_taken_for_the_input(program, tmp_path):
    """The readers that look for a text in the header find the tensor, not a name that holds that text."""
    inputs, path = tmp_path / "inputs.safetensors", tmp_path / "dump.safetensors"
    write_golden(inputs, [DECOY, NOISE], settings={}, provenance={"note": "the \\ noise"})
    subprocess.run(
        program, env={**os.environ, "AUDIOPARITY_DUMP": str(path), "AUDIOPARITY_INPUTS": str(inputs)}, check=True
    )
    (mel,) = load(path)
    assert mel.array.tobytes() == (NOISE.array * np.float32(2)).tobytes()
