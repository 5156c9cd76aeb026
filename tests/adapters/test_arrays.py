"""Anything array-like becomes a numpy array with the same values, or is refused in one line; nothing is imported."""

from __future__ import annotations

import array
import datetime
import decimal
import fractions
import subprocess
import sys
import warnings

import ml_dtypes
import numpy as np
import pytest

from pytest_audioparity.adapters.arrays import as_array, declare, plain_name, snapshot
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import StageMeta
from tests.arrays import same

STORABLE = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
]
SMALL = ["bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"]


def refused(value):
    with pytest.raises(StageError) as caught:
        as_array(value, "mel")
    message = str(caught.value)
    assert message.startswith("stage 'mel': ")
    assert "\n" not in message
    return message


class TestNumpy:
    @pytest.mark.parametrize("name", STORABLE)
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_every_dtype_of_a_golden_is_taken_without_a_copy(self, name, order):
        value = np.array([0, 1, 1]).astype(np.dtype(name).newbyteorder(order))
        assert as_array(value, "mel") is value

    @pytest.mark.parametrize("name", SMALL)
    def test_the_small_floats_of_ml_dtypes_are_taken(self, name):
        value = np.array([1, 2]).astype(getattr(ml_dtypes, name))
        assert as_array(value, "mel") is value

    @pytest.mark.parametrize("value", [np.float32(1.5), np.float64(1.5), np.int8(3), np.bool_(True), np.complex64(1j)])
    def test_scalars_become_arrays_without_dimensions(self, value):
        assert same(as_array(value, "mel"), np.array(value))
        assert as_array(value, "mel").shape == ()

    def test_a_strided_view_stays_one(self):
        value = np.arange(12.0).reshape(3, 4).T[::2]
        assert np.shares_memory(as_array(value, "mel"), value)

    def test_subclasses_become_plain_arrays(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            matrix = np.matrix([[1.0, 2.0]])
        mapped = np.memmap(tmp_path / "x", "float32", "w+", shape=(3,))
        assert type(as_array(matrix, "mel")) is type(as_array(mapped, "mel")) is np.ndarray
        assert as_array(matrix, "mel").shape == (1, 2)

    @pytest.mark.parametrize("mask", [[True, False], [False, False]])
    def test_masked_arrays_are_refused(self, mask):
        assert "fill it first" in refused(np.ma.masked_array([1.0, 2.0], mask))

    def test_the_masked_constant_is_refused(self):
        assert "fill it first" in refused(np.ma.masked)

    @pytest.mark.parametrize("shape", [(4,), (2, 2)])
    def test_truth_values_that_are_neither_0_nor_1_are_refused(self, shape):
        """As other languages store them; no golden holds them, and numpy counts them as it likes."""
        stored = np.array([0, 1, 255, 1], np.uint8).reshape(shape).view(bool)
        assert "other bytes than 0 and 1" in refused(stored.T)
        assert as_array(np.array(True), "mask").tolist() is True

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (np.array([None, 1]), "array of Python objects"),
            (np.array([[1, 2], [3]], object), "array of Python objects"),
            (np.array(["a"]), "record its ids"),
            (np.array([b"a"]), "record its ids"),
            (np.array([(1, 2.0)], [("x", "i4"), ("y", "f4")]), "cannot be stored"),
            (np.zeros(2, "V2"), "cannot be stored"),
            (np.array(["2020-01-01"], "M8[D]"), "cannot be stored"),
            (np.array([1], "m8[s]"), "cannot be stored"),
            (np.ones(2, ml_dtypes.int4), "cannot be stored"),
            (np.ones(2, ml_dtypes.float8_e4m3b11fnuz), "cannot be stored"),
        ],
    )
    def test_what_a_golden_cannot_hold_is_refused(self, value, said):
        assert said in refused(value)

    @pytest.mark.parametrize("name", ["longdouble", "clongdouble"])
    def test_long_doubles_are_refused_where_they_are_longer(self, name):
        double = {"longdouble": "float64", "clongdouble": "complex128"}[name]
        if np.dtype(name) == np.dtype(double):
            assert as_array(np.ones(1, name), "mel").dtype == double
        else:
            assert "cast it" in refused(np.ones(1, name))


class TestTuples:
    def test_a_tuple_of_tensors_is_not_stacked_even_where_it_could_be(self):
        assert "each as a stage of its own" in refused((np.ones(3), np.zeros(3)))
        assert as_array((1.0, 2.0), "pair").shape == (2,)
        assert as_array([np.ones(3), np.zeros(3)], "frames").shape == (2, 3)


