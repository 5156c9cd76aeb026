"""A golden's values become an object such as the model was given: runtime, dtype, device, and nothing shared."""

from __future__ import annotations

import gc
import importlib
import sys
import types
import weakref

import ml_dtypes
import numpy as np
import pytest

from pytest_audioparity.adapters.arrays import as_array
from pytest_audioparity.adapters.likeness import likeness
from pytest_audioparity.errors import StageError

VALUES = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -8.0]], np.float32)


def made(value, array=VALUES):
    return likeness(value, as_array(value, "x").dtype)(array)


@pytest.fixture
def torch(needs):
    needs("torch")
    return importlib.import_module("torch")


@pytest.fixture
def mlx(needs):
    needs("mlx")
    return importlib.import_module("mlx.core")


class TestNumpy:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", ml_dtypes.bfloat16])
    def test_dtype_and_values_are_kept_and_no_memory_is_shared(self, dtype):
        like = np.zeros((2, 3), dtype)
        new = made(like)
        assert type(new) is np.ndarray
        assert (new.dtype, new.shape) == (like.dtype, (2, 3))
        assert (new.astype(np.float32) == VALUES).all()
        new[:] = 0
        assert VALUES[0, 0] == 1

    def test_the_order_in_memory_is_kept(self):
        assert made(np.zeros((2, 3), order="F")).flags.fnc
        assert made(np.zeros((2, 3))).flags.c_contiguous

    def test_a_read_only_golden_becomes_something_that_can_be_written(self):
        golden = VALUES.copy()
        golden.flags.writeable = False
        made(np.zeros((2, 3), np.float32), golden)[:] = 0

    def test_numbers_and_lists(self):
        number = made(np.float32(3), np.array(1.5))
        assert (type(number), number) == (np.float32, 1.5)
        assert made([[0.0] * 3] * 2) == VALUES.tolist()

    def test_integers_that_do_not_fit_and_other_families_are_refused(self):
        assert made(np.zeros(2, np.int32), np.array([1, 2])).tolist() == [1, 2]
        for like, array in [
            (np.zeros(2, np.int8), np.array([1, 300])),
            (np.zeros(2, np.int64), np.array([1.0, 2.0])),
            (np.zeros(2), np.array([1, 2])),
            (np.zeros(2), np.array([1j, 2])),
        ]:
            with pytest.raises(StageError, match=r"the golden has .* where the argument is"):
                made(like, array)

    def test_what_cannot_be_made_is_refused_by_its_type(self):
        class Box:
            def __array__(self, dtype=None, copy=None):
                return VALUES

        with pytest.raises(StageError, match=r"no .*Box can be made"):
            made(Box())


class TestTorch:
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "float8_e4m3fn"])
    def test_dtype_and_values_are_kept_and_no_memory_is_shared(self, torch, dtype):
        new = made(torch.zeros(2, 3).to(getattr(torch, dtype)))
        assert type(new) is torch.Tensor
        assert new.dtype is getattr(torch, dtype)
        assert (new.float().numpy() == VALUES).all()
        if dtype == "float32":
            new.zero_()
            assert VALUES[0, 0] == 1

    def test_integers_truth_values_complex_and_scalars(self, torch):
        assert made(torch.tensor([1, 2], dtype=torch.int32), np.array([3, 4])).dtype is torch.int32
        assert made(torch.tensor([True, False]), np.array([False, True])).tolist() == [False, True]
        assert made(torch.tensor([1j]), np.array([2j])).dtype is torch.complex64
        assert made(torch.tensor(1.0), np.array(2.0)).shape == ()
        assert made(torch.tensor(1.0).bfloat16(), np.array(2.0)).item() == 2

    def test_gradients_and_inference_are_kept(self, torch):
        leaf = torch.zeros(2, 3, requires_grad=True)
        for like in (leaf, leaf * 2, torch.zeros(2, 3), torch.nn.Parameter(torch.zeros(2, 3))):
            with torch.no_grad():  # whatever the mode just now
                new = made(like)
            assert (new.requires_grad, new.is_leaf) == (like.requires_grad, like.is_leaf)
        with torch.inference_mode():
            like = torch.zeros(2, 3)
        assert made(like).is_inference()
        with torch.inference_mode():
            assert not made(leaf).is_inference()

    def test_what_a_layer_returned_may_be_changed_in_place(self, torch):
        new = made(torch.zeros(2, 3, requires_grad=True) * 2)
        new.add_(1).sum().backward()

    def test_the_device_is_kept(self, torch):
        maker = likeness(torch.zeros(2, 3, device="meta"), np.dtype(np.float32))
        assert maker(VALUES).device.type == "meta"

    def test_the_tensor_is_not_kept_alive(self, torch):
        tensor = torch.zeros(2, 3)
        reference, maker = weakref.ref(tensor), likeness(tensor, np.dtype(np.float32))
        del tensor
        gc.collect()
        assert reference() is None
        assert maker(VALUES).shape == (2, 3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_mlx_arrays(mlx, dtype):
    new = made(mlx.zeros((2, 3), dtype=getattr(mlx, dtype)))
    assert (type(new), new.dtype) == (mlx.array, getattr(mlx, dtype))
    assert (np.array(new.astype(mlx.float32)) == VALUES).all()


def test_mlx_integers_and_scalars(mlx):
    assert made(mlx.array([1, 2], dtype=mlx.int8), np.array([3, 4])).dtype == mlx.int8
    assert made(mlx.array(1.0), np.array(2.0)).shape == ()


def test_ort_values(needs):
    needs("onnxruntime")
    runtime = importlib.import_module("onnxruntime")
    new = made(runtime.OrtValue.ortvalue_from_numpy(np.zeros((2, 3), np.float32)))
    assert isinstance(new, runtime.OrtValue)
    assert (new.numpy() == VALUES).all()


def test_jax_arrays_go_where_the_argument_is(monkeypatch):
    """The library itself is not needed to see that its one function is called rightly."""
    monkeypatch.setitem(sys.modules, "jax", types.SimpleNamespace(device_put=lambda array, place: (array, place)))
    array_type = type("ArrayImpl", (), {"__module__": "jax.fake", "sharding": "gpu 1"})
    array, place = likeness(array_type(), np.dtype(ml_dtypes.bfloat16))(VALUES)
    assert (array.dtype, place) == (np.dtype(ml_dtypes.bfloat16), "gpu 1")
