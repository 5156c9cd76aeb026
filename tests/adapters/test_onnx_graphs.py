"""Inner tensors of ONNX models: real ones, and graphs with everything that cannot be exposed."""

from __future__ import annotations

from importlib import metadata

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_audioparity.errors import AudioparityWarning, StageError


def names(recording):
    return list(recording._recorded)


def tensor(name, shape=None, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, outputs, initializer=(), opset=18):
    graph = helper.make_graph(nodes, "net", inputs, outputs, initializer=list(initializer))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(made)
    return made


@pytest.fixture
def branching():
    """Make a net with a weight, a constant, a body, an empty tensor and a sequence."""
    body = helper.make_graph([helper.make_node("Neg", ["b"], ["inside"])], "body", [], [tensor("inside", [2, 2])])
    nodes = [
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32(2), "two")),
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Mul", ["a", "two"], ["b"]),
        helper.make_node("ReduceSum", ["b"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["flag"], to=TensorProto.BOOL),
        helper.make_node("If", ["flag"], ["c"], then_branch=body, else_branch=body),
        helper.make_node("SplitToSequence", ["c"], ["parts"], axis=0),
        helper.make_node("SequenceAt", ["parts", "zero"], ["first"]),
        helper.make_node("Slice", ["c", "zeros", "zeros", "zeros"], ["nothing"]),
        helper.make_node("Shape", ["nothing"], ["y"]),
    ]
    initializers = [
        numpy_helper.from_array(np.eye(2, dtype=np.float32), "w"),
        numpy_helper.from_array(np.int64(0), "zero"),
        numpy_helper.from_array(np.zeros(1, np.int64), "zeros"),
    ]
    return model(
        nodes, [tensor("x", [2, 2])], [tensor("y", [2], TensorProto.INT64), tensor("first", [1, 2])], initializers
    )


X = np.arange(4, dtype=np.float32).reshape(2, 2)


def test_inner_tensors_and_outputs_are_stages_in_the_order_of_the_graph(stages, recording, branching):
    """The model's own outputs are returned; the caller's model is as it was."""
    before = branching.SerializeToString()
    with pytest.warns(AudioparityWarning, match="not compared, since the bodies of If, Loop and Scan .* 'inside'"):
        returned = stages.onnx(branching, {"x": X})
    assert names(recording) == ["a", "b", "sum", "flag", "c", "first", "nothing", "y"]
    assert branching.SerializeToString() == before
    assert list(returned) == ["y", "first"]
    plain = onnxruntime.InferenceSession(before).run(None, {"x": X})
    assert all(np.array_equal(one, other) for one, other in zip(returned.values(), plain, strict=True))
    assert np.array_equal(recording._kept["b"].array, 2 * X)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("inside", "inside the body of If, which cannot be exposed"),
        ("two", "a constant of the model, not computed"),
        ("w", "a constant of the model, not computed"),
        ("x", "an input of the model"),
        ("parts", "holds list, no numbers"),
        ("aa", "the model has nothing of that name; did you mean 'a'?"),
    ],
)
def test_what_cannot_be_exposed_is_said_with_the_reason(stages, branching, name, why):
    """A glob that means nothing else would otherwise compare nothing."""
    with pytest.raises(StageError, match=f"include='{name}' captured nothing") as error:
        stages.onnx(branching, {"x": X}, include=name)
    assert why in str(error.value)


def test_globs_names_and_declarations_choose_what_is_taken(stages, recording, branching):
    """A second run numbers its stages."""
    for _ in range(2):
        stages.onnx(branching, {"x": X}, include=["a", "c"], name="net", rename={"c": "mel"}, axes={"mel*": "CT"})
    assert names(recording) == ["net.a", "mel", "net.a@2", "mel@2"]
    assert recording._kept["mel@2"].meta.axes == "CT"


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"x": X.astype(np.float64)}, "input 'x' is float64, the model takes tensor(float); cast it"),
        ({"X": X}, "the model has no input 'X'; it takes 'x'"),
        ({}, "feeds lack the input 'x'"),
        ([X], "feeds are a dictionary of the model's inputs by name, not list"),
        ({"x": X[:, :1]}, "ONNX Runtime: "),
    ],
)
def test_feeds_that_do_not_fit_are_one_line(stages, branching, feeds, message):
    """Nothing is cast or padded."""
    with pytest.raises(StageError) as error:
        stages.onnx(branching, feeds)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [("there-is-none.onnx", "cannot be read: No such file"), (b"\xff\xff", "is no ONNX model"), (3, "not int")],
)
def test_what_is_no_model_is_one_line(stages, source, message):
    """Whatever protobuf says of it."""
    with pytest.raises(StageError) as error:
        stages.onnx(source, {})
    assert message in str(error.value)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_device_that_is_not_there_is_not_replaced_by_the_cpu(stages, recording, branching):
    """ONNX Runtime would warn and run on; with the CPU in the list that was asked for."""
    absent = next(one for one in onnxruntime.get_all_providers() if one not in onnxruntime.get_available_providers())
    for providers in ([absent], [(absent, {"device_id": 0})]):
        with pytest.raises(StageError, match=f"CPUExecutionProvider, not with {absent}"):
            stages.onnx(branching, {"x": X}, providers=providers, include="a")
    stages.onnx(branching, {"x": X}, providers=[absent, "CPUExecutionProvider"], include="a")
    assert names(recording) == ["a"]


