"""The records of the comparison of weights: what readers make, what the matching takes and returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np

    from pytest_audioparity.keywords import WeightStatus

    Array = np.ndarray[Any, Any]

# What a tensor of the reference may have become. The first six pass, the next five fail; `extra` is reported of tensors
# that only the candidate has.
PASSING = ("same", "cast", "transposed", "permuted", "fused", "quantised")
FAILING = ("scaled", "swapped", "different", "random_init", "missing")
# A matrix is read as inputs by outputs (MatMul), or as outputs by inputs (Gemm with transB, and torch's Linear).
INPUTS_FIRST, OUTPUTS_FIRST = "inputs by outputs", "outputs by inputs"


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of a weight file. Its values are read when they are asked for, and kept by nobody but who asked.

    Attributes
    ----------
    name : as the file has it
    shape : of the values
    dtype : name of the numpy or ml_dtypes type of the values that `read` returns
    read : returns the values, a read-only view of the file where its format allows that
    stored : how the file holds them where that is not their dtype, such as ``int8`` or ``uint4`` of a quantised tensor
        whose scale was applied, and ``lut6`` of a palette
    step : returns the largest scale of integers of more than a byte, whose grid is too fine to be seen in the values
    operator : the operator that reads it, where the file tells: ``lstm`` or ``gru``, or a product with the matrix, by
        which of its axes comes first: `INPUTS_FIRST`, `OUTPUTS_FIRST`
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Array]
    stored: str | None = None
    operator: str | None = None
    step: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True)
class WeightFile:
    """The tensors of one file, in its order.

    Attributes
    ----------
    path : the file or folder
    format : safetensors, npz, onnx, torch, torchscript, mlpackage or gguf
    weights : its tensors
    notes : what could not be read and does not matter to the rest, one line each
    """

    path: Path
    format: str
    weights: tuple[Weight, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightMatch:
    """What became of one tensor of the reference.

    Attributes
    ----------
    name : of the reference's tensor
    matched : name of the candidate's tensor, or of several joined by " + "; None where there is none
    status : one of `PASSING` or `FAILING`
    detail : the numbers and words behind the status, plain JSON values
    """

    name: str
    matched: str | None
    status: WeightStatus
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the status is one of those that pass."""
        return self.status in PASSING


@dataclass(frozen=True, slots=True)
class WeightsResult:
    """The verdict on all tensors of the reference.

    Attributes
    ----------
    reference, candidate : the files
    matches : an entry for each tensor of the reference, in its order
    extra : the candidate's tensors that match none
    notes : what else a reader should know, a line each
    """

    reference: WeightFile
    candidate: WeightFile
    matches: tuple[WeightMatch, ...]
    extra: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Be true only when passed."""
        return self.passed

    @property
    def passed(self) -> bool:
        """Whether there is a tensor at all and every one passes."""
        return bool(self.matches) and all(match.passed for match in self.matches)
