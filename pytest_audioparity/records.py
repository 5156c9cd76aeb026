"""The frozen records that travel between the layers: what is declared of a stage, allowed, measured and found.

What follows from them, the verdicts, stands in `results`. Numbers follow one convention: ``None`` means that the number
does not exist for these inputs (a correlation with a constant, a deviation between different shapes); ``inf`` is a true
value (one side is silent). JSON turns both to null.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

PASS: Final = "pass"  # noqa: S105 - a verdict, no password
FAIL: Final = "fail"
NOT_MEASURED: Final = "not_measured"

KINDS = ("tensor", "waveform", "log_spectrum", "logits", "probabilities", "embedding", "codes")

# What may be declared of a stage beside its name, in the order of `StageMeta`.
DECLARED = ("kind", "axes", "unit", "sample_rate", "frame_rate")

# How many dB one unit of a logarithmic scale is worth. `ln` and `log10` are logarithms of an amplitude,
# the `_power` units of a power: 20·log10(x) = (20/ln 10)·ln(x).
DB_PER_UNIT = {
    "db": 1.0,
    "ln": 8.685889638065037,
    "ln_power": 4.342944819032518,
    "log10": 20.0,
    "log10_power": 10.0,
}


# Sample rates in Hz that audio may have: narrower than telephony says nothing of words, DXD has half of the highest.
LOWEST_RATE, HIGHEST_RATE = 4_000, 768_000

# What a stage is to its model. An input is what the model is given, noise included: nothing of the model made it.
INPUT = "input"
ROLES = (INPUT,)


@dataclass(frozen=True, slots=True)
class StageMeta:
    """What is declared of a stage. ``None`` means not declared, which is never guessed at.

    `role` is `INPUT` for what the model was given; it says where a stage comes from and is not compared.
    """

    name: str
    kind: str | None = None
    axes: str | None = None
    unit: str | None = None
    sample_rate: float | None = None
    frame_rate: float | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class StageTensor:
    """One named tensor with its declaration: what adapters make, goldens hold and the comparison takes."""

    meta: StageMeta
    array: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What one stage is allowed.

    Attributes
    ----------
    tol_db : largest deviation in dB, or None to judge by the other criteria alone
    tol_peak_db : largest deviation of a single element in dB
    peak_is_derived : True while `tol_peak_db` is the default of 100·tol_db
    min_snr_db : smallest signal-to-error ratio in dB
    min_stoi, min_estoi, min_pesq_wb, min_pesq_nb : smallest audio scores, of waveforms
    words : "kept", or "any" for a waveform that may lose its words within the other limits
    atol, rtol : every element must satisfy |actual − expected| ≤ atol + rtol·|expected|
    min_match : smallest share of equal codes, 0 to 1
    precision : fp32, fp16, bf16 or int8; sets the default of `tol_db` and the float type that is accepted
    dtype : "same" or "any"
    allow_empty : whether a stage without elements passes
    max_drop : by how much the mean may be below the expected one, of a score that may be as much better as it likes
    """

    tol_db: float | None
    tol_peak_db: float | None
    peak_is_derived: bool = True
    min_snr_db: float | None = None
    atol: float | None = None
    rtol: float | None = None
    min_match: float = 1.0
    precision: str = "fp32"
    dtype: str = "same"
    allow_empty: bool = False
    max_drop: float | None = None
    min_stoi: float | None = None
    min_estoi: float | None = None
    min_pesq_wb: float | None = None
    min_pesq_nb: float | None = None
    words: str = "kept"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison. Statistics are over the finite elements; of complex tensors over both parts."""

    shape: tuple[int, ...]
    dtype: str
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    nan: int = 0
    inf: int = 0
    first_nonfinite: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Worst:
    """The element with the largest difference, or the first wrong code."""

    index: tuple[int, ...]
    label: str
    seconds: float | None
    expected: float
    actual: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All numbers of one comparison. See `docs/numbers.md` for the formulas.

    Attributes
    ----------
    expected, actual : shape, dtype and statistics of the two sides
    size : number of elements that were compared
    deviation_db, peak_db : how far actual is from expected, and the worst single element, in dB
    snr_db : signal-to-error ratio in dB
    level_db : rms of actual over that of expected in dB, signed
    bias : mean of actual less expected
    correlation, gain, offset : of the best fit actual = gain * expected + offset
    max_abs : largest absolute difference
    excess : the most by which an element is beyond rtol*|expected|; `atol` is its limit
    worst : the element with the largest difference
    match : of codes, the share that is equal
    details : what kinds add: match per codebook, top-1 agreement, cosine, lag, bias per bin
    """

    expected: Side
    actual: Side
    size: int
    deviation_db: float | None = None
    peak_db: float | None = None
    snr_db: float | None = None
    level_db: float | None = None
    bias: float | None = None
    correlation: float | None = None
    gain: float | None = None
    offset: float | None = None
    max_abs: float | None = None
    excess: float | None = None
    worst: Worst | None = None
    match: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A named cause with its evidence.

    Attributes
    ----------
    code : its name in `docs/findings.md`
    message : one sentence with the number and what to check
    explains : the share of the squared error that it removes, 0 to 1, where that exists
    detail : the numbers behind it
    """

    code: str
    message: str
    explains: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape as in ``1x80x412``; ``scalar`` for no dimensions."""
    return "x".join(map(str, shape)) or "scalar"
