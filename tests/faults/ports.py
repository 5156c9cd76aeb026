"""Faults made where they happen: the computation itself is done wrong, and the stage behind it is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import soxr

from pytest_audioparity.faults import Fault
from pytest_audioparity.faults.pointwise import gelu, gelu_tanh, silu
from pytest_audioparity.records import StageMeta, StageTensor
from tests.faults.corpus import network_mel
from tests.faults.features import clip, frames_of, mel_filters, network

Array = np.ndarray[Any, Any]

_BINS, _SIZE, _HOP = 80, 1024, 256


def port_faults() -> Iterator[tuple[StageTensor, Fault]]:
    """Yield pairs of a right stage and its fault."""
    for name in ("austen", "cards"):
        yield from _front_end(name)
    yield from _layers()


def _pair(
    code: str, name: str, expected: Array, actual: Array, also: tuple[str, ...] = (), **declared: Any
) -> tuple[StageTensor, Fault]:
    meta = StageMeta(f"port/{name}", **declared)
    assert not np.array_equal(expected, actual)
    right, wrong = (StageTensor(meta, np.ascontiguousarray(side.astype(np.float32))) for side in (expected, actual))
    return right, Fault(code, name, wrong, also)


def _magnitude(samples: Array, window: Array, pad: str = "reflect") -> Array:
    frames = frames_of(samples, _SIZE, _HOP)
    if pad == "zero":
        padded = np.pad(samples, _SIZE // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::_HOP]
    return np.abs(np.fft.rfft(frames * window)).T


def _front_end(name: str) -> Iterator[tuple[StageTensor, Fault]]:
    """Compute a log-mel wrongly in the ways that ports of front ends do."""
    samples, rate = clip(name)
    audio = samples.astype(np.float64)
    hann = np.hanning(_SIZE + 1)[:-1]
    filters = mel_filters(_BINS, _SIZE, rate)
    mel = filters @ _magnitude(audio, hann)
    right = np.log(np.maximum(mel, 1e-5))
    declared = {"kind": "log_spectrum", "axes": "CT", "unit": "ln", "frame_rate": rate / _HOP}
    table: list[tuple[str, str, Array, tuple[str, ...]]] = [
        ("log_base", "log10 for ln", np.log10(np.maximum(mel, 1e-5)), ()),
        ("log_base", "dB for ln", 20 * np.log10(np.maximum(mel, 1e-5)), ()),
        ("offset", "window normalised to a sum of one", np.log(np.maximum(mel / hann.sum(), 1e-9)), ("floor",)),
        ("offset", "samples 1.46 dB low", np.log(np.maximum(mel * 10 ** (-1.46 / 20), 1e-9)), ("floor",)),
        ("edges", "zeros for reflection", np.log(np.maximum(filters @ _magnitude(audio, hann, "zero"), 1e-5)), ()),
        # A filter of another area scales its bin by one number, which is an offset of the logarithm.
        ("channel_offset", "Slaney's area of the filters", _slaney(mel, filters), ()),
    ]
    yield from (_pair(code, f"{name}: {what}", right, wrong, also, **declared) for code, what, wrong, also in table)
    # Padded by half a hop less, every frame begins half a hop later.
    later = np.log(np.maximum(filters @ _magnitude(audio[_HOP // 2 :], hann), 1e-5))
    yield _pair("time_shift", f"{name}: half a hop of padding less", right[:, : later.shape[1]], later, **declared)
    # With a window of sum one, a usual floor is where speech is silent.
    quiet = mel / hann.sum()
    right = np.log(np.maximum(quiet, 1e-4))
    for what, wrong in (("1e-4 added, not the larger taken", quiet + 1e-4), ("1e-6 for 1e-4", np.maximum(quiet, 1e-6))):
        yield _pair("floor", f"{name}: {what}", right, np.log(wrong), **declared)
    linear = _magnitude(audio, hann)
    again = _magnitude(np.concatenate([np.zeros(_HOP), audio])[: len(audio)], hann)
    yield _pair("time_shift", f"{name}: a hop late", linear, again, axes="CT", frame_rate=rate / _HOP)
    yield from _waveform(name)


def _waveform(name: str) -> Iterator[tuple[StageTensor, Fault]]:
    samples, rate = clip(name)
    audio = samples[:40000].astype(np.float64)
    declared = {"kind": "waveform", "axes": "T", "sample_rate": float(rate)}
    loud = audio / np.abs(audio).max() * 1.2
    yield _pair(
        "clipped", f"{name}: int16 clamp", loud, np.clip(np.round(loud * 32767), -32768, 32767) / 32767, **declared
    )
    yield _pair("quantised", f"{name}: 8 bit", audio, np.round(audio * 127) / 127, **declared)
    narrow = soxr.resample(soxr.resample(audio, 2, 1), 1, 2)[: len(audio)]
    yield _pair("filtered", f"{name}: resampled down and up", audio, narrow, **declared)
    # Without division by the sum of squared windows, overlap of three quarters leaves a gain of exactly 1.5.
    hann = np.hanning(_SIZE + 1)[:-1]
    spectrum = np.fft.rfft(frames_of(audio, _SIZE, _HOP) * hann)
    pieces = np.fft.irfft(spectrum) * hann
    added = np.zeros(len(audio) + 2 * _SIZE)
    for index, piece in enumerate(pieces):
        added[index * _HOP : index * _HOP + _SIZE] += piece
    inner = slice(_SIZE, len(audio) - _SIZE)
    wrong = added[_SIZE // 2 :][: len(audio)]
    yield _pair("gain", f"{name}: inverse STFT without normalisation", audio[inner], wrong[inner], **declared)


def _slaney(mel: Array, filters: Array) -> Array:
    return np.log(np.maximum(mel / filters.sum(axis=1, keepdims=True), 1e-9))


def _leaky(x: Array, slope: float) -> Array:
    return np.where(x < 0, slope * x, x)


def _layers() -> Iterator[tuple[StageTensor, Fault]]:
    """Compute layers of the seeded network wrongly, on what the layers before them gave."""
    right = network(network_mel())
    before = right["conv0/before"].astype(np.float64)
    declared = {"kind": "tensor", "axes": "TC"}
    yield _pair("pointwise", "GELU by tanh", gelu(before), gelu_tanh(before), **declared)
    yield _pair("pointwise", "SiLU for GELU", gelu(before), silu(before), **declared)
    yield _pair("pointwise", "leaky 0.1 for 0.01", _leaky(before, 0.01), _leaky(before, 0.1), **declared)
    x = right["conv1/gelu"].astype(np.float64)
    centered = x - x.mean(axis=1, keepdims=True)
    for epsilon in (1e-1, 1e-2):
        wrong = centered / np.sqrt(np.mean(centered**2, axis=1, keepdims=True) + epsilon)
        yield _pair("channel_gain", f"norm with ε {epsilon:g} for 1e-5", right["norm"], wrong, **declared)
    scores = right["attention/logits"][np.newaxis]
    yield _pair("gain", "attention not scaled", scores, scores * math.sqrt(32), kind="logits", axes="BHTS")
    qkv = right["qkv"]
    order = np.concatenate([np.arange(128, 256), np.arange(128), np.arange(256, 384)])
    yield _pair("channel_permutation", "key before query", qkv, qkv[:, order], **declared)
    yield _pair(
        "interleaved",
        "rotary pairs for halves",
        qkv[:, :128],
        qkv[:, :128].reshape(-1, 64, 2).swapaxes(1, 2).reshape(-1, 128),
        **declared,
    )
    logits = right["logits"][:60]
    yield _pair("gain", "temperature 0.9", logits, logits / 0.9, kind="logits", axes="TV")
    normal = right["embedding"] / np.linalg.norm(right["embedding"])
    yield _pair("gain", "embedding not normalised", normal, right["embedding"], kind="embedding", axes="C")
    other = network(network_mel(), seed=4)
    yield _pair("uncorrelated", "random weights", right["hidden"], other["hidden"], **declared)
