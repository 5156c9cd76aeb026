"""The encoder stage by stage: the reference in torch writes the golden, each port is compared with it."""

import importlib.util

import conversion
import mel_frontend
import pytest
import voice_weights

from pytest_audioparity import parity

GOLDEN = "test_encoder_stages/test_encoder-torch"
LSTM = tuple(f"lstm/{index}" for index in range(voice_weights.LAYERS))
# torch and MLX return the states at every frame first, and what is left of the last frame behind.
CAPTURED = {f"lstm.{index}/0": stage for index, stage in enumerate(LSTM)} | {"output": "embedding"}
WATCHED = {"include": [*CAPTURED, "linear", "relu"], "rename": CAPTURED}


def axes(sequences):
    return {"lstm/*": sequences, "linear": "BC", "relu": "BC", "embedding": "BC"}


def port(run, package, **more):
    return pytest.param(run, package, id=run.__name__, marks=parity(golden=GOLDEN, port=True, **more))


def record_mel(stages, mel, layout):
    """Record the mel twice: as the encoder takes it, and in dB, where quiet frames count as much as loud ones."""
    declared = {"axes": layout, "frame_rate": mel_frontend.FRAME_RATE}
    stages.record("mel", mel, **declared)
    stages.record("mel_db", mel_frontend.decibels(mel), kind="log_spectrum", unit="db", **declared)


def record_all(stages, trace, layouts):
    for name, value in trace:
        stages.record(name, value, axes=layouts.get(name, layouts["lstm/*"]))


def torch(stages, waveform, _file):
    encoder = importlib.import_module("torch_encoder")
    mel = encoder.mel_power(waveform)
    record_mel(stages, mel.numpy(), "BTC")
    declare = {"lstm/*": {"frame_rate": mel_frontend.FRAME_RATE}, "embedding": {"kind": "embedding"}}
    model = encoder.load(voice_weights.trained())
    with stages.torch(model, axes=axes("BTC"), declare=declare, **WATCHED):
        model(mel)


def numpy(stages, waveform, _file):
    mel = conversion.mel_of("numpy", waveform)
    record_mel(stages, mel, "BTC")
    encoder = importlib.import_module("numpy_encoder")
    record_all(stages, encoder.trace(voice_weights.trained(), mel), axes("BTC"))


def onnx(stages, waveform, file):
    mel = conversion.mel_of("onnx", waveform).swapaxes(0, 1)
    record_mel(stages, mel, "TBC")
    stages.onnx(file("onnx"), {"mel": mel}, include=[*LSTM, "linear", "relu", "embedding"], axes=axes("TBC"))


def mlx(stages, waveform, file):
    encoder = importlib.import_module("mlx_encoder")
    mel = conversion.mel_of("mlx", waveform)
    record_mel(stages, mel.swapaxes(1, 2), "BCT")
    model = encoder.load(file("mlx"))
    with stages.mlx(model, axes=axes("BTC"), **WATCHED):
        model(encoder.array(mel))


def coreml(stages, waveform, file):
    encoder = importlib.import_module("coreml_encoder")
    mel = conversion.mel_of("coreml", waveform).swapaxes(0, 1)
    record_mel(stages, mel, "TBC")
    record_all(stages, encoder.trace(file("coreml"), mel), axes("TBC"))


@parity
@pytest.mark.parametrize(
    ("run", "package"),
    [
        pytest.param(torch, "torch", id="torch"),
        port(numpy, "numpy"),
        port(onnx, "onnxruntime"),
        port(mlx, "mlx"),
        port(coreml, "coremltools", precision="fp16"),
    ],
)
def test_encoder(stages, run, package, converted):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    waveform = mel_frontend.waveforms()
    stages.record("waveform", waveform, kind="waveform", axes="BT", sample_rate=mel_frontend.SAMPLE_RATE)
    run(stages, waveform, converted)
