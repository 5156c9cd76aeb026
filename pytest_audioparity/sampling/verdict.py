"""`assert_sampler` and `check_sampler`: the public functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array
from pytest_audioparity.errors import ParityError, StageError
from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS
from pytest_audioparity.sampling.distribution import Expected, Settings, expect, rank
from pytest_audioparity.sampling.draws import Draws, collect
from pytest_audioparity.sampling.evalues import log_sum, sample_of
from pytest_audioparity.sampling.evidence import weigh
from pytest_audioparity.sampling.explain import explain
from pytest_audioparity.sampling.power import powers
from pytest_audioparity.sampling.records import SamplerResult
from pytest_audioparity.sampling.report import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from pytest_audioparity.keywords import SamplerKeywords

    Array = np.ndarray[Any, Any]

DEFAULT_FALSE_ALARM = 1e-6
DEFAULT_ORDER = ("temperature", "top_k", "top_p")
_NAMED_IMPOSSIBLE = 20


def check_sampler(
    draw: Any,
    logits: Any,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    n: int | None = None,
    false_alarm: float = DEFAULT_FALSE_ALARM,
    order: Sequence[str] = DEFAULT_ORDER,
) -> SamplerResult:
    """Judge whether a sampler draws from the distribution that its settings promise.

    The distribution is softmax(logits/temperature) over the tokens that top-k and top-p leave::

        top_k : the k largest logits; of tokens that tie with the k-th, all or any may be kept
        top_p : the smallest set of most probable tokens whose probability reaches p, the one that crosses p included

    A draw of a token with probability zero fails at once. Everything else is weighed by one number: E, a weighted mean
    of likelihood ratios q(draws)/p(draws) to other temperatures, shorter cuts, changed frequencies and dependent draws,
    all fixed in advance. Its mean is at most 1 when the sampler is right, so that P(E ≥ 1/α) ≤ α (Markov): the
    false-alarm rate α holds as stated, for every number of draws, expected count and vocabulary. The weights that share
    α among the checks are in `docs/sampling.md`, with what each detects.

    Parameters
    ----------
    draw : a callable ``draw(logits)`` that returns one token id or any constant number of them and is called until n
        are there, or the ids of draws already made, in order; integers, anything array-like
    logits : shape (vocabulary,), leading axes of length 1 allowed; anything array-like; -inf for a masked token. What
        `draw` receives is this very object
    temperature : at least 0; 0 is greedy: the largest logit, or any that ties with it
    top_k : 1 to vocabulary, None for off
    top_p : above 0, at most 1; None or 1 for off
    n : number of draws, at least 1000; 10 000 if not given
    false_alarm : largest probability with which a right sampler fails, 0 to 0.1
    order : how temperature, top_k and top_p follow each other. The default is that of transformers; llama.cpp has
        ("top_k", "top_p", "temperature"), mlx-lm ("top_p", "top_k", "temperature")

    Returns
    -------
    SamplerResult; `not_measured`, which is no pass, when not one fault of the settings would have shown

    Raises
    ------
    StageError : logits, settings or draws that cannot be used

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> logits = np.log([0.5, 0.3, 0.15, 0.05])
    >>> check_sampler(lambda logits: random.choice(4, p=np.exp(logits)), logits).passed
    True
    """
    values = _logits(logits)
    settings = _settings(temperature, top_k, top_p, order, values.size)
    if isinstance(false_alarm, bool) or not isinstance(false_alarm, int | float) or not 0 < false_alarm <= 0.1:
        raise StageError(f"sampler: false_alarm={false_alarm!r} must be a probability above 0 and at most 0.1")
    expected = expect(rank(values), settings)
    return _judge(expected, collect(draw, logits, n), values, float(false_alarm))


def assert_sampler(draw: Any, logits: Any, **keywords: Unpack[SamplerKeywords]) -> SamplerResult:
    """Raise when `check_sampler` with the same arguments does not pass; return its result when it does.

    Parameters
    ----------
    draw, logits, temperature, top_k, top_p, n, false_alarm, order : as `check_sampler`

    Returns
    -------
    SamplerResult; its `cannot_exclude` names the faults that so few draws would not have shown

    Raises
    ------
    ParityError : an AssertionError: which check failed, and which settings the draws look like
    StageError : as `check_sampler`
    """
    __tracebackhide__ = True
    result = check_sampler(draw, logits, **keywords)
    if not result.passed:
        raise ParityError(render(result))
    return result


def _judge(expected: Expected, draws: Draws, logits: Array, false_alarm: float) -> SamplerResult:
    ranked, tokens = expected.ranked, draws.tokens
    inside = (tokens >= 0) & (tokens < ranked.vocabulary)
    ranks = np.where(inside, ranked.rank_of[np.where(inside, tokens, 0)], -1)
    impossible = tokens[(ranks < 0) | (ranks >= expected.most)]
    sample, check, p_value = None, None, 0.0
    if impossible.size:
        check = "support"
    else:
        sample = sample_of(expected, ranks, draws.per_call)
        evidence = weigh(sample)
        p_value = min(1.0, math.exp(-max(log_sum(list(evidence.values())), 0.0)))
        if p_value <= false_alarm:
            check = _decisive(evidence, -math.log(false_alarm))
    power = powers(expected, false_alarm)
    measured = any(fault.draws <= tokens.size for fault in power)
    named, counts = np.unique(impossible, return_counts=True)
    return SamplerResult(
        verdict=FAIL if check else PASS if measured else NOT_MEASURED,
        expected=f"{expected.settings}: {_kept(expected)} of {ranked.vocabulary} tokens",
        draws=tokens.size,
        p_value=p_value,
        false_alarm=false_alarm,
        check=check,
        impossible=tuple(int(token) for token in named[np.argsort(-counts, kind="stable")][:_NAMED_IMPOSSIBLE]),
        impossible_draws=impossible.size,
        finding=explain(expected, draws, sample, logits) if check else None,
        power=power,
    )


def _decisive(evidence: dict[str, float], threshold: float) -> str:
    """Name the first check that would have failed by itself, else the one with most evidence."""
    alone = (name for name, value in evidence.items() if value >= threshold)
    return next(alone, max(evidence, key=lambda name: evidence[name]))


def _kept(expected: Expected) -> str:
    return str(expected.core) if expected.core == expected.most else f"{expected.core} to {expected.most}"


def _logits(logits: Any) -> Array:
    array = as_array(logits, "logits")
    if array.ndim == 0 or array.size != array.shape[-1]:
        raise StageError(f"sampler: logits of shape {array.shape} are no single row; give shape (vocabulary,)")
    if array.dtype.kind in "cb" or array.size < 2:
        raise StageError(f"sampler: logits must be two or more real numbers; these are {array.size} of {array.dtype}")
    values = array.reshape(-1).astype(np.float64)
    if np.isnan(values).any() or np.isposinf(values).any():
        where = int(np.argmax(np.isnan(values) | np.isposinf(values)))
        raise StageError(f"sampler: logits[{where}] is {values[where]}; compare the logits with their golden first")
    if not np.isfinite(values).any():
        raise StageError("sampler: all logits are -inf, so no token can be drawn; leave at least one finite")
    return values


def _settings(temperature: Any, top_k: Any, top_p: Any, order: Sequence[str], vocabulary: int) -> Settings:
    numbers = int | float | np.floating
    if isinstance(temperature, bool) or not isinstance(temperature, numbers) or not 0 <= temperature < math.inf:
        raise StageError(f"sampler: temperature={temperature!r} must be a number of at least 0; 0 is greedy")
    whole = isinstance(top_k, int | np.integer) and not isinstance(top_k, bool)
    if top_k is not None and not (whole and 1 <= top_k <= vocabulary):
        raise StageError(f"sampler: top_k={top_k!r} must be 1 to {vocabulary}, the vocabulary; None is off")
    if top_p is not None and (isinstance(top_p, bool) or not isinstance(top_p, numbers) or not 0 < top_p <= 1):
        raise StageError(f"sampler: top_p={top_p!r} must be above 0 and at most 1; None is off")
    if isinstance(order, str) or sorted(order) != sorted(DEFAULT_ORDER):
        raise StageError(f"sampler: order={order!r} must name each of {', '.join(DEFAULT_ORDER)} once")
    return Settings(
        float(temperature), None if top_k is None else int(top_k), None if top_p is None else float(top_p), tuple(order)
    )
