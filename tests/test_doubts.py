"""What keeps stages from counting, and what from becoming a golden; of each kind the first counts."""

from __future__ import annotations

import pytest

from pytest_audioparity.doubts import Doubts


def test_without_doubts_stages_count_and_may_become_golden():
    doubts = Doubts()
    assert (doubts.failure, doubts.refusal, doubts.objection, doubts.are_none) == (None, None, None, True)


def test_the_first_mistake_fails_the_test():
    """It says nothing of what may become golden: a test that fails writes none anyway."""
    doubts = Doubts()
    doubts.misused("no array")
    doubts.misused("no name")
    assert (doubts.failure, doubts.are_none) == ("no array", True)


def test_what_was_announced_fails_the_test_until_it_followed():
    """A mistake is said before it, and of two the one that was announced first."""
    doubts = Doubts()
    first, second = doubts.announce("the first is open"), doubts.announce("the second is open")
    assert doubts.failure == "the first is open"
    first()
    assert doubts.failure == "the second is open"
    doubts.misused("no array")
    assert doubts.failure == "no array"
    second()
    assert doubts.failure == "no array"


@pytest.mark.parametrize("force", [False, True])
def test_force_overrides_an_objection_and_nothing_else(force):
    """The objection is kept, since the golden says that it was overridden."""
    doubts = Doubts(force=True) if force else Doubts()
    doubts.refuse("words are lost")
    doubts.refuse("it is silent")
    assert (doubts.objection, doubts.are_none, doubts.force) == ("words are lost", False, force)
    assert doubts.refusal == (None if force else "words are lost")
    doubts.refuse("a failure is expected", forcible=False)
    doubts.refuse("it was skipped", forcible=False)
    assert doubts.refusal == "a failure is expected"
    assert doubts.objection == "words are lost"


def test_a_refusal_alone_is_a_doubt():
    doubts = Doubts()
    doubts.refuse("a failure is expected", forcible=False)
    assert (doubts.refusal, doubts.objection, doubts.are_none) == ("a failure is expected", None, False)
