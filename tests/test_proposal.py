"""What an update would make of a golden, of a test that came to its end and of one that did not."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.golden.pending import Change
from pytest_audioparity.golden.revision import fingerprint
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


def stage(name, value, **declared):
    return StageTensor(StageMeta(name, **declared), np.full(8, value))


@pytest.fixture
def proposed(tmp_path):
    """Give a function that proposes what a test recorded in place of the stages of a golden."""

    def propose(held, recorded, settings=None, **more):
        write_golden(tmp_path / "h.safetensors", held, settings={"seed": 1}, provenance={})
        golden, new = Golden(tmp_path / "h.safetensors"), {one.meta.name: one for one in recorded}
        results = {
            name: check_stage(golden.read(name) if name in golden else None, one, layered([], name))
            for name, one in new.items()
        }
        kept = {name: one for name, one in new.items() if not results[name].passed}
        gone = tuple(meta.name for meta in golden.stages if meta.name not in new)
        return Proposal(golden, is_new=False, results=results, kept=kept, gone=gone, settings=settings, **more)

    return propose


def test_what_passes_stays_as_it_was_and_the_rest_becomes_what_was_recorded(proposed):
    """So that repeated updates cannot carry a stage away; what was not recorded goes; the order is the run's."""
    held = [stage("a", 1.0), stage("b", 1.0), stage("c", 1.0)]
    proposal = proposed(held, [stage("b", 2.0), stage("new", 3.0), stage("a", 1.0001)])
    assert [(one.meta.name, one.array[0]) for one in proposal.new_golden()] == [("b", 2.0), ("new", 3.0), ("a", 1.0)]
    assert [one.meta for one in proposal.obtained()] == [StageMeta("b", "tensor"), StageMeta("new", "tensor")]
    assert [one.array[0] for one in proposal.obtained()] == [2.0, 3.0]
    assert proposal.order == ("b", "new", "a")
    assert proposal.new_settings(whole=True) == proposal.new_settings(whole=False) == {"seed": 1}


def test_every_change_says_what_was_there(proposed):
    """Of a stage that is there its fingerprint; what was not recorded is missing only if the test came to its end."""
    held = [stage("a", 1.0), stage("b", 1.0), stage("c", 1.0)]
    proposal = proposed(held, [stage("b", 2.0), stage("new", 3.0), stage("a", 1.0)], {"seed": 1, "steps": 4})
    was = fingerprint(Golden(proposal.golden.path).read("b"))
    removed = Change("c", "removed", "removed", fingerprint(Golden(proposal.golden.path).read("c")))
    changes = [
        Change("b", "changed", "old -> new 6.02 dB", was),
        Change("new", "added", "added", None),
        Change("steps", "added", "added (4)", None, is_setting=True),
    ]
    assert proposal.changes(whole=False) == changes
    assert proposal.changes(whole=True) == [*changes[:2], removed, changes[2]]


def test_settings_say_what_was_there(proposed):
    proposal = proposed([stage("a", 1.0)], [stage("a", 2.0)], {"seed": 2})
    assert proposal.changes(whole=False)[1:] == [Change("seed", "changed", "1 -> 2", "1", is_setting=True)]
    proposal = proposed([stage("a", 1.0)], [stage("a", 1.0)], {"seed": 2})
    assert proposal.changes(whole=False) == []
    assert proposal.changes(whole=True) == [Change("seed", "changed", "1 -> 2", "1", is_setting=True)]


def test_all_of_a_golden_that_is_not_there_is_new():
    results = {"a": check_stage(None, stage("a", 1.0), layered([], "a"))}
    proposal = Proposal(None, is_new=True, results=results, kept={"a": stage("a", 1.0)}, gone=(), settings={"seed": 1})
    first = Change("a", "added", "new", None)
    assert proposal.changes(whole=True) == [first, Change("seed", "added", "added (1)", None, is_setting=True)]
    assert [one.meta.kind for one in proposal.new_golden()] == ["tensor"]
    assert proposal.new_settings(whole=False) == {"seed": 1}


@pytest.mark.parametrize(
    ("held", "recorded", "settings", "empty"),
    [
        ([stage("a", 1.0)], [stage("a", 1.0)], {"seed": 1}, True),
        ([stage("a", 1.0)], [stage("a", 2.0)], {"seed": 1}, False),
        ([stage("a", 1.0), stage("b", 1.0)], [stage("a", 1.0)], None, False),
        ([stage("a", 1.0)], [stage("a", 1.0)], {"seed": 1.5}, False),
    ],
    ids=["nothing", "a stage", "one that is gone", "a setting"],
)
def test_a_proposal_is_empty_where_nothing_would_change(proposed, held, recorded, settings, empty):
    assert proposed(held, recorded, settings).is_empty is empty


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"axes": "T"}, "declared axes='T'"),
        ({"unit": "V", "role": "input"}, "declared unit='V', role='input'"),
        ({"kind": "embedding", "axes": "D"}, "declared kind='embedding', axes='D'"),
    ],
)
def test_what_is_declared_later_is_told_beside_the_tensor_that_was_there(proposed, declared, said):
    proposal = proposed([stage("a", 1.0), stage("b", 1.0)], [stage("a", 1.0001, **declared), stage("b", 1.0)])
    assert proposal.declarations() == [("a", said)]
    (told,) = proposal.newly_declared.values()
    assert all(getattr(told, key) == value for key, value in declared.items())
    new = proposal.new_golden()[0]
    assert new.meta == told
    np.testing.assert_array_equal(new.array, proposal.golden.read("a").array)
    assert proposal.changes(whole=True) == []


def test_what_a_golden_says_already_is_no_news(proposed):
    """A kind is said by the type of the values as well; a stage that fails is written as a whole anyway."""
    held = [stage("a", 1.0, axes="T"), stage("b", 1.0), stage("c", 1.0)]
    recorded = [stage("a", 1.0, axes="T"), stage("b", 1.0, kind="tensor"), stage("c", 2.0, axes="T")]
    assert proposed(held, recorded).declarations() == []
    uncompared = {"a": None, "b": check_stage(OLD, OLD, layered([], "b"))}
    assert Proposal(None, is_new=True, results=uncompared, kept={}, gone=(), settings=None).declarations() == []


@pytest.mark.parametrize(("more", "lost"), [({}, ", no longer declared: role='input'"), ({"is_port": True}, "")])
def test_what_is_no_longer_declared_is_said_but_of_a_port_which_inherits_it(proposed, more, lost):
    held, recorded = [stage("a", 1.0, axes="T", role="input")], [stage("a", 2.0, axes="T"), stage("b", 2.0)]
    said = [change.text for change in proposed(held, recorded, **more).changes(whole=True)]
    assert said == [f"old -> new 6.02 dB{lost}", "added"]
