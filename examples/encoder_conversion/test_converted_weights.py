"""The weights of what was converted, before a single stage is run."""

import importlib.util

import pytest

from pytest_audioparity import assert_weights_match


@pytest.mark.parametrize(
    ("runtime", "package", "precision"),
    [("onnx", "onnx", "fp32"), ("mlx", "mlx", "fp32"), ("coreml", "coremltools", "fp16")],
    ids=["onnx", "mlx", "coreml"],
)
def test_weights(runtime, package, precision, converted, reference_weights):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    assert_weights_match(reference_weights, converted(runtime), precision=precision)
