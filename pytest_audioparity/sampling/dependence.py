"""E-values of draws that depend on each other: a random state that stands still, repeats, or is shared badly.

As in `evalues`, each predicts every draw from those before it and is divided by its probability.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.sampling.evalues import earlier, id_groups, log_mean, log_sum, rank_groups, urn

if TYPE_CHECKING:
    from pytest_audioparity.sampling.evalues import Array, Sample

# Distances at which a draw may repeat an earlier one: neighbours, and the batch sizes people use.
_LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 16, 20, 32, 50, 64, 100, 128, 256, 500, 512, 1000, 1024)
_SHARES = (0.02, 0.1, 0.5, 0.98)
_PENALTIES = (0.0, 0.25, 0.5, 0.75)
_PAIR_GROUPS = 8
_BLOCKS = 8
_PERIODS_TRIED = 64


def repeats(sample: Sample) -> float:
    """Let each draw repeat the one `lag` before it with probability ρ: q = (1 − ρ)·p + ρ·[same]."""
    size = sample.ranks.size
    lags = sorted({lag for lag in (*_LAGS, sample.per_call) if lag <= size // 2})
    values = []
    for lag in lags:
        same = sample.ranks[lag:] == sample.ranks[:-lag]
        inverse = np.exp(-sample.log_p[sample.ranks[lag:][same]])
        for share in _SHARES:
            kept = (same.size - inverse.size) * float(np.log1p(-share))
            values.append(kept + float(np.sum(np.log(1 - share + share * inverse))))
    return log_mean(values)


def period(sample: Sample) -> float:
    """Let all draws repeat with a period d: E_d = Π 1/p(xᵢ) over i ≥ d if they do, else 0; weights 1/(d·(d + 1))."""
    return log_sum([_repeated(sample, d) - float(np.log(d * (d + 1.0))) for d in periods(sample.ranks)])


def periods(draws: Array) -> list[int]:
    """Return the periods of a sequence up to half its length, the shortest first, at most 64 of them."""
    candidates = np.arange(1, draws.size // 2 + 1)
    for i in range(min(_PERIODS_TRIED, draws.size // 2)):
        candidates = candidates[draws[candidates + i] == draws[i]]
    return [int(d) for d in candidates[:_PERIODS_TRIED] if np.array_equal(draws[d:], draws[:-d])]


def avoided(sample: Sample) -> float:
    """Give tokens drawn before only s times their chance: a repetition penalty, or sampling without replacement.

    ::

        q(x) = s·p(x)/(1 − (1 − s)·P(drawn)) for drawn tokens, without s for the others

    where drawn means the draw before, or all draws before in the same call (in all calls, if each returns one).
    """
    own = sample.p[sample.ranks]
    again = sample.ranks[1:] == sample.ranks[:-1]
    seen = earlier(sample.calls * sample.log_p.size + sample.ranks) > 0
    new = np.where(seen, 0.0, own)
    running = np.cumsum(new) - new
    # What earlier calls have drawn does not count in this one.
    starts = np.flatnonzero(np.concatenate(([True], sample.calls[1:] != sample.calls[:-1])))
    lengths = np.diff(np.append(starts, sample.calls.size))
    mass = np.clip(running - np.repeat(running[starts], lengths), 0.0, 1.0)
    values = []
    for penalty in _PENALTIES:
        values.append(_penalised(again, own[:-1], penalty))
        values.append(_penalised(seen, mass, penalty))
    return log_mean(values)


def pairs(sample: Sample) -> float:
    """Let the next draw depend on the group of the one before, or the distribution change on the way; see `urn`."""
    values = []
    for groups in (rank_groups(sample, _PAIR_GROUPS), id_groups(sample, _PAIR_GROUPS)):
        cells, p = groups[sample.ranks], np.bincount(groups, weights=sample.p)
        values.append(urn(cells[1:], p, contexts=cells[:-1]))
        values.append(urn(cells, p, contexts=np.arange(cells.size) * _BLOCKS // cells.size))
    return log_mean(values)


def _repeated(sample: Sample, lag: int) -> float:
    return -float(np.sum(sample.log_p[sample.ranks[lag:]]))


def _penalised(drawn: Array, mass: Array, penalty: float) -> float:
    count = int(np.count_nonzero(drawn))
    if penalty == 0 and count:
        return -np.inf
    left = 1 - (1 - penalty) * mass
    if np.any(left <= 0):
        # Rounding: the tokens drawn hold all probability, so nothing else can have come.
        return -np.inf
    return (count * float(np.log(penalty)) if count else 0.0) - float(np.sum(np.log(left)))
