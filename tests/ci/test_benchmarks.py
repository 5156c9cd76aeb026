"""What the benchmarks print of numbers that noise hides."""

from __future__ import annotations

import pytest

from benchmarks import per_test
from benchmarks.sizes import QUICK
from benchmarks.tables import LOST, milliseconds, ratio
from benchmarks.timing import Rounds

FEW, MANY = QUICK.tests


@pytest.fixture
def printed(monkeypatch):
    """Print what a test costs, given the milliseconds per test of the bare suite and of the one that records."""

    def of(bare: float, recording: float) -> dict[str, list[str]]:
        titles = {"bare": bare, "recording four stages": recording}
        seconds = {f"{name} {n}": [0.5 + n * ms / 1e3] for name, ms in titles.items() for n in (FEW, MANY)}
        monkeypatch.setattr(per_test, "_CANDIDATES", {name: per_test._CANDIDATES[name] for name in titles})
        monkeypatch.setattr(per_test, "_make_suites", lambda *_: None)
        monkeypatch.setattr(per_test, "measure", lambda *_, **__: Rounds(seconds))
        lines = [line.strip("| ").split(" | ") for line in per_test.run(QUICK).splitlines() if line.startswith("|")]
        return {name: cells for name, *cells in lines if name in titles}

    return of


def test_a_slope_is_printed_with_what_it_adds(printed):
    """Half a millisecond for a bare test, two for one that records: 1.5 more, four times as long."""
    assert printed(0.5, 2)["bare"] == ["0.50", "0.00", "1.00", "0.00"]
    assert printed(0.5, 2)["recording four stages"] == ["2.0", "1.5", "4.00", "0.00"]


def test_a_slope_that_noise_hides_is_not_printed(printed):
    """Neither time below zero, nor a ratio to it or from it."""
    assert printed(0.5, -0.1)["recording four stages"] == [LOST, LOST, LOST, "0.00"]
    assert printed(-0.1, 2) == {
        "bare": [LOST, LOST, LOST, "0.00"],
        "recording four stages": ["2.0", LOST, LOST, "0.00"],
    }
    assert printed(0, 2)["recording four stages"] == ["2.0", LOST, LOST, "0.00"]


@pytest.mark.parametrize(
    ("value", "text"), [(-2.0, LOST), (0.0, LOST), (0.0004, "<0.001"), (0.5, "0.500"), (12.34, "12.3"), (123.4, "123")]
)
def test_a_ratio_has_three_digits(value, text):
    assert ratio(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-0.3379, "-338"), (-0.012, "-12.0"), (0.00042, "0.42"), (0.0146, "14.6"), (1.661, "1661")]
)
def test_milliseconds_have_as_many_digits_below_zero(seconds, text):
    assert milliseconds(seconds) == text
