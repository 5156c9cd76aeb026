"""What a test author sees: arguments, errors, results, reports."""

# ruff: noqa: ARG005 - the lambdas stand for samplers, which take what they are given whether they use it or not

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

import pytest_audioparity
from pytest_audioparity import ParityError, StageError, assert_sampler
from pytest_audioparity.sampling import check_sampler
from tests.sampling.samplers import draw_many, probabilities, softmax, zipf

LOGITS = zipf(64)
DRAWS = draw_many(softmax(LOGITS.astype(float)), 2000, 0)


def test_the_public_name_is_this_function():
    assert pytest_audioparity.assert_sampler.__module__ == "pytest_audioparity.sampling.verdict"


def test_a_callable_is_called_with_the_given_object_until_n_draws_are_there():
    random, seen = np.random.default_rng(0), []

    def draw(logits):
        seen.append(logits)
        return int(random.choice(64, p=softmax(LOGITS.astype(float))))

    assert assert_sampler(draw, LOGITS, n=1500).draws == 1500
    assert len(seen) == 1500
    assert all(logits is LOGITS for logits in seen)


@pytest.mark.parametrize("shape", [(700,), (1, 700), (700, 1)])
def test_a_callable_may_return_many_draws_and_all_are_used(shape):
    parts = iter(np.split(draw_many(softmax(LOGITS.astype(float)), 1400, 0), 2))
    assert assert_sampler(lambda logits: next(parts).reshape(shape), LOGITS, n=1000).draws == 1400


def test_10_000_draws_are_the_default():
    random = np.random.default_rng(0)
    result = assert_sampler(lambda logits: random.choice(64, 100, p=softmax(LOGITS.astype(float))), LOGITS)
    assert result.draws == 10_000


def test_the_report_says_what_is_drawn_wrongly_and_what_it_looks_like():
    draws = draw_many(probabilities(LOGITS, temperature=0.5), 10_000, 0)
    with pytest.raises(ParityError) as raised:
        assert_sampler(draws, LOGITS, temperature=0.8, top_k=10)
    lines = str(raised.value).splitlines()
    assert lines[:3] == [
        "the sampler does not draw from the expected distribution",
        "  expected   : temperature 0.8, top-k 10: 10 of 64 tokens",
        "  draws      : 10000",
    ]
    assert lines[3].startswith("  impossible : ")
    assert " draws of tokens with probability 0: " in lines[3]
    assert re.fullmatch(r"  finding    : draws look like temperature 0\.(49|50|51), no top-k", lines[4])


def test_the_report_names_the_check_when_all_draws_are_possible():
    draws = draw_many(probabilities(LOGITS, temperature=0.5), 10_000, 0)
    with pytest.raises(ParityError, match=r"check      : temperature; p <= .*, fails at 1e-06"):
        assert_sampler(draws, LOGITS, temperature=0.8)


def test_what_could_not_be_measured_fails_and_says_what_to_do():
    with pytest.raises(ParityError, match=r"not measured(.|\n)*raise n="):
        assert_sampler(np.zeros(1000, int), [0.0, -30.0])


def test_draws_outside_the_vocabulary_are_impossible():
    draws = np.where(np.arange(2000) == 7, 64, DRAWS)
    result = check_sampler(draws, LOGITS)
    assert (result.verdict, result.check, result.impossible, result.p_value) == ("fail", "support", (64,), 0.0)
    assert result.impossible_draws == 1


@pytest.mark.parametrize("token", [-5, 4000])
def test_draws_far_outside_are_not_wrapped_around(token):
    assert check_sampler(np.append(DRAWS, token), LOGITS).impossible == (token,)


def test_masked_tokens_are_impossible():
    logits = np.where(np.arange(64) == 5, -np.inf, LOGITS)
    assert check_sampler(draw_many(softmax(LOGITS.astype(float)), 2000, 0), logits).impossible == (5,)


