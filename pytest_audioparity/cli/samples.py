"""The first test that `audioparity init` writes, and the ports that a repository's own files suggest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# It runs as it stands, on numpy alone, gives the same numbers everywhere, and keeps to 79 columns as any linter asks.
_TEST = '''\
"""A first parity test, from `audioparity init`: put your model's steps in.

Every stage is compared with the golden that `pytest --update-golden` wrote;
a failure names the first stage that differs, by how many dB, and why.
"""

import numpy as np

from pytest_audioparity import parity

SAMPLE_RATE, FRAME, HOP, BANDS = 16_000, 400, 160, 16


def make_input():
    """One second that is the same everywhere: a seeded generator, no file."""
    seconds = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    tone = np.sin(2 * np.pi * (200 + 300 * seconds) * seconds)
    return (0.5 * tone + 0.05 * noise).astype(np.float32)


# Replace these three by the steps of your model.
def to_frames(waveform):
    windows = np.lib.stride_tricks.sliding_window_view(waveform, FRAME)
    return windows[::HOP] * np.hanning(FRAME).astype(np.float32)


def log_bands(frames):
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.geomspace(4, FRAME // 2, BANDS + 1).astype(int)
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    return np.log(bands + 1e-6).astype(np.float32)


def project(bands):
    weight = np.random.default_rng(1).standard_normal((BANDS, 8))
    return np.tanh(0.05 * bands @ weight.astype(np.float32))


@parity(tol_db=0.01)  # a pure gain error of x dB is x dB off
def TEST(stages):
    # An input is kept with the golden, so that a port can be given the same.
    waveform = stages.input(
        "waveform", make_input(), kind="waveform", sample_rate=SAMPLE_RATE
    )
    # Calls to_frames(waveform) and records what it returns.
    frames = stages.step("frames", to_frames, waveform)
    # Says what the numbers are: T time, C channel or bin; ln of a power.
    bands = stages.record(
        "bands",
        log_bands(frames),
        kind="log_spectrum",
        unit="ln_power",
        axes="TC",
        frame_rate=SAMPLE_RATE / HOP,
    )
    stages.step("projection", project, bands)
'''

_PORTS_TITLE = """

# A port compares with the golden that the test above writes, and never writes
# it. Take the comment signs away and put your model in.
"""

_CAPTURE = """
@parity(golden="GOLDEN", port=True)
def TEST_RUNTIME(stages):
    # modules by their path; rename= gives them the golden's names
    with stages.RUNTIME(model, include="*", rename={"encoder": "frames"}):
        model(stages.input("waveform"))  # the golden's own
"""
_ONNX = """
@parity(golden="GOLDEN", port=True)
def TEST_onnx(stages):
    # inner tensors by their names; rename= gives them the golden's
    waveform = stages.input("waveform")  # the golden's own
    names = {"/encoder/Mul_output_0": "frames"}
    feeds = {"input": waveform}
    stages.onnx("model.onnx", feeds, include="*", rename=names)
"""
_PROGRAM = """
@parity(golden="GOLDEN", port=True)
def TEST_RUNTIME(stages):
    # It reads the golden's inputs from the file $AUDIOPARITY_INPUTS and
    # writes its stages to $AUDIOPARITY_DUMP, both .safetensors.
    stages.run(COMMAND, timeout=60)
"""
_FILE = """
@parity(golden="GOLDEN", port=True)
def TEST_port(stages):
    # .safetensors, .npz, .npy or .wav, from a program in any language
    stages.load("dump.safetensors", rename={"h": "frames"})
"""
# runtime -> its port, and what tells that a repository uses it: packages that it asks for, files that it has
_RUNTIMES = {
    "torch": (_CAPTURE, ("torch", "torchaudio"), ()),
    "mlx": (_CAPTURE, ("mlx", "mlx-audio"), ()),
    "onnx": (_ONNX, ("onnx", "onnxruntime", "onnxruntime-gpu"), ("*.onnx",)),
    "swift": (_PROGRAM, (), ("Package.swift", "*.xcodeproj", "*.swift")),
    "rust": (_PROGRAM, (), ("Cargo.toml",)),
    "go": (_PROGRAM, (), ("go.mod",)),
}
_COMMANDS = {
    "swift": '["swift", "run", "trace"]',
    "rust": '["cargo", "run", "--release", "--bin", "trace"]',
    "go": '["go", "run", "./trace"]',
}
_DECLARATIONS = ("pyproject.toml", "setup.cfg", "setup.py", "requirements*.txt", "environment.y*ml", "Pipfile")
# In the root directory and in its folders: a monorepo keeps a crate or a package in one of its own.
_DEPTHS = ("", "*/")


def test_text(test: str, golden: str, runtimes: list[str]) -> str:
    """Return the file of the first test, ports below it as comments.

    Parameters
    ----------
    test : name of the test function
    golden : name of its golden
    runtimes : whose ports to suggest; without any, one that reads a file
    """
    ports = [_port(runtime) for runtime in runtimes] or [_FILE]
    text = _TEST + _PORTS_TITLE + "".join(_commented(port) for port in ports)
    # In one go: a golden below a folder TESTS is not to be renamed.
    return re.sub("GOLDEN|TEST", lambda word: golden if word[0] == "GOLDEN" else test, text)


def runtimes_of(root: Path) -> list[str]:
    """Return the runtimes that a repository uses, by the packages it asks for and the files it has."""
    asked = {name.lower() for path in _found(root, _DECLARATIONS) for name in _names(path)}
    return [
        runtime
        for runtime, (_, packages, files) in _RUNTIMES.items()
        if not asked.isdisjoint(packages) or next(_found(root, files, depths=_DEPTHS), None) is not None
    ]


def _port(runtime: str) -> str:
    return _RUNTIMES[runtime][0].replace("RUNTIME", runtime).replace("COMMAND", _COMMANDS.get(runtime, ""))


def _commented(text: str) -> str:
    return "".join(f"# {line}\n" if line else "#\n" for line in text.rstrip("\n").split("\n"))


def _found(root: Path, patterns: tuple[str, ...], depths: tuple[str, ...] = ("",)) -> Iterator[Path]:
    for depth in depths:
        for pattern in patterns:
            found = root.glob(f"{depth}{pattern}")
            yield from (path for path in found if not path.relative_to(root).parts[0].startswith("."))


def _names(path: Path) -> list[str]:
    """Return every word of a file that could be a package's name; a comment asks for nothing."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [name for line in lines for name in re.findall(r"[A-Za-z][\w.-]*", line.partition("#")[0])]
