"""What is said of places that are wrong: which, what makes them so where one number does, and when rounding is none."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare

HIDDEN = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
OTHER = np.random.default_rng(1).standard_normal(64)


@pytest.mark.parametrize(
    ("indices", "change", "said"),
    [
        ([3], lambda x: 1.2 * x, "only index 3 of 8 along C differs, actual = 1.2 * expected there; check"),
        ([3], lambda x: 0 * x, "only index 3 of 8 along C differs, actual is 0 there; check"),
        ([3], lambda _: OTHER, "only index 3 of 8 along C differs; check"),
        ([2, 5], lambda x: -x, "only 2 of 8 along C differ (indices 2, 5), actual = -1 * expected there; check"),
    ],
    ids=["scaled", "dead", "other", "two negated"],
)
def test_the_indices_are_named_and_the_gain_that_makes_them(indices, change, said):
    """Never a gain that does not."""
    actual = HIDDEN.copy()
    actual[indices] = change(HIDDEN[indices])
    (finding,) = compare(HIDDEN, actual, axes="CT").findings
    assert finding.code == "channels"
    assert finding.message.startswith(said)
    assert finding.detail["indices"] == indices


@pytest.mark.parametrize("seed", range(10))
def test_rounding_that_leaves_the_first_values_is_no_divergence(seed):
    """As many are left by chance anywhere; where none is left from one place on, something begins there."""
    rng = np.random.default_rng(seed)
    vector = rng.standard_normal(256).astype(np.float32)
    actual = (vector * (1 + 4e-8 * rng.standard_normal(256))).astype(np.float32)
    actual[:2] = vector[:2]
    assert 0.5 < (actual == vector).mean() < 0.9
    assert "diverges_from" not in [finding.code for finding in compare(vector, actual, tol_db=0).findings]
    actual = vector.copy()
    actual[40:] += 0.3 * rng.permutation(vector)[40:]
    (finding,) = compare(vector, actual).findings
    assert finding.code == "diverges_from"
    assert finding.detail["from"] == 40


@pytest.mark.parametrize("quiet", [1, 30])
def test_silence_in_front_is_no_time_from_which_on_it_differs(quiet):
    """Both are at the floor of a log-mel, and agree whatever is wrong; where there is a sound, it means something."""
    rng = np.random.default_rng(0)
    mel = rng.standard_normal((80, 200)) - 4.0
    wrong = np.where(np.arange(200) < quiet, mel, rng.standard_normal((80, 200)) - 4.0)
    mel[:, :quiet] = wrong[:, :quiet] = -11.5
    spoken = np.where(np.arange(200) < 30, mel + rng.standard_normal((80, 200)), wrong)
    meta = {"kind": "log_spectrum", "unit": "ln", "axes": "CT"}

    def codes(e, a):
        return [finding.code for finding in compare(e, a, tol_db=0.01, **meta).findings]

    assert "diverges_from" not in codes(mel, wrong)
    mel[:, :30] = spoken[:, :30]
    assert "diverges_from" in codes(mel, spoken)


def test_errors_in_proportion_are_no_spikes_where_few_values_are_large():
    """Nearly all of the squared error of probabilities is in the few that are not nearly 0."""
    rng = np.random.default_rng(3)
    logits = 6 * rng.standard_normal((60, 512))
    expected = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    actual = (expected * (1 + 1e-6 * rng.standard_normal(expected.shape))).astype(np.float32)
    squares = np.sort(((actual - expected) ** 2).ravel())
    assert squares[-expected.size // 200 :].sum() > 0.98 * squares.sum()
    assert "spikes" not in [finding.code for finding in compare(expected, actual, axes="TC", tol_db=0).findings]
    actual[7, 100] += 0.01
    (finding,) = compare(expected, actual, axes="TC", tol_db=0).findings
    assert finding.code == "spikes"
    assert finding.detail == {"count": 1, "first": [7, 100]}


@pytest.mark.parametrize(("taps", "chunk"), [(5, 16), (10, 16), (15, 16), (31, 32), (15, 32)])
def test_a_convolution_whose_chunks_forget_what_came_before_has_seams(taps, chunk):
    """As many frames of a chunk are wrong as a kernel looks back at, which may be nearly all."""
    rng = np.random.default_rng(taps)
    hidden, kernel = rng.standard_normal((126, 96)), rng.standard_normal((taps, 96))

    def convolved(part):
        return sum(np.pad(part, ((taps - 1, 0), (0, 0)))[k : k + len(part)] * kernel[k] for k in range(taps))

    forgetful = np.concatenate([convolved(hidden[start : start + chunk]) for start in range(0, 126, chunk)])
    found = compare(convolved(hidden), forgetful, axes="TC").findings[0]
    assert (found.code, found.detail["period"], found.detail["width"]) == ("seams", chunk, taps - 1)
    assert found.detail["first"] == chunk
