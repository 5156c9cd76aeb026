"""Whether the ports have the right weights at all, which is asked before a stage is run."""

import pytest
import silero_onnx
import vad_ports

from pytest_audioparity import assert_weights_match

REFERENCE = silero_onnx.data(silero_onnx.REFERENCE)
FAULTS = vad_ports.switched_on()


def test_the_ports_have_the_weights_of_the_reference():
    assert_weights_match(REFERENCE, vad_ports.weights_file(FAULTS))


@pytest.mark.parametrize("name", ["silero_vad.jit", silero_onnx.FULL, "silero_vad_16k_sequence.onnx"])
def test_these_files_of_the_package_have_them_too(name):
    """TorchScript; ONNX inside the branches of an If; ONNX with its own order of gates and biases made one."""
    assert_weights_match(REFERENCE, silero_onnx.data(name))
