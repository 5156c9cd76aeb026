"""`worker`: a crash in the other process, or an answer that does not come, is an exception here and no more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_audioparity.audio.worker import CrashedError, Worker


@pytest.fixture
def worker():
    made = Worker("tests.audio.crashing_process", "the library")
    yield made
    made.close()


def ask(worker, question, patience_seconds=60):
    return worker.ask(question, patience_seconds=patience_seconds)


@pytest.mark.parametrize("question", [b"", b"abc", b"print", bytes(3_000_000)], ids=["none", "few", "print", "many"])
def test_the_answer_comes_back_whole_whatever_is_printed(worker, question):
    assert ask(worker, question) == question[::-1]


def test_a_crash_is_an_exception_and_the_next_question_is_answered(worker):
    with pytest.raises(CrashedError, match=r"the library's C code ended its process \(status -6\)"):
        ask(worker, b"crash")
    assert ask(worker, b"abc") == b"cba"


def test_an_answer_that_does_not_come_ends_the_process(worker):
    ask(worker, b"abc")
    with pytest.raises(CrashedError, match="the library did not answer within 1 s"):
        ask(worker, b"stand still", patience_seconds=1)
    assert ask(worker, b"abc") == b"cba"


def test_an_interrupted_question_leaves_no_answer_for_the_next_one(worker, monkeypatch):
    ask(worker, b"abc")
    first = worker._process
    with monkeypatch.context() as patched:
        patched.setattr("pytest_audioparity.audio.worker.HEAD", _Interrupting())
        with pytest.raises(KeyboardInterrupt):
            ask(worker, b"first")
    assert ask(worker, b"second") == b"dnoces"
    assert first.poll() is not None


class _Interrupting:
    """Ctrl-C when the question is under way."""

    def pack(self, *_):
        raise KeyboardInterrupt


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are of POSIX")
def test_a_fork_asks_a_process_of_its_own():
    """Two processes that read one pipe would take each other's answers; a held lock would stand for ever."""
    code = (
        "import os, sys\nfrom pytest_audioparity.audio.worker import Worker\n"
        "worker = Worker('tests.audio.crashing_process', 'the library')\n"
        "ask = lambda: worker.ask(b'abc', patience_seconds=60)\n"
        "assert ask() == b'cba'\nfirst = worker._process.pid\n"
        "child = os.fork()\n"
        "right = ask() == b'cba' and (worker._process.pid == first) == bool(child)\n"
        "worker.close()\n"
        "if not child: os._exit(not right)\n"
        "sys.exit(not right or os.waitpid(child, 0)[1])"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
