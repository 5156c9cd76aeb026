"""Whole models as stages: what is captured of torch, MLX and ONNX models, what it is called, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from pytest_audioparity.errors import StageError


def names(recording):
    return list(recording._recorded)


def array(recording, name):
    return recording._kept[name].array


@pytest.fixture
def torch(needs):
    needs("torch")
    import torch

    torch.manual_seed(0)
    return torch


@pytest.fixture
def nn(needs):
    needs("mlx")
    import mlx.nn

    return mlx.nn


def make_net(nn):
    """Return a net with a list of layers, a shared one, and a recurrent part; torch and MLX name its modules alike."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [nn.Linear(4, 4), nn.Linear(4, 4)]
            self.layers = nn.ModuleList(layers) if hasattr(nn, "ModuleList") else layers
            self.shared = nn.Linear(4, 4)
            self.unused = nn.Linear(4, 4)
            self.lstm = nn.LSTM(4, 3)

        def __call__(self, x):
            return self.forward(x)

        def forward(self, x):
            for layer in self.layers:
                x = layer(self.shared(x))
            return self.lstm(x)

    if hasattr(nn, "ModuleList"):
        del Net.__call__
    return Net()


ORDER = ["shared", "layers.0", "shared@2", "layers.1"]


def test_torch_modules_are_stages_by_their_path_in_the_order_of_execution(stages, recording, torch):
    """A second call has a number; the parts of a tuple are numbered, nested ones too."""
    net = make_net(torch.nn)
    with stages.torch(net):
        returned = net(torch.ones(5, 1, 4))
    assert names(recording) == [*ORDER, "lstm/0", "lstm/1/0", "lstm/1/1", "output/0", "output/1/0", "output/1/1"]
    assert np.array_equal(array(recording, "lstm/0"), returned[0].detach().numpy())


def test_mlx_modules_are_called_the_same(stages, recording, nn):
    """MLX has no hooks; a port gets the names that torch gives, and evaluated values."""
    import mlx.core as mx

    net = make_net(nn)
    with stages.mlx(net):
        returned = net(mx.ones((1, 5, 4)))
    assert names(recording) == [*ORDER, "lstm/0", "lstm/1", "output/0", "output/1"]
    assert np.array_equal(array(recording, "lstm/0"), np.array(returned[0]))


def test_include_exclude_and_name_choose_and_name_stages(stages, recording, torch):
    """Globs are tried on names with and without number and part; `name` stands before what is captured."""
    net = make_net(torch.nn)
    with stages.torch(net, include=["layers.*", "shared@2", "lstm/0", "output/0"], exclude="layers.1", name="net"):
        net(torch.ones(5, 1, 4))
    assert names(recording) == ["net.layers.0", "net.shared@2", "net.lstm/0", "net/0"]


def test_names_and_declarations_can_be_given(stages, recording, torch):
    """A renaming of a module goes on for its later calls."""
    net = make_net(torch.nn)
    with stages.torch(
        net,
        include=["shared", "layers.0"],
        rename={"shared": "mix", "layers.0": "mel"},
        axes={"mix*": "TBC"},
        declare={"mel": {"kind": "log_spectrum", "unit": "ln", "axes": "TBC"}},
    ):
        net(torch.ones(5, 1, 4))
    assert names(recording) == ["mix", "mel", "mix@2"]
    metas = {name: kept.meta for name, kept in recording._kept.items()}
    assert (metas["mel"].kind, metas["mel"].unit, metas["mix@2"].axes) == ("log_spectrum", "ln", "TBC")


def test_a_renaming_holds_for_the_calls_and_parts_that_it_names(stages, recording, torch):
    """Of a part for its later calls, of one call for all of its parts; the narrowest counts."""
    net = torch.nn.LSTM(2, 2)
    with stages.torch(net, rename={"output/0": "h", "output@2": "next", "output@2/1/0": "state", "output": "lstm"}):
        for _ in range(3):
            net(torch.ones(1, 1, 2))
    assert names(recording) == [
        *("h", "lstm/1/0", "lstm/1/1"),
        *("next/0", "state", "next/1/1"),
        *("h@3", "lstm@3/1/0", "lstm@3/1/1"),
    ]


def test_numbers_go_on_from_one_capture_to_the_next(stages, recording, torch):
    """A model that is called per chunk may be watched once or each time."""
    layer = torch.nn.Linear(2, 2)
    for _ in range(2):
        with stages.torch(layer):
            layer(torch.ones(1, 2))
    assert names(recording) == ["output", "output@2"]


