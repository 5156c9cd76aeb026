"""E-values: evidence against a distribution with an error rate that holds for any number of draws and tokens.

An e-value is a statistic E ≥ 0 whose mean is at most 1 when the sampler is right. By Markov's inequality
P(E ≥ 1/α) ≤ α: a threshold that is exact without asymptotics, expected counts or simulation. Likelihood ratios
q(draws)/p(draws) are e-values for every q fixed in advance, also one that predicts each draw from those before it, and
so are their weighted means. (Vovk and Wang, "E-values: calibration, combination and applications", Annals of Statistics
49, 2021; Ville, "Étude critique de la notion de collectif", 1939.)

Every function returns ln E of a mean over one family of q. Unless said otherwise it looks at the draws of `core` tokens
only: given which draws those are, they are independent with p renormalised over the core, whatever ties leave open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pytest_audioparity.sampling.distribution import Expected

Array = np.ndarray[Any, Any]

# Temperatures that are tried, relative to the declared: 1/8 to 8 in steps of 4.4 %, finer near 1.
_TILTS = np.concatenate((2.0 ** (np.arange(-48, 49) / 16), 1 + np.array([-0.03, -0.02, -0.01, 0.01, 0.02, 0.03])))
# Changed frequencies of one token, relative to the expected.
_RATIOS = (0.0, 0.25, 0.5, 2.0, 4.0, 16.0)
# Share of draws that may or may not come, where ties leave it open, relative to the bound that is exceeded.
_EXCESSES = (1.05, 1.2, 1.5, 2.0, 4.0, 16.0, 256.0)
_DEFICITS = (0.0, 0.1, 0.25, 0.5, 0.8, 0.95)
GROUPS = 16
_CHUNK = 10_000  # tokens per part of a table of about 100 rows: bounds it to 10 MB


@dataclass(frozen=True, slots=True)
class Sample:
    """The draws of core tokens, in order.

    Attributes
    ----------
    ranks : their ranks
    calls : which call each came from; all 0 where a call returns one draw
    per_call : draws per call
    log_p : ln p of each core rank
    counts : number of draws of each core rank
    undecided : number of draws that ties and rounding leave open, which `ranks` does not hold
    """

    expected: Expected
    ranks: Array
    calls: Array
    per_call: int
    log_p: Array
    counts: Array
    undecided: int

    @property
    def p(self) -> Array:
        """Probability of each core rank, kept below 1 so that ln(1 − p) exists."""
        return np.minimum(np.exp(self.log_p), 1 - 2.0**-53)


def sample_of(expected: Expected, ranks: Array, per_call: int) -> Sample:
    """Make a sample of draws that are all possible: ranks below `expected.most`."""
    inside = np.flatnonzero(ranks < expected.core)
    calls = inside // per_call if per_call > 1 else np.zeros_like(inside)
    log_p = expected.log_probabilities(expected.core) if expected.core else np.zeros(0)
    counts = np.bincount(ranks[inside], minlength=expected.core)
    return Sample(expected, ranks[inside], calls, per_call, log_p, counts, int(ranks.size - inside.size))


def log_sum(values: Array | list[float]) -> float:
    """Return ln Σ exp(values) without overflow; -inf for none."""
    array = np.asarray(values, dtype=np.float64)
    largest = float(array.max()) if array.size else -np.inf
    return largest if np.isinf(largest) else largest + float(np.log(np.sum(np.exp(array - largest))))


def log_mean(values: Array | list[float]) -> float:
    """Return ln mean exp(values)."""
    return log_sum(values) - float(np.log(len(values)))


def temperature(sample: Sample) -> float:
    """Take q ∝ p^c: other temperatures, the reversed sign (c < 0), uniform (c = 0) and temperature 1 (c = temperature).

    ::

        ln E_β = (β − β₀)·Σ logit(xᵢ) − m·ln(Z_β/Z_β₀)
    """
    beta_0, logits = sample.expected.beta, sample.expected.ranked.logits[: sample.expected.core]
    total = float(sample.counts @ logits)
    betas = np.concatenate((beta_0 * _TILTS, [1.0, 0.0, -beta_0, -2 * beta_0, -0.5 * beta_0, beta_0]))
    norms = np.concatenate([_log_norms(rows, logits) for rows in np.array_split(betas, 1 + logits.size // _CHUNK)])
    ratios = betas * total - sample.ranks.size * norms
    return log_mean(ratios[:-1] - ratios[-1])


def _log_norms(betas: Array, logits: Array) -> Array:
    """Return ln Σ exp(β·logit) for each β."""
    exponents = np.outer(betas, logits)
    largest = exponents.max(axis=1, keepdims=True)
    return np.asarray(largest[:, 0] + np.log(np.exp(exponents - largest).sum(axis=1)))


def truncation(sample: Sample) -> float:
    """Cut p to the j most probable tokens, for every j below the number of core tokens: lnE = −m·ln P(top j)."""
    cumulative = np.cumsum(sample.p)[:-1]
    covering = cumulative[int(sample.ranks.max()) :]
    return log_sum(-sample.ranks.size * np.log(covering)) - float(np.log(cumulative.size))


def one_token(sample: Sample) -> float:
    """Give one token r times its probability, the others the rest; r = 0 is a token that never comes.

    ::

        ln E_t,r = n_t·ln r + (m − n_t)·ln((1 − r·p_t)/(1 − p_t))
    """
    p, counts, m = sample.p, sample.counts, sample.ranks.size
    values = [np.where(counts == 0, -m * np.log1p(-p), -np.inf)]
    for r in _RATIOS[1:]:
        fits = r * p < 1
        rest = np.log1p(-np.where(fits, r * p, 0.0)) - np.log1p(-p)
        values.append(np.where(fits, counts * np.log(r) + (m - counts) * rest, -np.inf))
    return log_sum(np.concatenate(values)) - float(np.log(len(_RATIOS) * p.size))


def shapes(sample: Sample) -> float:
    """Shift p by one token up or down, or take logits for probabilities: faults that no other family has."""
    expected, p, counts = sample.expected, sample.p, sample.counts
    tokens = expected.ranked.tokens[: expected.core]
    by_token = np.zeros(expected.ranked.vocabulary + 2)
    by_token[tokens + 1] = p
    linear = expected.ranked.logits[: expected.core] - expected.ranked.logits[-1]
    values = []
    for q in (by_token[tokens], by_token[tokens + 2], linear):
        total = q.sum()
        drawn = counts > 0
        if total == 0 or np.any(q[drawn] == 0):
            values.append(-np.inf)
        else:
            values.append(float(counts[drawn] @ (np.log(q[drawn] / total) - sample.log_p[drawn])))
    return log_mean(values)


def frequencies(sample: Sample) -> float:
    """Take any distribution near p: the test of fit, over tokens and over groups by rank and by id.

    It is drawn from a Dirichlet distribution around p, in the form of Pólya's urn; see `urn`. On few cells its power is
    that of Pearson's χ².
    """
    by_rank, by_id = rank_groups(sample, GROUPS), id_groups(sample, GROUPS)
    return log_mean(
        [
            urn(sample.ranks, sample.p),
            urn(by_rank[sample.ranks], np.bincount(by_rank, weights=sample.p)),
            urn(by_id[sample.ranks], np.bincount(by_id, weights=sample.p)),
        ]
    )


def undecided(sample: Sample) -> float:
    """Judge the share of draws of tokens that ties and rounding leave open, against its bounds.

    With π the share, every sampler that follows the settings has π_low ≤ π ≤ π_high. The likelihood ratio of q to
    π_high, q > π_high, grows with each such draw, so that its mean is at most 1 for every π ≤ π_high; likewise below.
    """
    expected, inside = sample.expected, sample.undecided
    outside = sample.ranks.size
    weights = expected.ranked.weights(expected.beta)
    core = weights[expected.core - 1]
    low, high = (1 - core / weights[length - 1] for length in (expected.kept, expected.most))
    ratios = [(high, high * excess) for excess in _EXCESSES if high * excess < 1]
    ratios += [(low, low * deficit) for deficit in _DEFICITS] if low > 0 else []
    values = []
    for bound, q in ratios:
        gained = 0.0 if inside == 0 else inside * float(np.log(q / bound)) if q > 0 else -np.inf
        values.append(gained + outside * float(np.log1p(-q) - np.log1p(-bound)))
    return log_mean(values) if values else 0.0


def urn(cells: Array, p: Array, contexts: Array | None = None) -> float:
    """Return ln E of Pólya's urn, which learns the frequencies of cells (in each context) while it predicts them.

    ::

        E_c = Πᵢ (c·p(xᵢ) + earlier draws of xᵢ) / (c + earlier draws) / p(xᵢ)

    averaged over c. It is the mean of q/p over q from Dirichlet(c·p); large c are small departures from p.

    Parameters
    ----------
    cells : shape (draws,), index into p
    p : probability of each cell
    contexts : shape (draws,); each context has an urn of its own
    """
    contexts = np.zeros_like(cells) if contexts is None else contexts
    seen = earlier(contexts * p.size + cells)
    draws = earlier(contexts)
    # Steps of 4 cost less than one nat against the best c.
    sizes = 4.0 ** np.arange(1, np.ceil(np.log2(64.0 * max(cells.size, 1)) / 2) + 1)
    own = p[cells]
    base = float(np.sum(np.log(own)))
    return log_mean([float(np.sum(np.log((c * own + seen) / (c + draws)))) - base for c in sizes])


def earlier(keys: Array) -> Array:
    """Return, for each element, how many equal ones stand before it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    lengths = np.diff(np.append(starts, keys.size))
    counts = np.empty(keys.size, dtype=np.int64)
    counts[order] = np.arange(keys.size) - np.repeat(starts, lengths)
    return counts


def rank_groups(sample: Sample, groups: int) -> Array:
    """Return the group of each core rank: runs of ranks of about equal probability."""
    return _dense(sample.p, groups)


def id_groups(sample: Sample, groups: int) -> Array:
    """Return the group of each core rank: runs of token ids of about equal probability."""
    order = np.argsort(sample.expected.ranked.tokens[: sample.expected.core])
    result = np.empty_like(order)
    result[order] = _dense(sample.p[order], groups)
    return result


def _dense(p: Array, groups: int) -> Array:
    """Return numbers of runs of cells so that each holds about 1/groups of the probability and none is empty."""
    middle = np.cumsum(p) - p / 2
    return np.asarray(np.unique(np.floor(groups * middle), return_inverse=True)[1].reshape(-1))
