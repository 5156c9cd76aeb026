"""Settings that a faulty sampler may have used instead, fitted by maximum likelihood.

Hypotheses are compared by description length: ln likelihood of all draws minus a cost, in nats, for what they assume
(Rissanen, "Modeling by shortest data description", Automatica 14, 1978). A fault that needs no number costs little, a
familiar number more, any other number most, so that of two that explain the draws the simpler one is named.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.sampling.distribution import Ranked, Settings, kept_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

PLAIN_COST, FAMILIAR_COST, NUMBER_COST = 2.0, 5.0, 9.0
UNDECLARED_COST = 5.0
_FAMILIAR_K = (
    1,
    2,
    3,
    4,
    5,
    8,
    10,
    15,
    16,
    20,
    25,
    30,
    32,
    40,
    50,
    60,
    64,
    80,
    100,
    128,
    200,
    250,
    256,
    500,
    512,
    1000,
)
_FAMILIAR_P = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.95, 0.97, 0.98, 0.99, 0.995)
# Temperatures 1/16 to 16, relative to the declared, in steps of 9 %, then of 0.5 % and 0.03 % around the best.
_GRID = 2.0 ** (np.arange(-32, 33) / 8)
_NARROWER = tuple(2.0 ** (np.linspace(-width, width, 41)) for width in (0.15, 0.01))


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing done otherwise: `code` for programs, `text` for people."""

    code: str
    text: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """A hypothesis with its score and the distribution by rank that it stands for: β and the length of the prefix.

    `offset` is added to every token id.
    """

    score: float
    causes: tuple[Cause, ...]
    ranked: Ranked
    beta: float
    length: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """What the likelihood of a prefix needs of the draws: their number, Σ logit, and how many ranks they cover."""

    size: int
    total: float
    covered: int


@dataclass(frozen=True, slots=True)
class _Cut:
    """Another way to cut the tokens: other settings, or the prefix that the draws cover."""

    cost: float
    causes: tuple[Cause, ...]
    settings: Settings | None = None
    change: int = 0


def tally(ranked: Ranked, tokens: Array) -> Tally | None:
    """Return the tally of draws, or None if one is outside the vocabulary or masked."""
    if tokens.min() < 0 or tokens.max() >= ranked.vocabulary:
        return None
    ranks = ranked.rank_of[tokens]
    if ranks.min() < 0:
        return None
    covered = ranked.tie_end(int(ranks.max()) + 1)
    return Tally(tokens.size, float(ranked.logits[ranks].sum()), covered)


def fit_settings(ranked: Ranked, settings: Settings, seen: Tally) -> Iterator[Fit]:
    """Fit temperature × cut, each as declared, left out, at familiar numbers or free."""
    cuts = list(_cuts(settings, seen.covered))
    plain = ranked.weights(1.0)
    for beta, cost, causes in _temperatures(settings):
        weights = ranked.weights(beta)
        for cut in cuts:
            length, score = _score(ranked, seen, cut, beta, weights, plain)
            yield Fit(score - cost - cut.cost, causes + cut.causes, ranked, beta, length)
    yield from _fit_temperature(ranked, settings, seen, cuts, plain)


def score_settings(ranked: Ranked, settings: Settings, seen: Tally) -> tuple[float, float, int]:
    """Return ln likelihood, 1/temperature and length of the distribution of settings, without anything to fit."""
    beta = 1 / settings.temperature
    length, score = _score(ranked, seen, _Cut(0.0, (), settings), beta, ranked.weights(beta), ranked.weights(1.0))
    return score, beta, length


def _temperatures(settings: Settings) -> Iterator[tuple[float, float, tuple[Cause, ...]]]:
    temperature = settings.temperature
    if temperature > 0:
        yield 1 / temperature, 0.0, ()
    if temperature != 1:
        yield 1.0, PLAIN_COST, (Cause("temperature_not_applied", "temperature 1.00 (not applied)", 1.0),)
    if temperature not in (0, 1):
        yield temperature, PLAIN_COST, (Cause("temperature_inverted", "logits multiplied by the temperature"),)
    yield 0.0, PLAIN_COST, (Cause("uniform", "all kept tokens equally likely"),)