class Point(NamedTuple):
    hidden: object
    length: int


@dataclass
class Output:
    codes: object
    extra: dict


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t: Point(t, 3), ["output/hidden"]),
        (lambda t: Output(t, {"a": t, "b": None}), ["output/codes", "output/extra/a"]),
        (lambda t: [t, (t, "text")], ["output/0", "output/1/0"]),
    ],
)
def test_named_tuples_dataclasses_and_mappings_are_unpacked(stages, recording, torch, make, expected):
    """What is no tensor among them is left alone."""

    class Odd(torch.nn.Module):
        def forward(self, x):
            return make(x)

    net = Odd()
    with stages.torch(net):
        net(torch.ones(2))
    assert names(recording) == expected


def test_values_are_those_of_the_moment(stages, recording, torch):
    """An activation that works in place changes what its predecessor returned, after that was recorded."""
    net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU(inplace=True))
    with stages.torch(net):
        net(torch.tensor([-1.0, 2.0]))
    assert array(recording, "0").tolist() == [-1, 2]
    assert array(recording, "1").tolist() == [0, 2]


def test_hooks_are_gone_after_the_block_come_what_may(stages, torch):
    """Also when the model raises."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    with pytest.raises(RuntimeError), stages.torch(net):
        net(torch.ones(1, 3))
    assert not any(module._forward_hooks for module in net.modules())


def test_what_a_model_leaves_empty_passes_but_not_all_of_it(stages, recording, torch):
    """Unused parts are empty by right; where everything is, no number would ever be compared."""

    class Net(torch.nn.Module):
        def forward(self, x):
            return x, x[:0]

    net = Net()
    with stages.torch(net, name="used"):
        net(torch.ones(2))
    recorded = {name: result.tolerance.allow_empty for name, result in recording._recorded.items()}
    assert recorded == {"used/0": False, "used/1": True}
    with pytest.raises(StageError, match=r"'net/0', 'net/1', has no elements"), stages.torch(net, name="net"):
        net(torch.ones(0))
    with stages.torch(net, name="right", allow_empty=True):
        net(torch.ones(0))


@pytest.mark.parametrize("runtime", ["torch", "mlx"])
def test_a_module_that_comes_into_the_model_in_the_block_is_an_error(stages, recording, torch, nn, runtime):
    """Its calls are not captured, while those of the one in its place before may have been."""
    import mlx.core as mx

    nn, x = {"torch": (torch.nn, torch.ones(1, 2)), "mlx": (nn, mx.ones((1, 2)))}[runtime]
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    layers, path = (net, "0") if runtime == "torch" else (net.layers, "layers.0")

    def run(**choice):
        with getattr(stages, runtime)(net, **choice):
            net(x)
            layers[0] = nn.Linear(2, 2)
            net(x)

    with pytest.raises(StageError, match=f"'{path}' was put into the model while it was watched"):
        run()
    run(include="output")
    assert names(recording)[-2:] == ["output@3", "output@4"]


def test_classes_of_mlx_are_as_they_were_after_the_block(stages, nn):
    """Also when the model raises, and where one class is watched twice."""
    import mlx.core as mx

    net, before = nn.Sequential(nn.Linear(2, 2)), (nn.Linear.__call__, nn.Sequential.__call__)
    with pytest.raises(ValueError, match="shape"), stages.mlx(net), stages.mlx(net, name="again"):
        net(mx.ones((1, 3)))
    assert (nn.Linear.__call__, nn.Sequential.__call__) == before


def test_mlx_modules_without_a_call_are_passed_over_and_named_where_they_are_asked_for(stages, recording, nn):
    """Codecs have quantisers that only encode and decode."""
    import mlx.core as mx

    class Codebook(nn.Module):
        def encode(self, values):
            return values * 2

    class Codec(nn.Module):
        def __init__(self):
            super().__init__()
            self.project, self.codebook = nn.Linear(4, 4), Codebook()

        def encode(self, values):
            return self.codebook.encode(self.project(values))

    codec = Codec()
    with stages.mlx(codec):
        codec.encode(mx.ones((1, 4)))
    assert names(recording) == ["project"]
    with (
        pytest.raises(StageError, match=r"include='codebook' captured nothing: 'codebook' has no __call__"),
        stages.mlx(codec, include="codebook"),
    ):
        codec.encode(mx.ones((1, 4)))


def test_other_instances_of_a_watched_class_of_mlx_are_not_captured(stages, recording, nn):
    """And a class that calls its parent's `__call__` is captured once."""
    import mlx.core as mx

    class Scaled(nn.Linear):
        def __call__(self, x):
            return 2 * super().__call__(x)

    net, other = nn.Sequential(Scaled(2, 2)), Scaled(2, 2)
    with stages.mlx(net, include="layers.0"):
        other(mx.ones((1, 2)))
        returned = net(mx.ones((1, 2)))
    assert names(recording) == ["layers.0"]
    assert np.array_equal(array(recording, "layers.0"), np.array(returned))


