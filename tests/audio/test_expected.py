"""Every score against another implementation: as it is installed now, and as it was when its values were stored."""

from __future__ import annotations

import itertools
import json

import pytest

from pytest_audioparity import score
from tests.audio.expected import RATE, STORED, by_others, pairs

# PESQ computes in float32, of samples that we scale to a peak of 1.
CLOSE = {"pesq_wb": 1e-4, "pesq_nb": 1e-4}
PAIRS = pairs()


@pytest.fixture(scope="module")
def stored():
    return json.loads(STORED.read_text())


@pytest.mark.parametrize("name", PAIRS)
def test_scores_equal_those_that_were_stored_and_those_of_the_installed_packages(name, stored, needs):
    """STOI, ESTOI, both PESQ, the ratios and the spectral distances, of real speech that four things happened to."""
    needs("pesq")
    result = score(*PAIRS[name], sample_rate=RATE)
    assert result.lag_samples == 0
    found = {key: getattr(result, key) for key in stored["scores"][name]}
    assert len(found) == 8
    for others in (stored["scores"][name], by_others(*PAIRS[name])):
        assert found == {key: pytest.approx(value, abs=CLOSE.get(key, 1e-9)) for key, value in others.items()}


def test_the_scores_tell_the_pairs_apart(stored):
    """Stored values that were all alike could hide that a score is not computed at all."""
    for key in ("stoi", "estoi", "pesq_wb", "pesq_nb", "si_sdr", "log_spectral_distance", "mel_cepstral_distortion"):
        values = sorted(scores[key] for scores in stored["scores"].values())
        assert all(right - left > 1e-3 for left, right in itertools.pairwise(values)), key


def test_stored_scores_say_where_they_come_from(stored):
    """The command, the clips and the version of every package that computed them."""
    assert set(stored["origin"]["packages"]) == {"pystoi", "pesq", "scipy", "numpy"}
    assert stored["scores"].keys() == PAIRS.keys()