def test_a_model_with_its_weights_in_another_file_runs(stages, recording, tmp_path):
    """The weights stay where they are, and nothing is written beside them."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    weight = numpy_helper.from_array(np.eye(64, dtype=np.float32) * 3, "w")
    made = model(nodes, [tensor("x", [1, 64])], [tensor("y", [1, 64])], [weight])
    onnx.save(made, tmp_path / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0)
    before = sorted(tmp_path.iterdir())
    stages.onnx(tmp_path / "net.onnx", {"x": np.ones((1, 64), np.float32)})
    assert recording._kept["a"].array.max() == 3
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_from_a_file_makes_onnxruntime_write_nothing(stages, tmp_path, capfd):
    """What is on stderr is shown with each failure, where a warning of ours is taken for the model's."""
    made = model([helper.make_node("Relu", ["x"], ["y"])], [tensor("x", [1, 4])], [tensor("y", [1, 4])])
    onnx.save(made, tmp_path / "net.onnx")
    stages.onnx(tmp_path / "net.onnx", {"x": np.ones((1, 4), np.float32)})
    assert capfd.readouterr().err == ""


def test_session_options_look_for_weights_afterwards_where_they_did_before(stages, tmp_path):
    """They are the caller's, whose next session would otherwise be given the weights of this model."""
    options, x = onnxruntime.SessionOptions(), np.ones((1, 64), np.float32)
    for name, factor in (("ours", 3), ("other", 5)):
        weight = numpy_helper.from_array(np.eye(64, dtype=np.float32) * factor, "w")
        made = model(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], [tensor("x", [1, 64])], [tensor("y", [1, 64])], [weight]
        )
        (tmp_path / name).mkdir()
        onnx.save(made, tmp_path / name / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0)
    stages.onnx(tmp_path / "ours" / "net.onnx", {"x": x}, session_options=options)
    session = onnxruntime.InferenceSession(tmp_path / "other" / "net.onnx", options)
    assert session.run(None, {"x": x})[0].max() == 5


def test_bfloat16_is_neither_cast_nor_refused(stages, recording):
    """It is a type of ONNX Runtime and none of numpy."""
    kind = TensorProto.BFLOAT16
    nodes = [helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("Cast", ["wide"], ["y"], to=kind)]
    made = model(nodes, [tensor("x", [3], kind)], [tensor("y", [3], kind)])
    x = np.array([1, 2.5, -3], ml_dtypes.bfloat16)
    returned = stages.onnx(made, {"x": x})
    assert returned["y"].dtype == ml_dtypes.bfloat16
    assert np.array_equal(recording._kept["y"].array, x)


def test_texts_can_be_fed_and_are_no_stages(stages, recording):
    """Models with a tokeniser inside take them."""
    text = TensorProto.STRING
    nodes = [helper.make_node("Identity", ["t"], ["same"]), helper.make_node("Shape", ["same"], ["y"])]
    made = model(nodes, [tensor("t", [2], text)], [tensor("y", [1], TensorProto.INT64)])
    stages.onnx(made, {"t": np.array(["a", "b"], object)})
    assert names(recording) == ["y"]


def test_a_real_model_returns_to_the_last_bit_what_it_returns_unwatched(stages, recording, needs):
    """silero-vad, whose recurrent part sits inside an If."""
    needs("silero_vad")
    path = metadata.distribution("silero-vad").locate_file("silero_vad/data/silero_vad_16k_op15.onnx")
    feeds = {
        "input": np.random.default_rng(0).standard_normal((1, 576)).astype(np.float32) / 10,
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(16000, np.int64),
    }
    session = onnxruntime.InferenceSession(str(path))
    feeds = {value.name: feeds[value.name] for value in session.get_inputs()}
    with pytest.warns(AudioparityWarning, match="the bodies of If, Loop and Scan cannot be exposed"):
        returned = stages.onnx(path, feeds)
    plain = session.run(None, feeds)
    assert all(np.array_equal(one, other) for one, other in zip(returned.values(), plain, strict=True))
    assert len(names(recording)) > 20
