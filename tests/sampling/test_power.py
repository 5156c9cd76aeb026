"""What the power table promises is what happens."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.sampling import check_sampler
from pytest_audioparity.sampling.distribution import Settings, expect, rank
from pytest_audioparity.sampling.power import powers
from tests.sampling.samplers import draw_many, long_tailed, probabilities, zipf


@pytest.mark.parametrize(
    ("logits", "settings", "fault", "name"),
    [
        (zipf(1024), {"temperature": 0.9, "top_k": 50}, {"temperature": 0.81}, "temperature 0.81"),
        (zipf(1024), {"temperature": 0.9, "top_k": 50}, {"temperature": 0.99}, "temperature 0.99"),
        (long_tailed(1024), {"temperature": 0.8}, {"temperature": 0.72}, "temperature 0.72"),
        (long_tailed(1024), {"top_k": 250, "temperature": 0.7}, {"top_k": None}, "no top-k"),
        (long_tailed(1024), {"top_k": 250, "temperature": 0.7}, {"top_k": 200}, "top-k 200"),
    ],
)
def test_the_stated_number_of_draws_shows_a_fault_in_95_of_100_runs(logits, settings, fault, name):
    table = powers(
        expect(rank(logits), Settings(settings["temperature"], settings.get("top_k"), settings.get("top_p"))), 1e-6
    )
    draws = next(power.draws for power in table if power.fault == name)
    assert draws < 200_000
    n, p = max(1000, round(draws)), probabilities(logits, **{**settings, **fault})
    caught = [not check_sampler(draw_many(p, n, seed), logits, **settings).passed for seed in range(20)]
    # Binomial(20, 0.95) is below 16 with probability 0.003.
    assert sum(caught) >= 16


def test_a_tail_too_thin_to_be_seen_is_named():
    logits = np.concatenate((np.zeros(50), np.full(974, -20.0)))
    draws = draw_many(probabilities(logits, top_k=50), 10_000, 0)
    result = check_sampler(draws, logits, top_k=50)
    # 974·e^-20/50 = 4.0e-8 of the draws would fall into the tail: ln(20)/4.0e-8 = 7.5e7 draws.
    assert "no top-k: needs 7.5e+07 draws" in result.cannot_exclude


def test_a_setting_that_changes_nothing_is_named():
    logits = np.concatenate((np.zeros(50), np.full(10, -np.inf)))
    result = check_sampler(draw_many(probabilities(logits), 10_000, 0), logits, top_k=55)
    assert "no top-k: changes nothing here, give other logits" in result.cannot_exclude


def test_draws_that_could_show_nothing_are_not_measured():
    result = check_sampler(np.zeros(10_000, int), [0.0, -30.0, -31.0], temperature=0.9, top_k=2)
    assert (result.verdict, result.passed, bool(result)) == ("not_measured", False, False)