def test_a_parent_class_that_is_watched_too_is_not_taken_for_its_child(stages, recording, nn):
    """What `super().__call__` returns is no output of the module, whatever else in the model is of that class."""
    import mlx.core as mx

    class Scaled(nn.Linear):
        def __call__(self, x):
            return 2 * super().__call__(x)

    net = nn.Sequential(Scaled(2, 2), nn.Linear(2, 2))
    with stages.mlx(net, include="layers.*"):
        net(mx.ones((1, 2)))
    assert names(recording) == ["layers.0", "layers.1"]
    assert np.array_equal(array(recording, "layers.0"), np.array(net.layers[0](mx.ones((1, 2)))))


@pytest.mark.parametrize("runtime", ["torch", "mlx"])
def test_modules_in_two_places_have_one_name_in_both_runtimes(stages, recording, torch, nn, runtime):
    """That of the place where the model put them first, so that a port finds the reference's stages."""
    import mlx.core as mx

    nn, ones = {"torch": (torch.nn, torch.ones), "mlx": (nn, lambda *shape: mx.ones(shape))}[runtime]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.later = nn.Linear(2, 2)
            self.again = self.later
            layers = [nn.Linear(2, 2) for _ in range(11)]
            layers[10] = layers[2]
            self.layers = nn.ModuleList(layers) if runtime == "torch" else layers

        def __call__(self, x, depth=1):
            for layer in (self.again, self.layers[10]):
                x = layer(x)
            return self(x, depth - 1) if depth else x

        if runtime == "torch":
            forward = __call__
            __call__ = nn.Module.__call__

    net = Net()
    with getattr(stages, runtime)(net):
        net(ones(1, 2))
    assert names(recording) == ["later", "layers.2", "later@2", "layers.2@2", "output", "output@2"]


def test_a_module_inside_mx_compile_is_said_to_have_no_values(stages, nn):
    """Nothing can be read while MLX traces."""
    import mlx.core as mx

    net = nn.Linear(2, 2)
    with pytest.raises(StageError, match="'output' runs inside mx"), stages.mlx(net):
        mx.compile(lambda x: net(x))(mx.ones((1, 2)))


def test_bfloat16_and_other_devices_types_are_captured_as_such(stages, recording, torch):
    """Nothing is cast on the way."""
    net = torch.nn.Linear(2, 2).to(torch.bfloat16)
    with stages.torch(net):
        net(torch.ones(1, 2, dtype=torch.bfloat16))
    assert array(recording, "output").dtype.name == "bfloat16"