class TestPython:
    @pytest.mark.parametrize(
        ("value", "dtype"),
        [
            (1, "int64"),
            (1.5, "float64"),
            (True, "bool"),
            (1j, "complex128"),
            ([1, 2], "int64"),
            ((1.0, 2), "float64"),
            ([[1], [2]], "int64"),
            ([], "float64"),
            (range(3), "int64"),
            (2**63, "uint64"),
            (bytearray(b"ab"), "uint8"),
            (memoryview(b"ab"), "uint8"),
            (array.array("f", [1, 2]), "float32"),
            ([np.float32(1), np.float32(2)], "float32"),
            ([np.ones(2, "float16"), np.ones(2, "float16")], "float16"),
        ],
    )
    def test_numbers_sequences_and_buffers_are_taken(self, value, dtype):
        taken = as_array(value, "mel")
        assert taken.dtype == dtype
        assert taken.tolist() == np.array(value).tolist()

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (None, "NoneType is not array-like"),
            ("text", "str is not array-like"),
            (b"bytes", "bytes is not array-like"),
            ({"a": 1}, "dict is not array-like"),
            ({1, 2}, "set is not array-like"),
            (frozenset([1]), "frozenset is not array-like"),
            (["a", "b"], "record its ids"),
            ([1, None], "array of Python objects"),
            ([1, "a"], "record its ids"),
            (object(), "array of Python objects"),
            ((x for x in (1, 2)), "array of Python objects"),
            (2**64, "array of Python objects"),
            (decimal.Decimal(1), "array of Python objects"),
            (datetime.datetime(2020, 1, 1), "array of Python objects"),
            (int, "array of Python objects"),
            ([[1, 2], [3]], "differ in length"),
            ([[1], [[2]]], "differ in length"),
            ([np.ones(2), np.ones(3)], "differ in length"),
        ],
    )
    def test_what_is_no_rectangle_of_numbers_is_refused(self, value, said):
        assert said in refused(value)


class ByProtocol:
    """An array of a library that nobody here has heard of."""

    def __init__(self, value):
        self.value = value


class ByArray(ByProtocol):
    def __array__(self, dtype=None, copy=None):
        return self.value


class ByDlpack(ByProtocol):
    def __dlpack__(self, **keywords):
        return self.value.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.value.__dlpack_device__()


class ByInterface(ByProtocol):
    @property
    def __array_interface__(self):
        return self.value.__array_interface__


