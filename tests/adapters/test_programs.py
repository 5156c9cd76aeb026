"""A Ctrl-C in the moment in which a program has begun and nobody knows it yet."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

import pytest

from pytest_audioparity.adapters import programs


@pytest.fixture
def started(monkeypatch):
    """Send a Ctrl-C to this process as soon as a program has begun, before anyone is told; return the programs."""
    known, plain = [], subprocess.Popen

    def begin(*args, **keywords):
        known.append(plain(*args, **keywords))
        os.kill(os.getpid(), signal.SIGINT)
        return known[-1]

    monkeypatch.setattr(programs.subprocess, "Popen", begin)
    return known


def test_it_ends_the_program_and_is_told_after(started):
    """As if it had come a moment later."""
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        programs._run(programs.Program(["sleep", "100"]), dict(os.environ))
    assert [program.returncode for program in started] == [-signal.SIGKILL]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_handler_that_does_nothing_about_it_lets_the_program_end_by_itself(started):
    came = []
    before = signal.signal(signal.SIGINT, lambda *args: came.append(args[0]))
    try:
        assert programs._run(programs.Program(["true"]), dict(os.environ)).returncode == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == [signal.SIGINT]


def test_another_thread_starts_programs_as_well():
    """Handlers belong to the main thread; elsewhere there is no Ctrl-C to wait for."""
    done = []
    thread = threading.Thread(
        target=lambda: done.append(programs._run(programs.Program(["true"]), dict(os.environ)).returncode)
    )
    thread.start()
    thread.join()
    assert done == [0]
