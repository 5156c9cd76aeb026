"""Test files of a user's project, with places for values."""

from __future__ import annotations

ONE = "def test_model(stages): stages['mel'] = np.full(100, {value})\n"
