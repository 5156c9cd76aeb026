"""What a test author gets wrong: each marked line is refused by both checkers, for that reason, and no other line is.

After `E:` stand the codes of mypy's errors, then those of pyright's; each once, by name.
"""

# pyright: standard, reportUnnecessaryComparison=true

# ruff: noqa: B018 - misuse is the point

from __future__ import annotations

from pytest_audioparity import Declarations, Roundtrip, Stages, Tolerances, codec_roundtrip, parity


def double(values: list[float], *, by: float = 2.0) -> list[float]:
    return [by * value for value in values]


TYPO = parity(tol_dB=0.1)  # E: call-overload | reportCallIssue
PRESET = parity(precision="fp8")  # E: call-overload | reportArgumentType
POSITIONAL = parity(0.1)  # E: call-overload | reportArgumentType
TEXT = parity(only="mel")  # E: call-overload | reportArgumentType
GLOBS = parity(stages={"mel": {"tol": 0.1}})  # E: typeddict-unknown-key | reportArgumentType
NUMBER = parity(tol_db="0.1")  # E: call-overload | reportArgumentType
CHECK = codec_roundtrip(skip=["delays"])  # E: list-item | reportArgumentType
SCORE = codec_roundtrip(min_stio=0.9)  # E: call-overload | reportCallIssue
OVERRIDES: Tolerances = {"tol_dB": 0.1}  # E: typeddict-unknown-key | reportAssignmentType
LAYOUT: Declarations = {"kind": "log_mel"}  # E: typeddict-item | reportAssignmentType


@parity
def test_stages(stages: Stages) -> None:
    stages.record("mel", [1.0], kind="mel")  # E: arg-type | reportArgumentType
    stages.record("mel", [1.0], unit="dB")  # E: arg-type | reportArgumentType
    stages.record("mel", [1.0], tol_dB=0.1)  # E: call-arg | reportCallIssue
    stages.record("mel", [1.0], precision="float16")  # E: arg-type | reportArgumentType
    stages.step("double", double, ["a"])  # E: list-item | reportArgumentType
    stages.step("double", double, [1.0], times=3)  # E: call-arg | reportCallIssue
    number: int = stages.step("double", double, [1.0])  # E: assignment | reportAssignmentType
    stages.load("dump.npz", declare={"mel": {"axis": "BT"}})  # E: typeddict-unknown-key | reportArgumentType
    stages.torch(number, tol=0.1)  # E: call-arg | reportCallIssue
    stages.mel = [1.0]  # E: attr-defined | reportAttributeAccessIssue
    stages.onnx("model.onnx", {}).shape  # E: attr-defined | reportAttributeAccessIssue


@codec_roundtrip
def test_roundtrip(roundtrip: Roundtrip) -> None:
    roundtrip(encode=double, decode=double)  # E: call-arg | reportCallIssue
    roundtrip(encode=double, decode=double, sample_rate=24_000, axes="NCT")  # E: arg-type | reportArgumentType
    roundtrip(encode=double, decode=double, sample_rate=24_000, stream=double)  # E: call-arg | reportCallIssue