class TestProtocols:
    @pytest.mark.parametrize("wrapper", [ByArray, ByDlpack, ByInterface])
    def test_each_protocol_gives_the_values_without_a_copy(self, wrapper):
        value = np.arange(6, dtype="float32").reshape(2, 3)
        taken = as_array(wrapper(value), "mel")
        assert same(taken, value)
        assert np.shares_memory(taken, value)

    def test_bfloat16_of_an_array_as_in_jax_stays_bfloat16(self):
        value = np.array([1, 2.5], ml_dtypes.bfloat16)
        assert as_array(ByArray(value), "mel") is value

    @pytest.mark.parametrize(
        "error",
        [
            ValueError("two\nlines"),
            RuntimeError(""),
            TypeError("\n"),
            KeyError("x"),
            RecursionError(),
            MemoryError("m"),
        ],
    )
    @pytest.mark.parametrize("protocol", ["__array__", "__dlpack__"])
    def test_an_object_that_raises_while_it_is_converted_is_refused(self, error, protocol):
        def fails(self, *args, **kwargs):
            raise error

        value = type("Broken", (), {protocol: fails, "__dlpack_device__": lambda _: (1, 0)})()
        assert "Broken is not array-like: " in refused(value)

    def test_an_interrupt_while_converting_is_not_swallowed(self):
        class Interrupted:
            def __array__(self, dtype=None, copy=None):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            as_array(Interrupted(), "mel")

    def test_using_numpy_arrays_and_lists_imports_no_runtime(self):
        code = (
            "import sys; import numpy as np; from pytest_audioparity.adapters.arrays import as_array, snapshot;"
            "snapshot(as_array(np.ones(3), 'a')); as_array([1.0], 'b'); as_array(np.float32(1), 'c');"
            "print([n for n in ('torch', 'mlx', 'jax', 'onnxruntime', 'tensorflow') if n in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestTorch:
    @pytest.fixture
    def torch(self, needs):
        needs("torch")
        import torch

        return torch

    @pytest.mark.parametrize("name", [n for n in STORABLE if not n.startswith("uint") or n == "uint8"])
    def test_every_plain_dtype_shares_its_memory(self, torch, name):
        tensor = torch.tensor([[0, 1], [1, 0]]).to(getattr(torch, name))
        taken = as_array(tensor, "mel")
        assert same(taken, np.array([[0, 1], [1, 0]]).astype(name))
        tensor[0, 0] = 1
        assert taken[0, 0] == 1

    @pytest.mark.parametrize("name", SMALL)
    @pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
    def test_small_floats_keep_their_type_and_bits(self, torch, name, shape):
        values = np.array(2.0) ** np.arange(int(np.prod(shape))).reshape(shape)
        tensor = torch.tensor(values).to(getattr(torch, name))
        assert same(as_array(tensor, "mel"), values.astype(getattr(ml_dtypes, name)))

    def test_what_autograd_and_views_add_is_taken_away(self, torch):
        parameter = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        assert as_array(parameter, "mel").tolist() == [[1, 2], [3, 4]]
        assert as_array(parameter * 2, "mel").tolist() == [[2, 4], [6, 8]]
        assert as_array(parameter.T, "mel").tolist() == [[1, 3], [2, 4]]
        assert as_array(parameter[:, 1], "mel").tolist() == [2, 4]
        assert as_array(parameter.to(torch.bfloat16).T, "mel").tolist() == [[1, 3], [2, 4]]
        with torch.inference_mode():
            assert as_array(torch.ones(2) + 1, "mel").tolist() == [2, 2]

    def test_conjugate_and_negative_views_are_resolved(self, torch):
        z = torch.tensor([1 + 2j, 3 - 4j])
        assert as_array(z.conj(), "mel").tolist() == [1 - 2j, 3 + 4j]
        assert as_array(z.conj().imag, "mel").tolist() == [-2, 4]

    @pytest.mark.parametrize(
        "make",
        [
            lambda torch: torch.eye(2).to_sparse(),
            lambda torch: torch.eye(2).to_sparse_csr(),
            lambda torch: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
            lambda torch: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
            lambda torch: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
        ],
        ids=["coo", "csr", "quantised", "nested", "jagged"],
    )
    @pytest.mark.filterwarnings("ignore")  # torch's own, about each of these
    def test_tensors_without_plain_values_are_refused(self, torch, make):
        assert "has no plain values" in refused(make(torch))

    @pytest.mark.filterwarnings("ignore")  # torch's own: complex32 is experimental
    def test_tensors_without_data_or_numpy_dtype_are_refused(self, torch):
        assert "meta tensor" in refused(torch.ones(2, device="meta"))
        assert "torch.Tensor is not array-like" in refused(torch.ones(2, dtype=torch.complex32))

    def test_what_torch_defines_and_is_no_tensor_is_refused(self, torch):
        assert "Linear is not a tensor" in refused(torch.nn.Linear(1, 1))
        assert "torch.dtype is not a tensor" in refused(torch.float32)
        assert "is not a tensor" in refused(torch.ones(2, 2).max(0))

    def test_a_list_of_tensors_that_need_gradients_says_why_it_is_refused(self, torch):
        assert "grad" in refused([torch.ones(1, requires_grad=True)] * 2)


class TestMlx:
    @pytest.fixture
    def mx(self, needs):
        needs("mlx")
        import mlx.core

        return mlx.core

    @pytest.mark.parametrize("name", [n for n in STORABLE if n != "complex128"])
    def test_every_plain_dtype_is_taken(self, mx, name):
        with mx.stream(mx.cpu):
            value = mx.array([[0, 1], [1, 0]]).astype(getattr(mx, "bool_" if name == "bool" else name))
            assert same(as_array(value, "mel"), np.array([[0, 1], [1, 0]]).astype(name))

    @pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
    def test_bfloat16_keeps_its_type_and_bits(self, mx, shape):
        values = (np.array(2.0) ** np.arange(int(np.prod(shape)))).reshape(shape).astype("float32")
        assert same(as_array(mx.array(values).astype(mx.bfloat16), "mel"), values.astype(ml_dtypes.bfloat16))

    @pytest.mark.parametrize("name", ["float32", "bfloat16"])
    def test_lazy_and_transposed_results_are_evaluated(self, mx, name):
        value = mx.array([[1.0, 2.0], [3.0, 4.0]]).astype(getattr(mx, name))
        assert as_array((value + 1).T, "mel").tolist() == [[2, 4], [3, 5]]

    def test_what_mlx_defines_and_is_no_array_is_refused(self, mx):
        assert "is not a tensor" in refused(mx.float32)


class TestOnnxRuntime:
    @pytest.fixture
    def ort(self, needs):
        needs("onnxruntime")
        import onnxruntime

        return onnxruntime

    @pytest.mark.parametrize("name", [n for n in STORABLE if not n.startswith("complex")])
    def test_every_plain_dtype_is_taken(self, ort, name):
        value = np.array([[0, 1], [1, 0]]).astype(name)
        taken = ort.OrtValue.ortvalue_from_numpy(value)
        assert same(as_array(taken, "mel"), value)
        assert same(as_array(taken._ortvalue, "mel"), value)

    # The numbers of TensorProto.DataType: https://onnx.ai/onnx/api/classes.html#tensorproto
    @pytest.mark.parametrize(
        ("name", "number"),
        [
            ("bfloat16", 16),
            ("float8_e4m3fn", 17),
            ("float8_e4m3fnuz", 18),
            ("float8_e5m2", 19),
            ("float8_e5m2fnuz", 20),
        ],
    )
    @pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
    def test_small_floats_keep_their_type_and_are_not_taken_for_integers(self, ort, name, number, shape):
        values = np.array(2.0) ** np.arange(int(np.prod(shape))).reshape(shape)
        expected = np.asarray(values).astype(getattr(ml_dtypes, name))
        bits = expected.view("uint16" if name == "bfloat16" else "uint8")
        value = ort.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, number)
        assert same(as_array(value, "mel"), expected)
        assert same(as_array(value._ortvalue, "mel"), expected)

    def test_what_onnxruntime_defines_and_is_no_tensor_is_refused(self, ort):
        assert "no tensor" in refused(ort.SessionOptions())

    @pytest.mark.parametrize(
        ("stated", "device", "said"),
        [
            ("tensor(int4)", "cpu", "tensor(int4)"),
            ("tensor(string)", "cpu", "tensor(string)"),
            ("tensor(bfloat16)", "cuda", "on cuda"),
        ],
    )
    @pytest.mark.usefixtures("ort")
    def test_values_that_cannot_be_read_are_refused(self, stated, device, said):
        value = type("OrtValue", (), {"data_type": lambda _: stated, "device_name": lambda _: device})
        value.__module__ = "onnxruntime.capi"
        assert said in refused(value())


