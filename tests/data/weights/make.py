"""Make the weight files beside this script, and `expected.npz`: what torch and coremltools themselves read from them.

    pip install torch==2.13.0 coremltools==9.0
    python tests/data/weights/make.py

They are committed so that the tests need neither package.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil import Builder
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.converters.mil.mil import types
from coremltools.models import neural_network
from coremltools.proto import Model_pb2

FOLDER = Path(__file__).parent
random = np.random.default_rng(6)


def normal(*shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype(np.float32)


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.register_buffer("window", torch.hann_window(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + torch.tensor([[0.5, 0.25]])


def write_torch() -> dict[str, np.ndarray]:
    base = torch.from_numpy(normal(4, 6))
    state = {
        "turned": base.t(),
        "sliced": base[1:3, ::2],
        "half": base.half(),
        "bits": base.bfloat16(),
        "tied": base,
        "mask": torch.tensor([True, False, True]),
        "count": torch.tensor(7),
        "per_channel": torch.quantize_per_channel(base, torch.rand(6) + 0.1, torch.arange(6), 1, torch.qint8),
    }
    optimiser = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    checkpoint = {"model": state, "optimizer": optimiser, "epoch": 3}
    torch.save(checkpoint, FOLDER / "zip.pt")
    torch.save(checkpoint, FOLDER / "legacy.pt", _use_new_zipfile_serialization=False)
    module = torch.jit.trace(Small(), torch.zeros(1, 3))
    module.save(FOLDER / "traced.pt")
    expected = {f"torch/model.{name}": as_numpy(tensor) for name, tensor in state.items()}
    traced = {f"traced/{name}": as_numpy(tensor) for name, tensor in module.state_dict().items()}
    return expected | traced | {"traced/CONSTANTS.c0": np.array([[0.5, 0.25]], np.float32)}


def as_numpy(tensor: torch.Tensor) -> np.ndarray:
    if tensor.is_quantized:
        return tensor.dequantize().numpy()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def program(target: ct.target, weights: dict) -> ct.models.MLModel:
    """Make a program that adds up what each constant gives, so that none of them is removed."""

    @Builder.program(input_specs=[Builder.TensorSpec(shape=(1,))], opset_version=target)
    def total(x):
        sum_ = x
        for make in weights.values():
            value = make()
            factor = Builder.cast(x=x, dtype="fp16") if value.dtype == types.fp16 else x
            part = Builder.reduce_sum(x=Builder.mul(x=factor, y=value), keep_dims=False)
            sum_ = Builder.add(x=sum_, y=Builder.cast(x=part, dtype="fp32"))
        return sum_

    passes = ct.PassPipeline.EMPTY
    return ct.convert(
        total, minimum_deployment_target=target, compute_precision=ct.precision.FLOAT32, pass_pipeline=passes
    )


def integers(low: int, high: int, shape: tuple[int, ...], dtype: object) -> np.ndarray:
    return random.integers(low, high, shape).astype(types.nptype_from_builtin(dtype))


def ios16(lit: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Return a constant for each way to store one, `lit` what of the sparse one is not zero."""
    return {
        "float32": lambda: Builder.const(val=normal(4, 3), name="float32"),
        "float16": lambda: Builder.const(val=normal(5, 4).astype(np.float16), name="float16"),
        "short": lambda: Builder.const(val=normal(3), name="short"),
        "affine": lambda: Builder.constexpr_affine_dequantize(
            quantized_data=integers(-128, 128, (4, 6), types.int8),
            zero_point=np.arange(4).astype(np.int8),
            scale=np.abs(normal(4)),
            axis=0,
            name="affine",
        ),
        "palette": lambda: Builder.constexpr_lut_to_dense(
            indices=random.integers(0, 256, 18).astype(np.uint8),  # 24 indices of 6 bits
            lut=normal(64),
            shape=np.array([4, 6], np.uint32),
            name="palette",
        ),
        "sparse": lambda: Builder.constexpr_sparse_to_dense(
            nonzero_data=normal(int(lit.sum())),
            mask=np.packbits(lit, bitorder="little"),
            shape=np.array([4, 6], np.uint32),
            name="sparse",
        ),
        "cast": lambda: Builder.constexpr_cast(
            source_val=normal(4, 6).astype(np.float16), output_dtype="fp32", name="cast"
        ),
    }


def ios18(lit: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Return what newer systems know beside."""
    return {
        "blocks": lambda: Builder.constexpr_blockwise_shift_scale(
            data=integers(-8, 8, (4, 8), types.int4), scale=np.abs(normal(4, 2)), name="blocks"
        ),
        "shifted": lambda: Builder.constexpr_blockwise_shift_scale(
            data=integers(0, 256, (4, 8), types.uint8),
            scale=np.abs(normal(1, 8)),
            offset=integers(0, 256, (1, 8), types.uint8),
            name="shifted",
        ),
        "grouped": lambda: Builder.constexpr_lut_to_dense(
            indices=integers(0, 8, (4, 6), types.uint3), lut=normal(2, 1, 8, 1), name="grouped"
        ),
        "vectors": lambda: Builder.constexpr_lut_to_dense(
            indices=integers(0, 4, (4, 6), types.uint2), lut=normal(1, 1, 4, 2), vector_axis=np.int32(0), name="vectors"
        ),
        "masked": lambda: Builder.constexpr_sparse_to_dense(
            nonzero_data=normal(int(lit.sum())), mask=lit.reshape(4, 6).astype(types.np_uint1_dtype), name="masked"
        ),
    }


def write_coreml() -> dict[str, np.ndarray]:
    lit = random.random(24) < 0.5
    expected = {}
    for name, target, weights in (("ios16", ct.target.iOS16, ios16(lit)), ("ios18", ct.target.iOS18, ios18(lit))):
        path = FOLDER / f"{name}.mlpackage"
        shutil.rmtree(path, ignore_errors=True)
        program(target, weights).save(path)
        expected |= {f"{name}/{key}": value for key, value in coremltools_values(path).items() if key in weights}
    return expected | write_network()


def coremltools_values(path: Path) -> dict[str, np.ndarray]:
    folder = path / "Data" / "com.apple.CoreML"
    model = Model_pb2.Model()
    model.ParseFromString((folder / "model.mlmodel").read_bytes())
    values = {}
    for function in load(model, model.specificationVersion, str(folder / "weights")).functions.values():
        for op in function.operations:
            if op.op_type == "const":
                values[op.outputs[0].name] = op.outputs[0].val
            elif op.op_type.startswith("constexpr_"):
                values[op.outputs[0].name] = op.materialized_val_inference()
    return values


def write_network() -> dict[str, np.ndarray]:
    weight, bias = normal(2, 3), normal(2)
    builder = neural_network.NeuralNetworkBuilder(
        [("x", ct.models.datatypes.Array(3))], [("y", ct.models.datatypes.Array(2))]
    )
    builder.add_inner_product("product", weight, bias, 3, 2, True, "x", "y")
    ct.models.utils.save_spec(builder.spec, str(FOLDER / "network.mlmodel"))
    return {"network/product.weights": weight, "network/product.bias": bias}


if __name__ == "__main__":
    torch.manual_seed(6)
    np.savez_compressed(FOLDER / "expected.npz", **write_torch(), **write_coreml())