def test_temperature_0_is_greedy():
    assert assert_sampler(lambda logits: int(np.argmax(logits)), LOGITS, temperature=0.0).passed
    finding = check_sampler(DRAWS, LOGITS, temperature=0.0).finding
    assert finding.code == "temperature_not_applied"


def test_temperature_0_may_draw_any_of_tied_logits():
    logits = [1.0, 2.0, 2.0, 0.0]
    assert check_sampler(np.full(1000, 1), logits, temperature=0).passed
    assert check_sampler(np.full(1000, 2), logits, temperature=0).passed
    assert not check_sampler(np.full(1000, 0), logits, temperature=0).passed


def test_bfloat16_logits_are_taken(needs):
    needs("torch")
    import torch

    logits = torch.from_numpy(LOGITS).to(torch.bfloat16)[None, None]
    draws = torch.multinomial(torch.softmax(logits.double(), -1)[0, 0], 2000, True)
    assert check_sampler(draws, logits).passed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -0.1}, "temperature=-0.1 must be a number of at least 0"),
        ({"temperature": float("nan")}, "temperature=nan must be"),
        ({"temperature": True}, "temperature=True must be"),
        ({"top_k": 65}, "top_k=65 must be 1 to 64, the vocabulary; None is off"),
        ({"top_k": 0}, "top_k=0 must be"),
        ({"top_k": 5.0}, "top_k=5.0 must be"),
        ({"top_p": 0.0}, "top_p=0.0 must be above 0 and at most 1"),
        ({"top_p": 1.1}, "top_p=1.1 must be"),
        ({"false_alarm": 0}, "false_alarm=0 must be"),
        ({"order": ("top_k", "top_p")}, "must name each of temperature, top_k, top_p once"),
        ({"n": 5000}, "n= counts the draws of a callable"),
        ({"n": 10}, "n=10 must be a whole number of at least 1000 draws"),
        ({"logits": np.zeros((2, 64))}, r"logits of shape \(2, 64\) are no single row"),
        ({"logits": 3.0}, "are no single row"),
        ({"logits": [1.0]}, "must be two or more real numbers"),
        ({"logits": [0.0, np.nan]}, r"logits\[1\] is nan; compare the logits with their golden first"),
        ({"logits": [0.0, np.inf]}, r"logits\[1\] is inf"),
        ({"logits": [-np.inf, -np.inf]}, "all logits are -inf"),
        ({"logits": "text"}, "stage 'logits'"),
        ({"draw": DRAWS[:999]}, "999 draws are given, at least 1000 are needed; draw more"),
        ({"draw": DRAWS.astype(float)}, "draws are token ids, integers; these are float64"),
        ({"draw": DRAWS > 3}, "these are bool"),
        ({"draw": DRAWS.reshape(2, 1000)}, r"draws of shape \(2, 1000\) mix several rows"),
        ({"draw": lambda logits: []}, "these are float64"),
        ({"draw": lambda logits: np.zeros(0, int)}, "returned no token"),
        ({"draw": lambda logits: None}, "stage 'draws'"),
    ],
)
def test_misuse_is_an_error_that_says_what_to_do(arguments, message):
    with pytest.raises(StageError, match=message) as raised:
        check_sampler(**{"draw": DRAWS, "logits": LOGITS, **arguments})
    assert "\n" not in str(raised.value)


def test_calls_that_differ_in_length_are_refused():
    sizes = iter([3, 4])
    with pytest.raises(StageError, match="returned 3 tokens, then 4"):
        check_sampler(lambda logits: np.zeros(next(sizes), int), LOGITS)


def test_the_arguments_are_left_as_they_are():
    logits, draws = LOGITS.copy(), DRAWS.copy()
    check_sampler(draws, logits, temperature=0.3, top_k=3)
    assert np.array_equal(logits, LOGITS)
    assert np.array_equal(draws, DRAWS)


def test_importing_the_package_does_not_load_numpy():
    code = "import sys, pytest_audioparity; assert 'numpy' not in sys.modules; pytest_audioparity.assert_sampler"
    subprocess.run([sys.executable, "-c", code], check=True)
