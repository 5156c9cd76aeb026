"""A corpus of realistic stages: real speech, its features, activations of real and of small seeded networks, codes.

`stages` builds it once per process. `healthy_of` makes variants of a stage that a healthy port would return.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_audioparity.adapters.dumps import load
from pytest_audioparity.faults.pointwise import rounded
from pytest_audioparity.faults.signals import stretched
from pytest_audioparity.records import StageMeta, StageTensor
from tests.faults.features import Arithmetic, clip, log_mel, network, residual_codes, spectrum

Array = np.ndarray[Any, Any]

ROOT = Path(__file__).resolve().parents[2]
# Real models, as traced for their own goldens.
_MODELS = {
    "silero": "examples/silero_vad/test_vad/test_vad-onnx",
    "hibari": "tests/models/test_hibari/test_every_stage_is_the_golden_s",
}
# More layers of the kind of others.
_LEFT_OUT = ("silero/encoder/layer_0", "silero/encoder/layer_2")
# A stage larger than this is cut along time, so that the corpus runs through in minutes.
_LARGEST = 120_000


@functools.cache
def stages() -> tuple[StageTensor, ...]:
    """Return the corpus. Names are unique, and begin with what the stage is."""
    made = [*_waveforms(), *_spectra(), *_networks(), *_codes(), *_models()]
    assert len({stage.meta.name for stage in made}) == len(made)
    return tuple(made)


def others_of(stage: StageTensor) -> tuple[StageTensor, ...]:
    """Return up to three stages of the same shape and dtype with other content: another clip, another layer."""
    array = stage.array
    same = (other for other in stages() if other.array.shape == array.shape and other.array.dtype == array.dtype)
    return tuple(other for other in same if not np.array_equal(other.array, array))[:3]


def _stage(name: str, array: Array, kind: str | None = None, axes: str | None = None, **declared: Any) -> StageTensor:
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    return StageTensor(StageMeta(name, kind=kind, axes=axes, **declared), np.ascontiguousarray(array))


def _waveforms() -> Iterator[StageTensor]:
    austen, rate = clip("austen")
    yield _stage("waveform/austen", austen[:40000], "waveform", "T", sample_rate=float(rate))
    yield _stage("waveform/short", austen[9000:11400], "waveform", "T", sample_rate=float(rate))
    yield _stage("waveform/undeclared", austen[8000:24000], "waveform")
    yield _stage("waveform/tensor", clip("cards")[0][4000:24000], None, None)
    yield _stage("waveform/batch", austen[np.newaxis, np.newaxis, :30000], "waveform", "BCT", sample_rate=float(rate))
    pair = np.stack([austen[6000:18000], clip("cards")[0][6000:18000]])
    yield _stage("waveform/batch2", pair, "waveform", "BT", sample_rate=float(rate))
    mary, high = clip("mary")
    yield _stage("waveform/48k", mary[20000:70000], "waveform", "T", sample_rate=float(high))
    lower = stretched(mary, 24000 / high, is_audio=True)
    yield _stage("waveform/24k", lower[5000:40000], "waveform", "T", sample_rate=24000.0)
    # Two voices at two places of a stage, one coming 11 samples late to the other ear.
    one, two = lower[5000:25000], stretched(clip("cards")[0], 1.5, is_audio=True)[10000:30000]
    left, right = one + 0.4 * np.roll(two, 11), 0.5 * np.roll(one, 11) + two
    yield _stage("waveform/stereo", np.stack([left, right]), "waveform", "CT", sample_rate=24000.0)


def _spectra() -> Iterator[StageTensor]:
    table = (
        ("austen", 80, 1024, 256, "ln", "BCT", 62.5),
        ("cards", 80, 1024, 256, "ln", "BCT", 62.5),
        ("austen", 80, 400, 160, "log10_power", "BCT", 100.0),
        ("cards", 40, 400, 160, "db", "CT", 100.0),
        ("austen", 128, 512, 160, "ln_power", "BTC", 100.0),
        ("mary", 100, 2048, 512, "db", "TC", 93.75),
        ("mary", 80, 1024, 256, "ln", None, None),
        ("cards", 64, 512, 128, "log10", "CT", 125.0),
    )
    for name, bins, size, hop, unit, axes, rate in table:
        mel = log_mel(name, bins, size, hop, unit)
        label = f"mel/{name}-{unit}{bins}-{axes or 'undeclared'}"
        yield _stage(label, _laid_out(mel, axes or "CT"), "log_spectrum", axes, unit=unit, frame_rate=rate)
    mels = [log_mel(name, 80, 1024, 256, "ln")[:, :110] for name in ("austen", "cards")]
    yield _stage("mel/two-clips", np.stack(mels), "log_spectrum", "BCT", unit="ln", frame_rate=62.5)
    yield _stage("mel/first-clip", mels[0], "log_spectrum", "CT", unit="ln", frame_rate=62.5)
    yield _stage("mel/second-clip", mels[1], "log_spectrum", "CT", unit="ln", frame_rate=62.5)
    yield _stage("mel/short", mels[0][:, 30:54].T[np.newaxis], "log_spectrum", "BTC", unit="ln", frame_rate=62.5)
    yield _stage("mel/plain-tensor", mels[0][:, :100])
    short = spectrum(clip("cards")[0].astype(np.float64), 400, 160)[:, :150]
    yield _stage("spectrum/magnitude", np.abs(short), None, "CT", frame_rate=100.0)
    yield _stage("spectrum/power-undeclared", np.abs(short) ** 2)
    yield _stage("spectrum/real-imaginary", np.stack([short.real, short.imag]), None, "ZCT", frame_rate=100.0)


def _laid_out(mel: Array, axes: str) -> Array:
    """Bring a mel (C, T) into the order of `axes`, with a batch of one if they name one."""
    rows = mel if axes.index("C") < axes.index("T") else mel.T
    return rows[np.newaxis] if "B" in axes else rows


@functools.cache
def network_mel() -> Array:
    """Return the mel that the seeded networks read."""
    return log_mel("austen", 80, 1024, 256, "ln")[:, 20:140]


# Stage of `network` -> kind, axes as declared, and the frames that are kept (None for all).
_NETWORK = {
    "conv0/before": ("tensor", "BCT", None),
    "conv0/gelu": ("tensor", "BCT", None),
    "conv1/before": (None, None, None),
    "conv1/gelu": ("tensor", "BTC", None),
    "norm": ("tensor", "BTC", None),
    "qkv": ("tensor", "BTC", None),
    "attention/logits": ("logits", "BHTS", None),
    "attention/probabilities": ("probabilities", "BHTS", None),
    "hidden": ("tensor", "BTC", None),
    "relu": ("tensor", "TC", None),
    "output": (None, None, 60),
    "gates": ("tensor", "BTC", None),
    "tanh": ("tensor", "BCT", None),
    "logits": ("logits", "BTV", 60),
    "probabilities": ("probabilities", "BTV", 60),
    "embedding": ("embedding", "BC", None),
}


def _networks() -> Iterator[StageTensor]:
    made = network(network_mel())
    for name, (kind, axes, frames) in _NETWORK.items():
        yield _stage(f"network/{name}", _placed(made[name], axes, frames), kind, axes)
    yield _stage("network/short", made["output"][40:60], None, "TC")
    yield _stage("network/short-undeclared", made["hidden"][30:62].T[np.newaxis])
    yield _stage("network/embedding-undeclared", made["embedding"], "embedding")
    yield _stage("network/embedding-normal", made["embedding"] / np.linalg.norm(made["embedding"]), "embedding", "C")
    other = network(log_mel("cards", 80, 1024, 256, "ln")[:, :120])
    pair = np.stack([made["output"], other["output"]])
    yield _stage("network/two-clips-btc", pair, "tensor", "BTC")
    yield _stage("network/two-clips-bct", pair.swapaxes(1, 2), "tensor", "BCT")
    yield _stage("network/other-clip", other["hidden"][np.newaxis], "tensor", "BTC")
    yield _stage("network/other-seed", network(network_mel(), seed=9)["hidden"][np.newaxis], "tensor", "BTC")
    yield _stage("network/square", made["hidden"][:96, :96], "tensor", "TC")


def _placed(array: Array, axes: str | None, frames: int | None) -> Array:
    """Bring a stage of `network`, time first, into the order of its axes."""
    if axes in ("BHTS", "BC"):
        return array[np.newaxis]
    kept = array[:frames]
    if axes is not None and axes.startswith("BC"):
        kept = kept.T
    return kept[np.newaxis] if axes is not None and "B" in axes else kept


def _codes() -> Iterator[StageTensor]:
    long, short = log_mel("austen", 80, 1024, 256, "ln"), log_mel("cards", 80, 1024, 256, "ln")
    yield _stage("codes/eight", residual_codes(long, 8, 1024)[np.newaxis], "codes", "BCT", frame_rate=62.5)
    yield _stage("codes/four", residual_codes(short, 4, 256).astype(np.int32), "codes", "CT", frame_rate=62.5)
    yield _stage("codes/btc", residual_codes(long, 6, 2048).T[np.newaxis], "codes", "BTC", frame_rate=62.5)
    yield _stage("codes/undeclared", residual_codes(short, 8, 64))
    yield _stage("codes/tokens", residual_codes(long, 1, 4096, seed=3)[0], "codes", "T", frame_rate=62.5)
    yield _stage("codes/batch2", np.stack([residual_codes(long, 4, 512, s)[:, :100] for s in (1, 2)]), "codes", "BCT")


def _models() -> Iterator[StageTensor]:
    for model, golden in _MODELS.items():
        for stage in load(ROOT / f"golden/{golden}.safetensors"):
            if f"{model}/{stage.meta.name}" in _LEFT_OUT:
                continue
            array = np.array(stage.array)
            axes = stage.meta.axes or ""
            if array.size > _LARGEST and "T" in axes:
                axis = axes.index("T")
                array = array.take(np.arange(max(40, array.shape[axis] * _LARGEST // array.size)), axis)
            yield StageTensor(replace(stage.meta, name=f"{model}/{stage.meta.name}"), array)


def healthy_of(stage: StageTensor, rng: np.random.Generator) -> Iterator[StageTensor]:
    """Yield what healthy ports of a stage return: the same, and the same up to the rounding of float32."""
    yield StageTensor(stage.meta, stage.array.copy())
    if stage.array.dtype.kind != "f":
        return
    for level in (3e-8, 1e-7, 3e-7, 1e-6):
        yield _like(stage, rounded(stage.array.astype(np.float64), level, rng))
    for detour in (_through_matrix, _through_blocks, _through_fft, _through_sums):
        yield _like(stage, detour(stage.array, rng))
    yield from _recomputed(stage)


def _like(stage: StageTensor, array: Array) -> StageTensor:
    return StageTensor(stage.meta, array.astype(stage.array.dtype).reshape(stage.array.shape))


def _through_matrix(x: Array, rng: np.random.Generator, blocks: int = 1) -> Array:
    """Rotate the last axis, or pieces of it, and rotate it back, in float32."""
    size = max(d for d in range(1, 257) if x.shape[-1] % d == 0)
    turn = np.linalg.qr(rng.standard_normal((size, size)))[0].astype(np.float32)
    sums = Arithmetic("float32", min(blocks, size))
    return sums.product(sums.product(x.reshape(-1, size), turn), np.ascontiguousarray(turn.T))


def _through_blocks(x: Array, rng: np.random.Generator) -> Array:
    return _through_matrix(x, rng, blocks=4)


def _through_fft(x: Array, _rng: np.random.Generator) -> Array:
    return np.fft.irfft(np.fft.rfft(x.astype(np.float32)).astype(np.complex64), x.shape[-1])


def _through_sums(x: Array, rng: np.random.Generator) -> Array:
    """Split into random parts and add them up again in float32."""
    parts = [(rng.standard_normal(x.shape) * x.std()).astype(np.float32) for _ in range(4)]
    rest = x.astype(np.float64) - np.sum(parts, axis=0, dtype=np.float64)
    return sum(parts, rest.astype(np.float32))


def _recomputed(stage: StageTensor) -> Iterator[StageTensor]:
    """Run the network that made the stage again, with its sums in another order and precision."""
    name = stage.meta.name.removeprefix("network/")
    if name not in _NETWORK or not stage.meta.name.startswith("network/"):
        return
    _, axes, frames = _NETWORK[name]
    for sums in (Arithmetic("float64"), Arithmetic("float32", 2), Arithmetic("float32", 7)):
        yield _like(stage, _placed(_network_again(sums)[name], axes, frames))


@functools.cache
def _network_again(sums: Arithmetic) -> dict[str, Array]:
    return network(network_mel(), sums)
