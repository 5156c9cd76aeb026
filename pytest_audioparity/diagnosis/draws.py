"""Codes that are draws from logits of the golden: with another temperature or cut, or with other random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_audioparity.records import StageMeta, StageTensor

    Array = np.ndarray[Any, Any]

# Fewer draws say nothing about a temperature.
_FEWEST = 100
# Logits that are looked at, 32 MB; more rows make no clearer case, and a vocabulary of 40 000 leaves enough of them.
_MOST = 1 << 22
_MASKED = -1e4  # behind the largest; its share is 0 at every temperature that is tried
# 1/temperature, from 5 to 0.05: outside of it codes do not follow these logits, or are no draws.
_BETAS = (0.2, 20.0)
_HALVINGS = 24
# One chance in a million that settings which agree are called different; as `assert_sampler` has it.
_SIGMAS = 5.0
_LN_ALARM = math.log(1e6)
_BEYOND = 20  # draws beyond all of as many others, of which each has the chance 1/2 to be on either side: 2^-20
_FEWEST_OF_A_BIN = 5.0  # as usual for Pearson's test
_SHOWN_DEVIATIONS = 3


@dataclass(frozen=True, slots=True)
class _Fit:
    """What draws look like: softmax(beta·logits) over the `kept` largest; `deviation` is that of beta."""

    beta: float
    kept: int
    deviation: float
    ranks: Array

    def __str__(self) -> str:
        within = _SHOWN_DEVIATIONS * self.deviation / self.beta**2
        return f"temperature {1 / self.beta:.2f} ± {within:.2f} over the {self.kept} most likely tokens"


def find(expected: Array, actual: Array, meta: StageMeta, others: Iterable[StageTensor]) -> Finding | None:
    """Say how draws from the same logits differ, if both sides are such draws; else None.

    Parameters
    ----------
    expected, actual : integers of one shape
    meta : what is declared of them
    others : other stages of the golden; logits of one axis more are those that codes may be drawn from
    """
    if expected.dtype.kind not in "iu" or actual.dtype.kind not in "iu" or expected.size < _FEWEST:
        return None
    for other in others:
        rows = _rows(other, expected, meta)
        if rows is None:
            continue
        sides = [side.reshape(-1)[: len(rows)] for side in (expected, actual)]
        if any(side.min() < 0 or side.max() >= rows.shape[1] for side in sides):
            continue
        descending = -np.sort(-rows, axis=1)
        fits = [_fit(descending, rows, side) for side in sides]
        if fits[0] is not None and fits[1] is not None:
            return _told(other.meta.name, descending, sides, fits[0], fits[1])
    return None


def _rows(other: StageTensor, codes: Array, meta: StageMeta) -> Array | None:
    """Return logits (draw, token), less the largest of each row, in the order of the codes; None if they do not fit."""
    if other.meta.kind != "logits":
        return None
    array, axes = other.array, other.meta.axes
    if meta.axes is not None and axes is not None:
        further = [letter for letter in axes if letter not in meta.axes]
        if len(further) != 1 or len(axes) != len(meta.axes) + 1:
            return None
        array = array.transpose([axes.index(letter) for letter in (*meta.axes, *further)])
    if array.shape[:-1] != codes.shape or array.shape[-1] < 2:
        return None
    if _MOST // array.shape[-1] < _FEWEST:
        return None
    rows = array.reshape(-1, array.shape[-1])[: _MOST // array.shape[-1]].astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    if np.isnan(rows).any():
        return None
    return np.maximum(rows, _MASKED, out=rows)  # a masked token has -inf, which times a share of 0 is no number


def _fit(descending: Array, rows: Array, codes: Array) -> _Fit | None:
    """Return the most likely settings of draws, or None where draws with them would be others."""
    drawn = rows[np.arange(len(rows)), codes]
    ranks = np.sum(descending > drawn[:, None], axis=1)
    kept = int(ranks.max()) + 1
    logits = descending[:, :kept]
    low, high = _BETAS
    for _ in range(_HALVINGS):  # the likelihood has its only maximum where the mean logit is that of the draws
        middle = math.sqrt(low * high)
        if float(np.sum(_shares(logits, middle) * logits)) < float(drawn.sum()):
            low = middle
        else:
            high = middle
    beta = math.sqrt(low * high)
    if not _BETAS[0] * 1.01 < beta < _BETAS[1] / 1.01:
        return None
    shares = _shares(logits, beta)
    means = np.sum(shares * logits, axis=1)
    information = float(np.sum(shares * logits**2) - np.sum(means**2))
    if information <= 0 or not _is_likely(shares, ranks):
        return None
    return _Fit(beta, kept, 1 / math.sqrt(information), ranks)


def _shares(logits: Array, beta: float) -> Array:
    powers = np.exp(beta * logits)
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _is_likely(shares: Array, ranks: Array) -> bool:
    """Pearson's test over ranks 0, 1, 2-3, 4-7, ...; the tail of χ² is bounded as by Laurent and Massart (2000)."""
    edges = [0, *(1 << power for power in range(shares.shape[1].bit_length() + 1))]
    wanted = np.array([shares[:, low:high].sum() for low, high in pairwise(edges)])
    counted = np.histogram(ranks, edges)[0]
    enough = wanted >= _FEWEST_OF_A_BIN
    statistic = float(np.sum((counted - wanted)[enough] ** 2 / wanted[enough]))
    freedom = max(1, int(enough.sum()) - 1)
    return statistic <= freedom + 2 * math.sqrt(freedom * _LN_ALARM) + 2 * _LN_ALARM


def _told(name: str, descending: Array, sides: list[Array], expected: _Fit, actual: _Fit) -> Finding | None:
    beyond = [int(np.sum(one.ranks >= other.kept)) for one, other in ((actual, expected), (expected, actual))]
    is_cut = max(beyond) >= _BEYOND
    is_warm = abs(actual.beta - expected.beta) > _SIGMAS * math.hypot(actual.deviation, expected.deviation)
    detail = {
        "logits": name,
        "temperature": [1 / expected.beta, 1 / actual.beta],
        "tokens": [expected.kept, actual.kept],
        "cause": "settings" if is_cut or is_warm else "random_numbers",
    }
    if is_cut or is_warm:
        message = (
            f"both sides are draws from the logits of stage {name!r}, with other settings: expected looks like "
            f"{expected}, actual like {actual}; check the sampler with assert_sampler"
        )
        return Finding("sampler", message, detail=detail)
    if not _are_independent(_shares(descending[:, : expected.kept], expected.beta), *sides):
        return None
    message = (
        f"both sides are draws from the logits of stage {name!r}, alike ({expected}), and agree no more often than "
        "chance; check that the random numbers are the same, and how a number becomes a token"
    )
    return Finding("sampler", message, detail=detail)


def _are_independent(shares: Array, expected: Array, actual: Array) -> bool:
    """Whether two sets of draws agree as often as independent draws do."""
    chances = np.sum(shares**2, axis=1)
    spread = math.sqrt(float(np.sum(chances * (1 - chances))))
    return abs(float(np.sum(expected == actual)) - float(chances.sum())) <= _SIGMAS * max(spread, 1.0)
