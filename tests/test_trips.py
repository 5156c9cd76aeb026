"""What one test sends through its codec: what is missing, what failed, and what comes too late."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_audioparity.errors import StageError
from pytest_audioparity.trips import Trips


def trip(name, *failed):
    return SimpleNamespace(name=name, failed=tuple(SimpleNamespace(name=one) for one in failed))


def test_round_trips_are_kept_in_their_order_with_what_failed():
    trips, first, second = Trips(), trip("", "words", "level"), trip("at 24 kHz", "dc")
    assert (trips.results, trips.failed) == ((), [])
    trips.take(first)
    trips.take(second)
    assert (trips.results, trips.failed) == ((first, second), ["words", "level", "dc"])


def test_what_is_expected_is_missing_until_it_was_made():
    """Without the fixture nothing is expected."""
    trips = Trips()
    assert not trips.are_missing
    trips.expect()
    assert trips.are_missing
    trips.take(trip(""))
    assert not trips.are_missing


def test_a_round_trip_has_a_name_of_its_own():
    trips = Trips()
    trips.begin("")
    trips.take(trip(""))
    trips.begin("at 24 kHz")
    with pytest.raises(StageError, match="a second round trip of one test needs a name"):
        trips.begin("")


def test_no_round_trip_comes_after_the_judgement():
    trips = Trips()
    trips.close()
    with pytest.raises(StageError, match="a round trip comes after its test was judged"):
        trips.begin("late")
