"""The false-alarm rate is what it says: exactly for short sequences, by simulation for long ones."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pytest_audioparity.sampling import check_sampler
from pytest_audioparity.sampling.distribution import Settings, expect, rank
from pytest_audioparity.sampling.evalues import sample_of
from pytest_audioparity.sampling.evidence import CHECKS, weigh
from tests.sampling.samplers import draw_many, long_tailed, probabilities, zipf

SETTINGS = [
    {"temperature": 1.0},
    {"temperature": 0.3},
    {"temperature": 0.7},
    {"temperature": 1.5},
    {"top_k": 2},
    {"top_k": 5},
    {"top_k": 20},
    {"top_k": 64},
    {"top_p": 0.5},
    {"top_p": 0.8},
    {"top_p": 0.9},
    {"top_p": 0.99},
    {"top_k": 50, "temperature": 0.9},
    {"top_p": 0.95, "temperature": 0.8},
    {"top_k": 20, "top_p": 0.8, "temperature": 0.8},
    {"top_k": 50, "top_p": 0.95, "temperature": 0.6},
    {"top_k": 50, "top_p": 0.9, "temperature": 0.8, "order": ("top_k", "top_p", "temperature")},
    {"top_k": 50, "top_p": 0.9, "temperature": 1.3, "order": ("top_p", "temperature", "top_k")},
    {"temperature": 0.0},
    {"temperature": 3.0, "top_p": 0.7},
]


@pytest.mark.parametrize("per_call", [1, 2])
@pytest.mark.parametrize(("probability", "draws"), [((0.6, 0.3, 0.1), 5), ((0.5, 0.5), 7), ((0.98, 0.02), 7)])
def test_the_mean_of_every_e_value_over_all_sequences_is_at_most_1(probability, draws, per_call):
    expected = expect(rank(np.log(probability)), Settings(0.7, None, None))
    p = np.exp(expected.log_probabilities(len(probability)))
    means = dict.fromkeys(CHECKS, 0.0)
    for sequence in itertools.product(range(p.size), repeat=draws):
        chance = float(np.prod(p[list(sequence)]))
        for name, value in weigh(sample_of(expected, np.array(sequence), per_call)).items():
            means[name] += chance * math.exp(value)
    assert {name: mean / CHECKS[name][0] for name, mean in means.items() if mean > CHECKS[name][0] * (1 + 1e-9)} == {}


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_the_mean_is_at_most_1_whichever_tied_tokens_a_sampler_keeps(kept):
    # Top-k 2 cuts into three tied tokens: a sampler may keep one, two or all of them.
    expected = expect(rank(np.log([0.4, 0.2, 0.2, 0.2])), Settings(1.0, 2, None))
    assert (expected.core, expected.kept, expected.most) == (1, 2, 4)
    p = np.array([0.4, 0.2, 0.2, 0.2]) * (np.arange(4) <= kept)
    p /= p.sum()
    mean = 0.0
    for sequence in itertools.product(range(kept + 1), repeat=5):
        evidence = weigh(sample_of(expected, np.array(sequence), 1))
        mean += float(np.prod(p[list(sequence)])) * sum(map(math.exp, evidence.values()))
    assert mean <= 1 + 1e-9


def test_the_weights_share_out_the_whole_false_alarm_rate():
    assert sum(weight for weight, _ in CHECKS.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("logits", [long_tailed(1024), zipf(1024), zipf(64)], ids=["long", "zipf", "small"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_healthy_sampler_passes(settings, logits):
    p = probabilities(logits, **settings)
    for seed in range(3):
        result = check_sampler(draw_many(p, 10_000, seed), logits, **settings)
        assert result.passed, (seed, result)


@pytest.mark.parametrize("logits", [long_tailed(32_000), zipf(32_000)], ids=["long", "zipf"])
@pytest.mark.parametrize("settings", SETTINGS[::4], ids=str)
def test_a_healthy_sampler_of_a_large_vocabulary_passes(settings, logits):
    result = check_sampler(draw_many(probabilities(logits, **settings), 10_000, 5), logits, **settings)
    assert result.passed, result


def test_false_alarms_at_1_in_1000_are_no_more_than_stated():
    logits, random, alarms, runs = zipf(48), np.random.default_rng(7), 0, 2000
    cases = [(s, probabilities(logits, **s)) for s in (SETTINGS[0], SETTINGS[5], SETTINGS[10], SETTINGS[14])]
    for run in range(runs):
        settings, p = cases[run % len(cases)]
        draws = draw_many(p, 1000, int(random.integers(2**40)))
        alarms += not check_sampler(draws, logits, **settings, false_alarm=1e-3).passed
    # Binomial(2000, 1e-3) exceeds 8 with probability 2e-4.
    assert alarms <= 8


@pytest.mark.parametrize("keep", ["all", "first", "last"])
def test_tied_logits_may_be_kept_all_or_in_part(keep):
    logits = np.array([3.0, 2.0, 1.0, 1.0, 1.0, 0.0, -1.0])
    kept = {"all": [0, 1, 2, 3, 4], "first": [0, 1, 2], "last": [0, 1, 4]}[keep]
    p = np.where(np.isin(np.arange(7), kept), np.exp(logits), 0.0)
    for seed in range(10):
        assert check_sampler(draw_many(p, 10_000, seed), logits, top_k=3).passed


def test_dropping_all_tied_tokens_fails():
    logits = np.array([3.0, 2.0, 1.0, 1.0, 1.0, 0.0, -1.0])
    draws = draw_many(np.where(logits > 1, np.exp(logits), 0.0), 10_000, 0)
    result = check_sampler(draws, logits, top_k=3)
    assert (result.verdict, result.check) == ("fail", "ties")


@pytest.mark.parametrize("settings", [{}, {"top_p": 0.9}, {"temperature": 1.5, "top_p": 0.99}], ids=str)
def test_float32_arithmetic_is_no_fault(settings):
    logits = long_tailed(32_000)
    scores = logits / np.float32(settings.get("temperature", 1.0))
    p = np.exp(scores - scores.max())
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    p[order[np.cumsum(p[order], dtype=np.float32) - p[order] >= settings.get("top_p", 2.0)]] = 0
    c = np.cumsum(p, dtype=np.float32)
    u = np.random.default_rng(0).random(200_000, dtype=np.float32) * c[-1]
    assert check_sampler(np.searchsorted(c, u, side="right"), logits, **settings).passed


@pytest.mark.parametrize("settings", [{"temperature": 0.8}, {"top_k": 50}, {"temperature": 1.3, "top_k": 30}], ids=str)
def test_torch_multinomial_passes(settings, needs):
    needs("torch")
    import torch

    torch.manual_seed(0)
    logits = torch.from_numpy(long_tailed(1024))

    def draw(row):
        scores = row / settings.get("temperature", 1.0)
        if "top_k" in settings:
            scores[scores < torch.topk(scores, settings["top_k"]).values[-1]] = -torch.inf
        return torch.multinomial(torch.softmax(scores, -1), 2500, replacement=True)

    assert check_sampler(draw, logits, **settings).passed


def test_torch_multinomial_without_replacement_is_caught(needs):
    needs("torch")
    import torch

    torch.manual_seed(0)
    result = check_sampler(lambda row: torch.multinomial(torch.softmax(row, -1), 100), torch.from_numpy(zipf(1024)))
    assert (result.verdict, result.finding.code) == ("fail", "avoided_repeats")


def test_mlx_categorical_passes(needs):
    needs("mlx")
    import mlx.core as mx

    mx.random.seed(0)
    logits = mx.array(long_tailed(1024))
    result = check_sampler(lambda row: mx.random.categorical(row / 0.8, num_samples=2500), logits, temperature=0.8)
    assert result.passed
