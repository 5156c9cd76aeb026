"""Which arguments are recorded stages is told by identity, which is neither kept alive for that nor mistaken."""

from __future__ import annotations

import collections
import gc
import importlib
import weakref

import numpy as np
import pytest

from pytest_audioparity.adapters.arrays import is_tensor
from pytest_audioparity.arguments import Arguments, Recorded, leaves
from pytest_audioparity.records import StageMeta

META, OTHER = StageMeta("a"), StageMeta("b")


def test_an_object_is_the_stage_that_was_recorded_of_it_and_an_equal_one_is_not():
    known, array = Recorded(), np.ones(3)
    known.add(array, META)
    assert known.meta_of(array) is META
    assert known.meta_of(array.copy()) is None
    assert known.meta_of(array[:]) is None


def test_of_a_buffer_that_was_recorded_twice_the_last_time_counts():
    known, array = Recorded(), np.ones(3)
    known.add(array, META)
    known.add(array, OTHER)
    assert known.meta_of(array) is OTHER


@pytest.mark.parametrize("value", [1, True, 1.5, 2j, "x", (), (1, 2), np.True_])
def test_what_python_shares_is_never_taken_for_a_stage(value):
    known = Recorded()
    known.add(value, META)
    assert known.meta_of(value) is None


@pytest.mark.parametrize("runtime", ["numpy", "torch", "mlx.core"])
def test_tensors_are_not_kept_alive_and_a_reused_identity_is_not_mistaken(needs, request, runtime):
    needs(runtime.partition(".")[0])
    module, known = importlib.import_module(runtime), Recorded()
    seen = set()
    gc.collect()
    gc.freeze()  # what other tests have left would be gone through fifty times
    request.addfinalizer(gc.unfreeze)
    for _ in range(50):
        tensor = module.ones((3,))
        assert known.meta_of(tensor) is None
        known.add(tensor, META)
        seen.add(id(tensor))
        reference = weakref.ref(tensor)
        del tensor
        gc.collect()
        assert reference() is None
    assert len(seen) < 50, "no identity was used twice, so nothing was tried"


@pytest.mark.parametrize("value", [[1.0, 2.0], np.float32(1.5)])
def test_what_has_no_weak_references_is_found_all_the_same(value):
    known = Recorded()
    known.add(value, META)
    assert known.meta_of(value) is META


Pair = collections.namedtuple("Pair", "h c")


def test_arguments_are_replaced_wherever_they_stand():
    a, b = np.ones(2), np.zeros(2)
    arguments = Arguments((a, [b, (a, 3)]), {"state": Pair(a, {"k": b}), "odd": {a.shape}})
    new = arguments.mapped(lambda value: "A" if value is a else value)
    assert new.args == ("A", [b, ("A", 3)])
    assert new.kwargs == {"state": Pair("A", {"k": b}), "odd": {(2,)}}
    assert arguments.args[1][1][0] is a
    assert [label for label, _ in arguments.labelled()] == ["argument 1", "argument 2", "state=", "odd="]


def test_leaves_are_all_objects_however_deep():
    a = np.ones(2)
    assert sum(leaf is a for leaf in leaves([a, {"x": (a, [a])}])) == 3


def test_tensors_are_told_from_other_arguments(needs):
    needs("torch")
    needs("mlx")
    torch, mlx = importlib.import_module("torch"), importlib.import_module("mlx.core")
    assert all(map(is_tensor, [np.ones(2), torch.ones(2), mlx.ones(2), torch.nn.Parameter(torch.ones(2))]))
    assert not any(map(is_tensor, [1.0, "x", None, [1.0], torch, torch.float32, mlx.float32]))
