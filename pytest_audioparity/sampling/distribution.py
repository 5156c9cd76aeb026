"""The distribution that the settings of a sampler promise, over tokens in the order of their logits.

Every setting keeps a prefix of the ranked tokens: temperature does not change their order, top-k keeps the first k,
top-p the first whose probability reaches p. A distribution is therefore a temperature and a length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Logits that float32 rounding of one division can merge count as tied: 2 units in the last place.
_TIE = 2.0**-22
# How far a running sum of probabilities in float32 may be off: 150 000 additions at 2⁻²⁴ relative error each wander by
# √150000·2⁻²⁴ ≈ 2e-5 at most. Tokens so near to p may be kept or not.
_TOP_P_SLACK = 1e-4
# ln of the smallest probability, relative to the largest, that counts as possible: float64 underflows near e^-745, and
# masks such as -1e9 are meant as impossible.
_SMALLEST = -700.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What was declared: `order` is a permutation of temperature, top_k and top_p."""

    temperature: float
    top_k: int | None
    top_p: float | None
    order: tuple[str, ...] = ("temperature", "top_k", "top_p")

    def __str__(self) -> str:
        parts = [f"temperature {self.temperature:.4g}"]
        parts += [] if self.top_k is None else [f"top-k {self.top_k}"]
        parts += [] if self.top_p is None else [f"top-p {self.top_p:.4g}"]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Logits in descending order: `tokens[r]` has rank r and `logits[r]` (largest 0), masked tokens have none.

    `ties[r]` numbers the groups of equal logits; `rank_of[token]` is -1 for a masked one.
    """

    vocabulary: int
    tokens: Array
    logits: Array
    ties: Array
    rank_of: Array

    def tie_start(self, length: int) -> int:
        """First rank of the group of equal logits that the last token of a prefix is in."""
        return int(np.searchsorted(self.ties, self.ties[length - 1], side="left"))

    def tie_end(self, length: int) -> int:
        """Length of a prefix, extended to all tokens that tie with its last one."""
        return int(np.searchsorted(self.ties, self.ties[length - 1], side="right"))

    def weights(self, beta: float) -> Array:
        """Cumulative sums of exp(β·logit), by rank; β is 1/temperature."""
        # A negative β would overflow: what counts is the ratio, so the largest term is taken as 1.
        exponents = beta * self.logits
        return np.cumsum(np.exp(exponents - exponents.max()))


@dataclass(frozen=True, slots=True)
class Expected:
    """The distribution that is tested, as far as rounding and ties leave it open.

    Attributes
    ----------
    beta : 1/temperature
    core : this many first ranks are kept by every sampler that follows the settings
    kept : at least this many tokens are kept, where ties leave open which
    most : no sampler that follows the settings keeps more than these first ranks
    """

    ranked: Ranked
    settings: Settings
    beta: float
    core: int
    kept: int
    most: int

    def log_probabilities(self, length: int) -> Array:
        """Return ln p of the first ranks, normalised over them."""
        exponents = self.beta * self.ranked.logits[:length]
        return np.asarray(exponents - np.log(np.sum(np.exp(exponents))))


def rank(logits: Array) -> Ranked:
    """Sort logits of shape (vocabulary,); -inf is a masked token, of probability zero."""
    values = logits.astype(np.float64)
    order = np.argsort(-values, kind="stable")
    order = order[np.isfinite(values[order])]
    ordered = values[order]
    gaps = ordered[:-1] - ordered[1:]
    apart = gaps > _TIE * np.maximum(np.abs(ordered[:-1]), np.abs(ordered[1:]))
    rank_of = np.full(values.size, -1, dtype=np.int64)
    rank_of[order] = np.arange(order.size)
    ties = np.concatenate(([0], np.cumsum(apart)))
    return Ranked(values.size, order, ordered - ordered[0], ties, rank_of)


def kept_length(
    ranked: Ranked, settings: Settings, tempered: Array, plain: Array, *, slack: float = 0.0, ties: bool = False
) -> int:
    """Return how many tokens the settings keep.

    ::

        top_k : the first k, and with `ties` all that tie with the k-th
        top_p : every token before which the probability, renormalised over what is left, sums to less than p + slack

    Parameters
    ----------
    tempered, plain : `Ranked.weights` at the temperature and at 1; top-p uses the one that its place in the order says
    """
    length = ranked.logits.size
    weights = plain
    for step in settings.order:
        if step == "temperature":
            weights = tempered
        elif step == "top_k" and settings.top_k is not None and settings.top_k < length:
            length = ranked.tie_end(settings.top_k) if ties else settings.top_k
        elif step == "top_p" and settings.top_p is not None and settings.top_p < 1:
            reached = (settings.top_p + slack) * weights[length - 1]
            length = min(length, int(np.searchsorted(weights[:length], reached, side="left")) + 1)
    return length


def expect(ranked: Ranked, settings: Settings) -> Expected:
    """Return the distribution that the settings promise, with what rounding and ties leave open."""
    greedy = settings.temperature == 0
    beta = 1.0 if greedy else 1.0 / settings.temperature
    if greedy:
        lowest = highest = 1
    else:
        tempered, plain = ranked.weights(beta), ranked.weights(1.0)
        lowest = kept_length(ranked, settings, tempered, plain, slack=-_TOP_P_SLACK)
        highest = kept_length(ranked, settings, tempered, plain, slack=_TOP_P_SLACK, ties=True)
    possible = int(np.count_nonzero(beta * ranked.logits > _SMALLEST))
    lowest, highest = min(lowest, possible), min(highest, possible)
    most = ranked.tie_end(highest)
    core = lowest if ranked.tie_end(lowest) == lowest else ranked.tie_start(lowest)
    return Expected(ranked, settings, beta, core, lowest, most)
