"""Moving tensors to and from a store, here a folder beside the project."""

from __future__ import annotations

import itertools
import shutil

import pytest

from pytest_audioparity.cli import terminal
from pytest_audioparity.golden.file import Golden
from pytest_audioparity.golden.shelf import Shelf, open_golden

NAME = "tests/test_m/test_m"


@pytest.fixture
def stored(review):
    """Make a golden that was accepted in a project with a store."""
    (review.root / "pytest.ini").write_text("[pytest]\naudioparity_golden_store = ../store\n")
    review.obtain(s_a=1, s_b=2)
    assert review.run("golden", "accept")[0] == 0
    assert not review.golden().exists()
    return review


def read(review):
    shelf = Shelf(store=str(review.root.parent / "store"), cache=review.root / ".audioparity" / "cache")
    return {one.meta.name: float(one.array[0]) for one in open_golden(review.golden(), shelf)}


def test_what_was_accepted_is_pushed_and_pulled_elsewhere(stored):
    status, out, _ = stored.run("golden", "push")
    assert status == 0
    assert out.startswith("pushed 2 tensors (0.1 kB) of 1 golden: ")
    assert "2 (0.1 kB) were there already" in stored.run("golden", "push")[1]
    shutil.rmtree(stored.root / ".audioparity" / "cache")
    assert stored.run("golden", "pull", NAME)[0] == 0
    shutil.rmtree(stored.root.parent / "store")
    assert read(stored) == {"a": 1, "b": 2}
    assert stored.json("golden", "pull")[1]["present"] == 2


def test_a_store_is_needed(review):
    line = review.wrong("golden", "push")
    assert "set the ini option audioparity_golden_store, or give --store URL" in line


def test_a_name_that_means_no_golden_is_wrong_use(stored):
    assert "'tests/test_m/test_n' matches no golden; did you mean 'tests/test_m/test_m'?" in stored.wrong(
        "golden", "push", "tests/test_m/test_n"
    )
    assert stored.run("golden", "push", "golden/tests/test_m/test_m.safetensors")[0] == 0
    assert stored.run("golden", "push", "tests/*")[0] == 0
    for folder in ("tests", "tests/test_m/", "golden/tests", "golden", "."):
        assert stored.json("golden", "push", folder)[1]["goldens"] == 1
    for other in ("", "test", "tests/test_", "golden/test"):
        assert f"{other!r} matches no golden" in stored.wrong("golden", "push", other)


def test_what_cannot_be_moved_is_a_line_and_status_1(stored):
    shutil.rmtree(stored.root / ".audioparity" / "cache")
    status, _, err = stored.run("golden", "push")
    assert (status, err.count("\n")) == (1, 1)
    assert stored.run("golden", "pull")[0] == 1


def test_a_golden_in_a_store_is_accepted_stage_by_stage(stored):
    stored.run("golden", "push")
    shutil.rmtree(stored.root / ".audioparity" / "cache")
    from pytest_audioparity.golden.pending import Change, read_pending, write_pending
    from pytest_audioparity.golden.revision import fingerprint

    path = stored.obtain(s_a=5)
    pending, obtained = read_pending(path)
    shelf = Shelf(store=str(stored.root.parent / "store"), cache=stored.root / ".audioparity" / "cache")
    was = fingerprint(open_golden(stored.golden(), shelf).read("a"))
    from dataclasses import replace

    write_pending(path, replace(pending, changes=(Change("a", "changed", "x", was),)), list(obtained))
    assert stored.run("golden", "accept")[0] == 0
    assert read(stored) == {"a": 5, "b": 2}


def test_without_a_store_a_golden_is_one_file_again(stored):
    stored.obtain("tests/test_n.py::test_n", s_a=1)
    (stored.root / "pytest.ini").write_text("[pytest]\n")
    assert stored.run("golden", "accept")[0] == 0
    assert list(Golden(stored.golden("tests/test_n/test_n")))


class _Stream:
    def __init__(self, is_terminal):
        self.texts, self.encoding, self._is_terminal = [], "utf-8", is_terminal

    def isatty(self):
        return self._is_terminal

    def write(self, text):
        self.texts.append(text)

    def flush(self):
        pass


@pytest.mark.parametrize(("is_terminal", "calls"), [(True, range(6, 51, 2)), (False, range(100, 1001, 100))])
def test_progress_waits_and_then_comes_no_faster_than_one_reads(monkeypatch, is_terminal, calls):
    now = [0.0]
    stream = _Stream(is_terminal)
    monkeypatch.setattr(terminal.sys, "stderr", stream)
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    progress = terminal.Progress()
    told = []
    for tick in range(1, 1001 if not is_terminal else 51):
        now[0] = tick / 10
        before = len(stream.texts)
        progress("tests/x: mel\x1b[2J", tick, 1000)
        if len(stream.texts) > before:
            told.append(tick)
    progress.end()
    assert told[0] in (5, 6, 100)
    assert all(later - earlier >= (2 if is_terminal else 100) for earlier, later in itertools.pairwise(told))
    text = "".join(stream.texts)
    assert ("\r" in text) == is_terminal
    assert "\x1b[2J" not in text
    assert all(len(line) <= 90 for line in text.replace("\r", "\n").splitlines())
    assert len(told) >= len(calls) - 2


def test_work_that_ends_at_once_shows_no_progress(stored):
    assert stored.run("golden", "push")[2] == ""


def test_the_document_of_what_cannot_be_moved_has_the_same_form(stored):
    moved = stored.json("golden", "push")[1]
    shutil.rmtree(stored.root.parent / "store")
    shutil.rmtree(stored.root / ".audioparity" / "cache")
    for action in ("push", "pull"):
        status, told = stored.json("golden", action)
        assert (status, list(told), told["goldens"]) == (1, list(moved), 0)
        assert "cache" in told["problem"] or "store" in told["problem"]
    assert moved["problem"] is None
