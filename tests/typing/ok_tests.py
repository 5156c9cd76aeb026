"""A test file as users write it: both checkers accept all of it."""

# ruff: noqa: F821 - reveal_type is the checkers' own

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import Declarations, Recogniser, Roundtrip, Stages, Tolerances, codec_roundtrip, parity

pytestmark = parity(tol_db=0.02, precision="fp16", stages={"ode/*": {"tol_db": 0.05, "tol_peak_db": None}})

LOOSE: Tolerances = {"tol_db": 0.5, "dtype": "any"}
LAYOUT: dict[str, Declarations] = {"mel": {"kind": "log_spectrum", "unit": "ln", "axes": "BCT"}}


def encoder(tokens: list[int], *, scale: float = 1.0) -> list[float]:
    return [scale * token for token in tokens]


@parity
def test_bare(stages: Stages) -> None:
    hidden = stages.step("encoder", encoder, [1, 2, 3], scale=0.5)
    reveal_type(hidden)  # R: list[float]
    reveal_type(stages.step("bound", hidden.index, 0.5))  # R: int
    stages.step("ufunc", np.tanh, hidden)
    stages["short"] = hidden
    stages.record("mel", hidden, kind="log_spectrum", unit="ln", axes="T", frame_rate=86.13, **LOOSE)
    reveal_type(stages.record("list", [1.0]))  # R: list[float]
    reveal_type(stages.input("noise", [1, 2]))  # R: list[int]
    reveal_type(stages.input("noise", axes="BT"))  # R: ndarray[Any, Any]
    stages.settings({"top k": 50}, temperature=0.9)


@parity(golden="tests/test_decoder/test_decoder", port=True, only=["mel", "ode/*"], words="any")
@pytest.mark.parametrize("speaker", ["a", "b"])
def test_port(stages: Stages, speaker: str) -> None:
    model: object = speaker
    with stages.torch(model, include="decoder.*", declare=LAYOUT, tol_db=0.1):
        pass
    with stages.mlx(model, exclude=["*.dropout"], axes={"*": "BTC"}, precision="bf16") as nothing:
        reveal_type(nothing)  # R: None
    reveal_type(stages.onnx("model.onnx", {"tokens": [1]}, rename={"out": "mel"}))  # R: dict[str, Any]
    stages.load("dump.npz", rename={"h": "mel"}, min_snr_db=40)
    reveal_type(stages.run(["./trace", "--text", speaker], timeout=60).stdout)  # R: str


@parity(min_match=0.9)
class TestCodec:
    @pytest.mark.parity(tol_db=0.1)
    def test_codes(self, stages: Stages) -> None:
        stages.record("codes", [[1, 2]], kind="codes", axes="CT", min_match=1.0)

    @codec_roundtrip(min_stoi=0.9, min_pesq_wb=2.5, max_drop_estoi=0.02, skip=["delay", "rate"])
    def test_roundtrip(self, roundtrip: Roundtrip, recogniser: Recogniser) -> None:
        result = roundtrip(encode=encoder, decode=encoder, sample_rate=24_000, axes="BCT", chunk_frames=(1, 4))
        reveal_type(result.verdict)  # R: Literal['pass', 'fail', 'not_measured']
        reveal_type(recogniser(np.zeros(16_000, np.float32), 16_000))  # R: str


@codec_roundtrip
def test_bare_roundtrip(roundtrip: Roundtrip) -> None:
    roundtrip(encode=encoder, decode=encoder, sample_rate=24_000, fresh=lambda: (encoder, encoder))


marked = parity(tol_db=1)(encoder)
reveal_type(marked([1], scale=2.0))  # R: list[float]
reveal_type(parity(TestCodec)().test_codes)  # R: (stages: Stages) -> None
reveal_type(codec_roundtrip(min_stoi=0.9)(test_bare_roundtrip))  # R: (roundtrip: Roundtrip) -> None
PARAMETER = pytest.param("mlx", marks=parity(golden="tests/test_x/test_tts-mlx", port=True))
