"""A linear filter that feeds back what it gave, whose memory no number of taps holds: DC blockers, notches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.golden.provenance import our_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# A biquad has order 2, and a band-pass of two of them 4.
_ORDERS = (1, 2, 4)
# Samples that the fit needs for each number.
_PER_NUMBER = 30
# A pole on the unit circle sums up; beyond it, what is given grows without end.
_STABLE = 1.0 + 1e-9


def recursions(source: Array, target: Array) -> Iterator[tuple[Array, Array, Array]]:
    """Yield numerator, denominator and output of recursive filters of several orders from one signal to another.

    y[t] = Σ b[k]·x[t-k] - Σ a[k]·y[t-k] is linear in its numbers if the past output is that of target (the equation
    error). What they explain is seen from the input alone, as the past of most signals predicts them very well.

    Parameters
    ----------
    source, target : channels in rows, samples in columns
    """
    our_own("scipy")
    from scipy.signal import lfilter

    for order in _ORDERS:
        if source.size < _PER_NUMBER * (2 * order + 1) or source.shape[1] <= 4 * order:
            return
        solved = _solved(source, target, order)
        if solved is None:
            continue
        b, a = solved
        if np.abs(np.roots(a)).max(initial=0.0) <= _STABLE:
            yield b, a, np.asarray(lfilter(b, a, source, axis=1))


def _solved(source: Array, target: Array, order: int) -> tuple[Array, Array] | None:
    frames = source.shape[1]
    past = [source[:, order - k : frames - k].ravel() for k in range(order + 1)]
    past += [-target[:, order - k : frames - k].ravel() for k in range(1, order + 1)]
    now = target[:, order:].ravel()
    gram = np.array([[np.einsum("i,i->", p, q) for q in past] for p in past])
    right = np.array([np.einsum("i,i->", p, now) for p in past])
    sizes = np.sqrt(np.diag(gram))
    if not np.all(sizes > 0) or not np.isfinite(sizes).all():
        return None
    # Scaled, since source and target may be of different sizes; pinv, since an order may be too high.
    solved = np.linalg.pinv(gram / np.outer(sizes, sizes), rcond=1e-13, hermitian=True) @ (right / sizes) / sizes
    return solved[: order + 1], np.concatenate([[1.0], solved[order + 1 :]])