class TestSnapshot:
    @pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i8", "bool", ml_dtypes.bfloat16, "complex64"])
    def test_later_changes_of_the_original_do_not_reach_it(self, dtype):
        original = np.ones((2, 3)).astype(dtype).T
        taken = snapshot(original)
        original[...] = 0
        assert taken.tolist() == np.ones((3, 2)).astype(dtype).tolist()
        assert taken.flags.c_contiguous
        assert taken.flags.writeable
        assert taken.dtype.isnative

    def test_a_torch_buffer_that_is_reused_does_not_change_it(self, needs):
        needs("torch")
        import torch

        buffer = torch.ones(3)
        taken = snapshot(as_array(buffer, "mel"))
        buffer.zero_()
        assert taken.tolist() == [1, 1, 1]


NOTHING = {"kind": None, "axes": None, "unit": None, "sample_rate": None, "frame_rate": None}
FLOATS = np.ones((1, 80, 7), "float32")


def declared(array=FLOATS, **said):
    return declare("mel", array, **{**NOTHING, **said})


class TestDeclare:
    def test_what_fits_is_returned_as_it_was_said(self):
        meta = declared(kind="log_spectrum", axes="BCT", unit="ln", sample_rate=24_000, frame_rate=86.13)
        assert meta == StageMeta("mel", "log_spectrum", "BCT", "ln", 24_000, 86.13)

    def test_nothing_is_guessed(self):
        assert declared() == StageMeta("mel")

    @pytest.mark.parametrize("kind", ["tensor", "waveform", "log_spectrum", "logits", "probabilities", "embedding"])
    def test_every_kind_of_the_contract_fits_floats(self, kind):
        assert declared(kind=kind).kind == kind

    @pytest.mark.parametrize("kind", ["mel", "Tensor", "", 5, ["codes"], np.ones(3)])
    def test_an_unknown_kind_is_refused_with_the_known_ones(self, kind):
        with pytest.raises(StageError, match="is none of tensor, waveform, log_spectrum"):
            declared(kind=kind)

    @pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
    def test_codes_are_integers(self, dtype):
        assert declared(FLOATS.astype(dtype), kind="codes").kind == "codes"

    @pytest.mark.parametrize("dtype", ["float32", "float16", "complex64", ml_dtypes.bfloat16])
    def test_codes_that_are_not_integers_are_refused(self, dtype):
        with pytest.raises(StageError, match="kind='codes' needs integers"):
            declared(FLOATS.astype(dtype), kind="codes")

    @pytest.mark.parametrize(
        "axes", ["BC", "BCTX", "BBT", "", "B T", "B,T", "BC1", ("B", "C", "T"), ["B", "C", "T"], 3, b"BCT"]
    )
    def test_axes_that_do_not_name_each_dimension_once_are_refused(self, axes):
        with pytest.raises(StageError, match="must name each of its 3 dimensions with one letter"):
            declared(axes=axes)

    @pytest.mark.parametrize(("shape", "axes"), [((), ""), ((3,), "T"), ((1, 2, 3), "bTZ"), ((2, 2), "μν")])
    def test_axes_are_one_letter_per_dimension(self, shape, axes):
        assert declared(np.ones(shape), axes=axes).axes == axes

    @pytest.mark.parametrize("unit", ["db", "ln", "ln_power", "log10", "log10_power"])
    def test_a_log_spectrum_has_one_of_the_known_units(self, unit):
        assert declared(kind="log_spectrum", unit=unit).unit == unit

    @pytest.mark.parametrize("unit", ["dB", "dBFS", "", "nepers"])
    def test_a_log_spectrum_of_an_unknown_unit_is_refused(self, unit):
        with pytest.raises(StageError, match="of a log_spectrum is none of db, ln, ln_power, log10, log10_power"):
            declared(kind="log_spectrum", unit=unit)

    @pytest.mark.parametrize("kind", [None, "tensor", "waveform"])
    def test_elsewhere_the_unit_is_free_text(self, kind):
        assert declared(kind=kind, unit="Pa·s").unit == "Pa·s"

    @pytest.mark.parametrize("unit", [5, ["ln"], b"ln", "two\nlines"])
    @pytest.mark.parametrize("kind", [None, "log_spectrum"])
    def test_a_unit_that_is_no_line_of_text_is_refused(self, kind, unit):
        with pytest.raises(StageError, match="is not a line of text"):
            declared(kind=kind, unit=unit)

    @pytest.mark.parametrize("label", ["sample_rate", "frame_rate"])
    @pytest.mark.parametrize(
        "rate",
        [24000, 12.5, np.int64(24000), np.int16(8000), np.float32(12.5), np.float64(86.13), fractions.Fraction(25, 2)],
    )
    def test_rates_are_positive_numbers_of_any_library(self, label, rate):
        stored = getattr(declared(**{label: rate}), label)
        assert stored == float(rate)
        assert type(stored) in (int, float)

    @pytest.mark.parametrize("label", ["sample_rate", "frame_rate"])
    @pytest.mark.parametrize(
        "rate",
        [
            *(
                0,
                0.0,
                -1,
                -12.5,
                float("nan"),
                float("inf"),
                1e10,
                10**400,
                True,
                False,
                np.bool_(True),
                np.float32("nan"),
            ),
            *("24000", [24000], np.array(24000), np.array([24000]), 1j, decimal.Decimal(24000)),
        ],
    )
    def test_a_rate_that_is_no_positive_number_is_refused(self, label, rate):
        with pytest.raises(StageError, match=f"{label}=.* is not a positive number of Hz"):
            declared(**{label: rate})

    @pytest.mark.parametrize("name", ["mel", "ode/0", "メル", "a b", "decoder.0.weight"])
    def test_printable_text_is_a_stage_name(self, name):
        assert plain_name(name) == name
        assert declare(name, FLOATS, **NOTHING).name == name

    @pytest.mark.parametrize(
        "name", ["", " ", "\n", "a\nb", "a\0", "\x1b[0m", "\udc80", "__metadata__", 5, None, b"mel"]
    )
    def test_anything_else_is_no_stage_name(self, name):
        with pytest.raises(StageError, match="is no stage name") as caught:
            declare(name, FLOATS, **NOTHING)
        assert "\n" not in str(caught.value)
