"""However a weight file is damaged, its reader returns weights or a TensorFileError, in time and in bounds."""

from __future__ import annotations

import pytest

from tests.weights.fuzz import fuzz
from tests.weights.samples import WRITERS

TURNS = 200


@pytest.mark.parametrize("name", WRITERS)
def test_damage_is_an_error_or_harmless(tmp_path, name):
    """Some damage must be found, and some must not matter: otherwise nothing was tried."""
    assert 0 < fuzz(name, tmp_path, seed=6, turns=TURNS) < TURNS
