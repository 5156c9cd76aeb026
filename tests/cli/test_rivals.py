"""Two reviews of one project, and two tests of one golden: neither decides over the other's head."""

from __future__ import annotations

import errno
import threading

import pytest

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.project import find_project
from pytest_audioparity.review import decisions
from pytest_audioparity.review.decisions import disagreements
from pytest_audioparity.review.waiting import list_waiting

fcntl = pytest.importorskip("fcntl", reason="Windows has no such lock")

TEST, OTHER, THIRD = (f"tests/test_{letter}.py::test_{letter}" for letter in "mno")


@pytest.fixture
def lock(review):
    """Hold what a review of this project holds, as another one would."""
    folder = review.root / ".audioparity"
    folder.mkdir(exist_ok=True)
    with (folder / "review.lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def test_a_review_that_never_ends_is_named_and_nothing_is_written(review, lock, monkeypatch):
    review.obtain(s_a=1)
    monkeypatch.setattr(decisions, "_LOCK_SECONDS", 0)
    end = threading.Timer(2, fcntl.flock, (lock, fcntl.LOCK_UN))  # so that this test ends, whatever a review does
    end.start()
    status, _, err = review.run("golden", "accept")
    end.cancel()
    end.join()
    assert status == 1
    assert err == f"not accepted {TEST}: another review of this project is at work; end it first\n"
    assert not review.golden().exists()
    fcntl.flock(lock, fcntl.LOCK_UN)
    assert review.run("golden", "accept")[0] == 0


def test_a_review_waits_until_the_other_has_ended(review, lock):
    review.obtain(s_a=1)
    end = threading.Timer(0.1, fcntl.flock, (lock, fcntl.LOCK_UN))
    end.start()
    assert review.run("golden", "accept")[0] == 0
    end.join()
    assert review.values() == {"a": 1}


def test_a_file_system_without_locks_is_no_obstacle(review, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    review.obtain(s_a=1)
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert review.run("golden", "accept")[0] == 0
    assert review.values() == {"a": 1}


def test_a_project_where_nothing_can_be_written_is_reviewed_without_a_lock(review):
    review.obtain(s_a=1)
    (review.root / ".audioparity" / "review.lock").mkdir()
    assert review.run("golden", "accept")[0] == 0
    assert review.values() == {"a": 1}


def test_tests_that_disagree_are_found_behind_one_that_has_its_golden_to_itself(review):
    review.obtain(TEST, s_a=1)
    review.obtain(OTHER, s_a=2, golden="shared/g")
    review.obtain(THIRD, s_a=3, golden="shared/g")
    assert "disagree on stage 'a'" in review.run("golden", "accept")[2]
    assert review.values() == {"a": 1}


def test_a_file_that_is_gone_meanwhile_disagrees_with_none(review):
    review.obtain(OTHER, s_a=2, golden="shared/g")
    review.obtain(THIRD, s_a=3, golden="shared/g")
    project = find_project(review.root)
    waiting, _ = list_waiting(project.workspace.pending, project)
    assert len(disagreements(waiting)) == 2
    waiting[0].path.unlink()
    assert disagreements(waiting) == {}


def test_a_test_that_drops_a_setting_which_the_other_declares_disagrees(review):
    review.write_golden("shared/g", a=1, settings={"k": 5})
    review.obtain(TEST, s_a=2, golden="shared/g", settings={})
    review.obtain(OTHER, s_a=2, golden="shared/g")
    assert "disagree on setting 'k'" in review.run("golden", "accept")[2]


def test_a_golden_that_could_not_be_written_is_said_though_its_test_has_passed_meanwhile(review, monkeypatch):
    """Only what someone else has decided is done; a pending file may also go since its test was run again."""

    def refuse(*_, **__):
        path.unlink()
        raise OSError(errno.ENOSPC, "No space left on device")

    path = review.obtain(s_a=1)
    monkeypatch.setattr(decisions, "save_golden", refuse)
    status, _, err = review.run("golden", "accept")
    assert status == 1
    assert "No space left on device" in err


def test_a_golden_that_cannot_be_fetched_is_no_decision_of_someone_else(review, monkeypatch):
    def refuse(*_):
        raise GoldenError("its content is not here", cause="missing")

    review.write_golden(a=1)
    review.obtain(s_a=2)
    monkeypatch.setattr(decisions, "open_golden", refuse)
    assert review.run("golden", "accept")[::2] == (1, f"not accepted {TEST}: its content is not here\n")


def test_what_one_test_changes_and_the_other_recorded_as_it_was_is_no_disagreement(review):
    review.write_golden("shared/g", a=1, b=1)
    review.obtain(TEST, s_a=2, golden="shared/g", order=["a", "b"])
    review.obtain(OTHER, s_b=3, golden="shared/g", order=["a", "b"])
    assert review.run("golden", "accept")[0] == 0
    assert review.values("shared/g") == {"a": 2, "b": 3}
