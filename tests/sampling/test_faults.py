"""Every fault of a sampler is caught, and named."""

# ruff: noqa: ARG005 - the lambdas stand for samplers, which take what they are given whether they use it or not

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.sampling import check_sampler
from tests.sampling.samplers import (
    cut_last,
    draw_many,
    linear,
    long_tailed,
    penalised,
    probabilities,
    softmax,
    sticky,
    wandering,
    without,
    zipf,
)

N = 10_000
K, P, PLAIN = {"temperature": 0.9, "top_k": 50}, {"temperature": 0.8, "top_p": 0.9}, {"temperature": 0.7}
BOTH = {"temperature": 0.7, "top_k": 100, "top_p": 0.95}


def other(**changed):
    """Draw with other settings than those declared."""
    return lambda logits, settings, seed: draw_many(probabilities(logits, **{**settings, **changed}), N, seed)


def of(change):
    """Draw from a distribution made of the logits and the right one."""

    def draw(logits, settings, seed):
        p = change(logits.astype(np.float64), probabilities(logits, **settings), settings)
        return draw_many(p, N, seed)

    return draw


def then(change):
    """Draw rightly, then change the draws."""

    def draw(logits, settings, seed):
        return change(draw_many(probabilities(logits, **settings), N, seed), logits, seed)

    return draw


def special_token(draws, logits, seed):
    return np.where(np.random.default_rng(seed + 1).random(N) < 0.02, int(logits.argmin()), draws)


FAULTS = {
    "lower temperature": (other(temperature=0.5), PLAIN, "temperature"),
    "higher temperature": (other(temperature=1.4), K, "temperature"),
    "no temperature": (other(temperature=1.0), PLAIN, "temperature_not_applied"),
    "multiplied": (other(temperature=1 / 0.7), PLAIN, "temperature_inverted"),
    "no top-k": (other(top_k=None), K, "no_top_k"),
    "other top-k": (other(top_k=37), K, "top_k"),
    "larger top-k": (other(top_k=80), K, "top_k"),
    "other temperature, no top-k": (other(top_k=None, temperature=0.6), K, "temperature+no_top_k"),
    "no top-p": (other(top_p=None), P, "no_top_p"),
    "lower top-p": (other(top_p=0.8), P, "top_p"),
    "higher top-p": (other(top_p=0.98), P, "top_p"),
    "no top-k, no top-p": (other(top_k=None, top_p=None), BOTH, "no_top_k+no_top_p"),
    "undeclared top-k": (other(top_k=40), PLAIN, "top_k"),
    "undeclared top-p": (other(top_p=0.9), PLAIN, "top_p"),
    "temperature after top-p": (other(order=("top_k", "top_p", "temperature")), P, "order"),
    "greedy": (lambda logits, settings, seed: np.full(N, logits.argmax()), K, "greedy"),
    "uniform over the cut": (of(lambda logits, p, s: (p > 0) / np.count_nonzero(p)), K, "uniform"),
    "reversed sign": (of(lambda logits, p, s: probabilities(-logits, **s)), K, "reversed_sign"),
    "softmax twice": (of(lambda logits, p, s: probabilities(softmax(logits), **s)), K, "probabilities_as_logits"),
    "no exp": (of(lambda logits, p, s: linear(logits - logits.min(), p)), K, "missing_exp"),
    "shifted up": (then(lambda draws, logits, seed: draws + 1), PLAIN, "shifted"),
    "shifted down": (then(lambda draws, logits, seed: draws - 1), K, "shifted"),
    "not mapped back": (of(lambda logits, p, s: -np.sort(-p)), P, "unmapped"),
    "special token": (then(special_token), K, "one_token"),
    "masked token": (of(lambda logits, p, s: without(p, int(np.argsort(-p)[3]))), K, "one_token"),
    "stuck": (lambda logits, settings, seed: np.full(N, np.argsort(-logits)[seed % 9 + 1]), K, "stuck"),
    "period": (then(lambda draws, logits, seed: np.resize(draws[:100], N)), K, "stuck"),
    "sticky": (then(lambda draws, logits, seed: sticky(draws, 0.1, seed)), K, "repeats"),
    "correlated": (lambda logits, s, seed: wandering(probabilities(logits, **s), N, seed), K, "order_of_draws"),
    "repetition penalty": (lambda row, s, seed: penalised(probabilities(row, **s), N, seed), K, "avoided_repeats"),
}  # fmt: skip
# A long tail that goes through softmax twice is nearly uniform: which of the two is named first is chance.
_TWINS = {"uniform", "probabilities_as_logits"}


def named(fault, logits, seeds):
    """Share of seeds in which the fault fails, and that in which it is named."""
    draw, settings, code = FAULTS[fault]
    results = [check_sampler(draw(logits, settings, seed), logits, **settings) for seed in seeds]
    accepted = [r.finding is not None and (r.finding.code == code or {code, r.finding.code} == _TWINS) for r in results]
    return (
        np.mean([not r.passed for r in results]),
        np.mean(accepted),
        [r.finding and r.finding.message for r in results],
    )


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("logits", [long_tailed(1024), zipf(1024)], ids=["long", "zipf"])
def test_a_fault_is_caught_and_named(fault, logits):
    caught, right, messages = named(fault, logits, range(4))
    assert caught == 1.0, messages
    assert right == 1.0, messages


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught_and_named_in_a_large_vocabulary(fault):
    logits = (zipf, long_tailed)[list(FAULTS).index(fault) % 2](32_000)
    caught, right, messages = named(fault, logits, [11])
    assert (caught, right) == (1.0, 1.0), messages


def test_a_fitted_temperature_is_near_the_true_one():
    logits = long_tailed(1024)
    draws = draw_many(probabilities(logits, temperature=0.7), N, 0)
    finding = check_sampler(draws, logits, temperature=0.9, top_k=50).finding
    assert finding.detail["temperature"] == pytest.approx(0.7, abs=0.02)
    assert finding.message == "draws look like temperature 0.70, no top-k"


def test_a_token_too_many_is_not_put_down_to_a_top_k_that_cuts_later():
    """Top-p leaves fewer than top-k: what keeps one more may be either, and both are named."""
    logits, settings = zipf(64), {"top_k": 60, "top_p": 0.5}
    kept = np.flatnonzero(probabilities(logits, **settings))
    more = logits >= np.sort(logits)[-kept.size - 1]
    p = np.where(more, np.exp(logits), 0.0)
    finding = check_sampler(draw_many(p / p.sum(), N, 0), logits, **settings).finding
    assert f"a top-p that keeps {kept.size + 1} tokens" in finding.message


def test_a_missing_crossing_token_is_named():
    logits = zipf(64)
    draws = draw_many(cut_last(probabilities(logits, top_p=0.5)), N, 0)
    assert check_sampler(draws, logits, top_p=0.5).finding.code == "top_p_crossing"


def test_a_fault_without_a_name_is_unexplained_and_says_which_token_is_off():
    logits = zipf(1024)
    p = probabilities(logits)
    p[::2] *= 2.5
    finding = check_sampler(draw_many(p / p.sum(), N, 0), logits).finding
    assert finding.code == "unexplained" or not finding.detail["fits"]
