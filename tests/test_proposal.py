"""What an update would make of a golden, of a test that came to its end and of one that did not."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.proposal import Proposal
from pytest_audioparity.records import StageMeta, StageTensor

OLD, NEW = (StageTensor(StageMeta("mel"), np.full(8, value)) for value in (1.0, 2.0))


@pytest.fixture
def golden(tmp_path):
    write_golden(tmp_path / "g.safetensors", [OLD], settings={"seed": 1, "steps": 4}, provenance={})
    return Golden(tmp_path / "g.safetensors")


def named(changes):
    return {change.name: change.change for change in changes}


def test_settings_that_a_test_did_not_come_to_declare_are_not_removed(golden):
    """Those it declared otherwise change in any case; only a test that came to its end meant to leave one out."""
    results = {"mel": check_stage(OLD, NEW, layered([], "mel"))}
    proposal = Proposal(golden, is_new=False, results=results, kept={"mel": NEW}, gone=(), settings={"seed": 2})
    assert named(proposal.changes(whole=False)) == {"mel": "changed", "seed": "changed"}
    assert proposal.new_settings(whole=False) == {"seed": 2, "steps": 4}
    assert named(proposal.changes(whole=True)) == {"mel": "changed", "seed": "changed", "steps": "removed"}
    assert proposal.new_settings(whole=True) == {"seed": 2}


def test_settings_alone_change_a_golden_and_make_none(golden):
    """Without a stage there is nothing to keep, so that nothing is proposed where there is no golden."""
    rest = {"results": {}, "kept": {}, "gone": (), "settings": {"seed": 2, "steps": 4}}
    assert named(Proposal(golden, is_new=False, **rest).changes(whole=True)) == {"seed": "changed"}
    assert not Proposal(golden, is_new=False, **rest).is_empty
    assert Proposal(None, is_new=True, **rest).is_empty
    assert Proposal(None, is_new=True, **rest).changes(whole=True) == []