WRONG = {
    "include='layer.*' captured nothing: the model has nothing of that name; did you mean 'layers.": {
        "include": "layer.*"
    },
    "include='unused' captured nothing: 'unused' did not run": {"include": ["layers.0", "unused"]},
    "exclude= leaves it out": {"include": "shared", "exclude": "*"},
    "rename='layer.0' names nothing that was captured; did you mean 'layers.0'?": {"rename": {"layer.0": "x"}},
    "axes= or declare=: 'mel' matches no stage": {"axes": {"mel": "TBC"}},
    "unknown keyword 'tol_d', did you mean 'tol_db'?": {"tol_d": 1},
    "declare['*']: unknown keyword 'kinds', did you mean 'kind'?": {"declare": {"*": {"kinds": "codes"}}},
    "include=3 is no glob": {"include": 3},
    "nothing was captured: include= is empty": {"include": []},
    "axes='TBC' is no dictionary, such as {'*': 'BCT'}": {"axes": "TBC"},
    "rename=['layers.0'] is no dictionary": {"rename": ["layers.0"]},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_concerns_nothing_is_an_error_that_says_what_was_meant(stages, recording, torch, message):
    """A misspelt glob would otherwise compare less than the test seems to."""
    net = make_net(torch.nn)
    with pytest.raises(StageError) as error, stages.torch(net, **WRONG[message]):
        net(torch.ones(5, 1, 4))
    assert message in str(error.value)
    assert recording.doubts.failure is not None


@pytest.mark.filterwarnings("ignore")  # torch's own, of its own parts
def test_a_compiled_model_is_refused(stages, torch):
    """torch.compile runs past hooks, so nothing would be captured or only the first time."""
    net = torch.compile(torch.nn.Linear(2, 2))
    with pytest.raises(StageError, match="runs past hooks"), stages.torch(net):
        pass


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_modules_inside_torchscript_are_said_to_be_out_of_reach(stages, torch):
    """The whole model can be captured, its parts cannot."""
    net = torch.jit.trace(torch.nn.Sequential(torch.nn.Linear(2, 2)).eval(), torch.ones(1, 2))
    with stages.torch(net, include="output"):
        net(torch.ones(1, 2))
    with pytest.raises(StageError, match="'0' is inside TorchScript"), stages.torch(net, include="0"):
        net(torch.ones(1, 2))


@pytest.mark.filterwarnings("ignore")  # torch's own, of its own parts
def test_a_module_that_is_compiled_in_its_place_is_refused(stages, torch):
    """`module.compile()` keeps its class, and runs past hooks as well."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    net[0].compile(backend="eager")
    with pytest.raises(StageError, match="'0' is compiled by"), stages.torch(net):
        pass


@pytest.mark.filterwarnings("ignore")  # torch's own, of its own parts
@pytest.mark.parametrize("fullgraph", [False, True])
def test_modules_that_a_compiled_function_calls_are_refused(stages, torch, fullgraph):
    """Their values do not exist while it is compiled, and nothing is watched once it is."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    decode = torch.compile(lambda x: net(x) + 1, backend="eager", fullgraph=fullgraph)
    torch.compiler.reset()  # what is left of another test
    with pytest.raises(StageError, match="inside a function that torch\\.compile compiled"), stages.torch(net):
        decode(torch.ones(1, 2))


@pytest.mark.filterwarnings("ignore")  # torch's own, of its own parts
def test_a_model_beside_a_compiled_function_is_watched(stages, recording, torch):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
    with stages.torch(net):
        net(torch.ones(1, 2))
    assert names(recording) == ["0", "output"]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_scripted_modules_are_captured_where_python_calls_them(stages, recording, torch):
    """As a whole model, and as a part of one; what is inside is out of reach."""
    script = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    net = torch.nn.Sequential(script, torch.nn.Linear(2, 2))
    with stages.torch(net):
        net(torch.ones(1, 2))
    assert names(recording) == ["0", "1", "output"]
    with stages.torch(script, name="script"):
        script(torch.ones(1, 2))
    assert names(recording)[3:] == ["script"]
    with pytest.raises(StageError, match=r"'0\.0' is inside TorchScript"), stages.torch(net, include="0.0"):
        net(torch.ones(1, 2))


@pytest.mark.parametrize("value", [3, "net", None])
def test_what_is_no_module_is_refused(stages, value):
    """By its type."""
    with pytest.raises(StageError, match=r"takes a torch\.nn\.Module, not"), stages.torch(value):
        pass
    with pytest.raises(StageError, match=r"takes an mlx\.nn\.Module, not"), stages.mlx(value):
        pass


def test_each_call_is_copied_once_and_what_is_not_selected_never(stages, recording, torch):
    """While a test records, memory grows by what it keeps: nothing but copies of selected outputs is held."""
    import gc

    net = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(8)))
    with stages.torch(net, include="3"), torch.no_grad():
        net(torch.ones(1000, 64))
    gc.collect()
    alive = [found for found in gc.get_objects() if type(found) is torch.Tensor and found.shape == (1000, 64)]
    assert not alive
    assert names(recording) == ["3"]


def test_a_weight_norm_is_no_stage(stages, recording, torch):
    """It is called like a layer, and returns a weight that ports have folded."""
    net = torch.nn.Sequential(torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(2, 2, 3)))
    with stages.torch(net):
        net(torch.ones(1, 2, 5))
    assert names(recording) == ["0", "output"]
