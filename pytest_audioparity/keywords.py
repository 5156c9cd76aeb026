"""The keywords of marks, of `Stages` and of the library as types: editors complete them, checkers refuse typos.

What a keyword means stands with the calls that take it; what it accepts when a test runs, in
`comparison.tolerances` and `roundtrip.limits`. Nothing here is used at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from typing_extensions import Required

Verdict = Literal["pass", "fail", "not_measured"]
AudioVerdict = Literal[
    "silent", "garbled", "wrong_content", "misaligned", "clipped", "degraded", "level_changed", "ok", "not_measured"
]
WeightStatus = Literal[
    "same",
    "cast",
    "transposed",
    "permuted",
    "fused",
    "quantised",
    "scaled",
    "swapped",
    "different",
    "random_init",
    "missing",
]
Kind = Literal["tensor", "waveform", "log_spectrum", "logits", "probabilities", "embedding", "codes"]
LogUnit = Literal["db", "ln", "ln_power", "log10", "log10_power"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
DtypeRule = Literal["same", "any"]
WordsRule = Literal["kept", "any"]
AudioAxes = Literal["T", "CT", "BT", "TC", "BCT", "BTC"]
RoundtripCheck = Literal[
    "codes_integer",
    "codes_in_range",
    "codebooks",
    "codes_shape",
    "stale_state",
    "leaked_state",
    "fresh_instance",
    "streaming",
    "stream_encoding",
    "seams",
    "finite",
    "bounded",
    "dc",
    "level",
    "clipping",
    "length",
    "delay",
    "polarity",
    "rate",
    "words",
]
SamplerSetting = Literal["temperature", "top_k", "top_p"]


class Tolerances(TypedDict, total=False):
    """What a stage is allowed: keywords of `parity`, of `Stages`, of `compare`, and of the globs in ``stages=``."""

    tol_db: float | None
    tol_peak_db: float | None
    min_snr_db: float | None
    atol: float | None
    rtol: float | None
    min_match: float
    min_stoi: float | None
    min_estoi: float | None
    min_pesq_wb: float | None
    min_pesq_nb: float | None
    words: WordsRule
    precision: Precision
    dtype: DtypeRule
    allow_empty: bool


class Declarations(TypedDict, total=False):
    """What is said of a stage: keywords of `Stages.record`, of `compare`, and of the globs in ``declare=``."""

    kind: Kind | None
    axes: str | None
    unit: LogUnit | None
    sample_rate: float | None
    frame_rate: float | None


class StageKeywords(Tolerances, Declarations, total=False):
    """What `Stages.record` and `Stages.input` take beside name and tensor."""


class CaptureKeywords(Tolerances, total=False):
    """What `Stages.torch`, `Stages.mlx` and `Stages.onnx` take beside the model."""

    include: str | Sequence[str] | None
    exclude: str | Sequence[str]
    name: str | None
    rename: Mapping[str, str] | None
    axes: Mapping[str, str] | None
    declare: Mapping[str, Declarations] | None


class ParityKeywords(Tolerances, total=False):
    """What the mark `parity` takes."""

    stages: dict[str, Tolerances]
    golden: str | None
    port: bool
    only: list[str] | tuple[str, ...] | None


class CompareKeywords(StageKeywords, total=False):
    """What `compare` and `assert_parity` take beside the two sides; `stages` is for mappings."""

    actual_axes: str | None
    stages: dict[str, Tolerances]


class RoundtripLimits(TypedDict, total=False):
    """What the mark `codec_roundtrip` takes."""

    min_stoi: float | None
    min_estoi: float | None
    min_pesq_wb: float | None
    min_pesq_nb: float | None
    min_si_sdr: float | None
    min_snr: float | None
    max_log_spectral_distance: float | None
    max_mel_cepstral_distortion: float | None
    max_f0_error: float | None
    max_f0_frame_error: float | None
    max_drop_stoi: float | None
    max_drop_estoi: float | None
    max_drop_pesq_wb: float | None
    max_drop_pesq_nb: float | None
    max_drop_si_sdr: float | None
    max_drop_snr: float | None
    max_wer: float | None
    max_wer_rise: float | None
    max_level_db: float
    max_dc: float
    max_peak: float | None
    tol_db: float
    min_match: float
    skip: list[RoundtripCheck] | tuple[RoundtripCheck, ...] | set[RoundtripCheck] | frozenset[RoundtripCheck]


class CheckRoundtripKeywords(RoundtripLimits, total=False):
    """What `check_roundtrip` takes beside clips: the codec, as the fixture has it, and the limits of the mark."""

    encode: Required[Callable[[Any], Any]]
    decode: Required[Callable[[Any], Any]]
    sample_rate: Required[float]
    decode_stream: Callable[[Any, int], Any] | None
    encode_stream: Callable[[Any, int], Any] | None
    fresh: Callable[[], Any] | None
    codes: Callable[[Any], Any] | None
    codes_axes: str | None
    codebooks: int | None
    codebook_size: int | None
    frame_samples: int | None
    delay_samples: int
    chunk_frames: Iterable[int]
    axes: AudioAxes
    to: Callable[[Any], Any] | None


class SamplerKeywords(TypedDict, total=False):
    """What `assert_sampler` takes beside the sampler and its logits."""

    temperature: float
    top_k: int | None
    top_p: float | None
    n: int | None
    false_alarm: float
    order: Sequence[SamplerSetting]