def _cuts(settings: Settings, covered: int) -> Iterator[_Cut]:
    """All ways to cut that are tried, the declared one first."""
    yield _Cut(0.0, (), settings)
    k, p = settings.top_k, settings.top_p
    no_k, no_p = Cause("no_top_k", "no top-k"), Cause("no_top_p", "no top-p")
    if k is not None:
        yield _Cut(PLAIN_COST, (no_k,), replace(settings, top_k=None))
    if p is not None:
        yield _Cut(PLAIN_COST, (no_p,), replace(settings, top_p=None))
        crossing = Cause("top_p_crossing", "top-p without the token that crosses p")
        yield _Cut(PLAIN_COST, (crossing,), settings, -1)
    if k is not None and p is not None:
        yield _Cut(PLAIN_COST + 1, (no_k, no_p), replace(settings, top_k=None, top_p=None))
    yield from _orders(settings)
    # A setting that was not declared is less likely than an odd number of one that was.
    for number in _FAMILIAR_K:
        cause = (Cause("top_k", f"top-k {number}", number),)
        yield _Cut(
            FAMILIAR_COST + UNDECLARED_COST * (k is None and p is not None), cause, replace(settings, top_k=number)
        )
    for share in _FAMILIAR_P:
        cause = (Cause("top_p", f"top-p {share:.4g}", share),)
        yield _Cut(
            FAMILIAR_COST + UNDECLARED_COST * (p is None and k is not None), cause, replace(settings, top_p=share)
        )
        if k is not None:
            yield _Cut(FAMILIAR_COST + PLAIN_COST, (no_k, *cause), replace(settings, top_k=None, top_p=share))
    if p is not None and (k is None or covered < k):  # either may have cut sooner, which gives the same draws
        yield _Cut(NUMBER_COST, (Cause("top_p", f"a top-p that keeps {covered} tokens"),))
    if p is None or k is not None:
        yield _Cut(NUMBER_COST, (Cause("top_k", f"top-k {covered}", covered),))


def _orders(settings: Settings) -> Iterator[_Cut]:
    if settings.top_p is None or (settings.top_k is None and settings.temperature in (0, 1)):
        return
    for order in permutations(settings.order):
        if order != settings.order:
            names = ", ".join(name.replace("_", "-") for name in order)
            yield _Cut(PLAIN_COST + 1, (Cause("order", f"the order {names}"),), replace(settings, order=order))


def _score(ranked: Ranked, seen: Tally, cut: _Cut, beta: float, weights: Array, plain: Array) -> tuple[int, float]:
    """Return the length of the prefix and ln L = β·Σ logit − n·ln Z, -inf if it lacks a token that was drawn."""
    length = seen.covered
    if cut.settings is not None:
        length = kept_length(ranked, cut.settings, weights, plain) + cut.change
        if seen.covered == ranked.tie_end(max(length, 1)):
            length = seen.covered
    if length < seen.covered:
        return length, -math.inf
    return length, beta * seen.total - seen.size * math.log(weights[length - 1])


def _fit_temperature(ranked: Ranked, settings: Settings, seen: Tally, cuts: list[_Cut], plain: Array) -> Iterator[Fit]:
    """Fit the temperature to every cut by a grid that is narrowed twice around the best.

    The likelihood of a cut by top-p is not continuous in the temperature, on which its length depends, so that no
    method that needs a smooth function will do.
    """
    cost = FAMILIAR_COST + 0.5 * math.log(seen.size)
    grid = _GRID / (settings.temperature or 1.0)
    best: dict[int, tuple[float, float, int]] = {}
    for narrower in (*_NARROWER, None):
        for beta in map(float, grid):
            weights = ranked.weights(beta)
            for column, cut in enumerate(cuts):
                length, score = _score(ranked, seen, cut, beta, weights, plain)
                if score - cut.cost > best.get(column, (-math.inf,))[0]:
                    best[column] = (score - cut.cost, beta, length)
        if narrower is not None and best:
            grid = max(best.values())[1] * narrower
    for column, (score, beta, length) in best.items():
        cause = Cause("temperature", f"temperature {1 / beta:.2f}", 1 / beta)
        yield Fit(score - cost, (cause, *cuts[column].causes), ranked, beta, length)
