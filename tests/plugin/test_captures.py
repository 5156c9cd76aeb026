"""One model in three runtimes: the golden of the torch model, and ports that declare their own layout and precision."""

from __future__ import annotations

import importlib

import pytest

SOURCE = """
import pytest
import mlx.core as mx
import mlx.nn
import onnx
import torch
from onnx import helper, numpy_helper

RNG = np.random.default_rng(0)
FIRST, SECOND = (RNG.standard_normal((6, 6, 3)).astype(np.float32) / 4 for _ in range(2))
X = RNG.standard_normal((1, 6, 50)).astype(np.float32)
FAULT = {fault}


class Torch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv1d(6, 6, 3, bias=False)
        self.second = torch.nn.Conv1d(6, 6, 3, bias=False)
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor(FIRST))
            self.second.weight.copy_(torch.tensor(SECOND))

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class Mlx(mlx.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = mlx.nn.Conv1d(6, 6, 3, bias=False)
        self.second = mlx.nn.Conv1d(6, 6, 3, bias=False)
        self.first.weight = mx.array(FIRST).swapaxes(1, 2)
        self.second.weight = mx.array(SECOND * FAULT).swapaxes(1, 2)

    def __call__(self, x):
        return self.second(mx.maximum(self.first(x), 0))


def graph():
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["/first/Conv_output_0"]),
        helper.make_node("Relu", ["/first/Conv_output_0"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["y"]),
    ]
    weights = [numpy_helper.from_array(FIRST, "w1"), numpy_helper.from_array(SECOND * FAULT, "w2")]
    x, y = (value(name, onnx.TensorProto.FLOAT, shape) for name, shape in (("x", [1, 6, 50]), ("y", [1, 6, 46])))
    made = helper.make_graph(nodes, "net", [x], [y], weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run_torch(stages):
    with stages.torch(net := Torch(), include=["first", "second"], axes={{"*": "BCT"}}), torch.no_grad():
        net(torch.tensor(X))


def run_mlx(stages):
    with stages.mlx(net := Mlx(), include=["first", "second"], axes={{"*": "BTC"}}):
        net(mx.array(X).swapaxes(1, 2))


def run_onnx(stages):
    names = {{"/first/Conv_output_0": "first", "y": "second"}}
    stages.onnx(graph(), {{"x": X}}, include=list(names), rename=names)


REFERENCE = "test_model/test_net-torch"


@pytest.mark.parametrize("run", [
    pytest.param(run_torch, id="torch"),
    pytest.param(run_mlx, id="mlx", marks=parity(golden=REFERENCE, port=True, precision="fp16")),
    pytest.param(run_onnx, id="onnx", marks=parity(golden=REFERENCE, port=True)),
])
@parity
def test_net(stages, run):
    run(stages)
"""


@pytest.fixture(scope="module", autouse=True)
def _runtimes():
    """Import what inner runs import: pytester drops what is new, and these cannot be imported twice in a process."""
    for name in ("torch", "mlx.nn", "onnx", "onnxruntime"):
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)


def test_ports_in_other_runtimes_and_layouts_pass_and_their_fault_is_found(project, needs):
    """The first divergence is the module whose weights differ, and the finding is the gain."""
    for package in ("torch", "mlx", "onnx", "onnxruntime"):
        needs(package)
    project.write(SOURCE.format(fault=1))
    project.run("--update-golden").assert_outcomes(skipped=2)
    project.run().assert_outcomes(passed=3)
    project.write(SOURCE.format(fault=1.5))
    result = project.run()
    result.assert_outcomes(passed=1, failed=2)
    output = result.stdout.str()
    assert output.count("second (first divergence)") == 2
    assert output.count("actual = 1.5 * expected (+3.52 dB)") == 2


def test_a_mistake_in_a_capture_fails_the_test_in_one_line(project, needs):
    """No frame of ours is shown, and nothing is written."""
    needs("torch")
    project.write("""
    import torch
    @parity
    def test_net(stages):
        with stages.torch(torch.nn.Linear(2, 2), include="decoder.*"):
            pass
    """)
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*include='decoder.[*]' captured nothing: the model has nothing of that name*"])
    assert project.goldens() == []


def test_a_capture_without_with_fails_and_writes_nothing(project, needs):
    """Nothing is watched until the block is entered; other stages of the test must not hide that."""
    needs("mlx")
    project.write("""
    import mlx.core as mx
    import mlx.nn
    @parity
    def test_net(stages):
        net = mlx.nn.Linear(2, 2)
        stages.mlx(net)
        stages["output"] = net(mx.ones((1, 2)))
    """)
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*stages.mlx was called without 'with', so it watched nothing: with stages.mlx(*"])
    assert project.goldens() == []
