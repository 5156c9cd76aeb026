"""Killing and repeating, two at once, a disk that refuses, and the question that is asked in a terminal."""

from __future__ import annotations

import random
import signal
import subprocess
import time

import numpy as np
import pytest

from pytest_audioparity.golden.file import Golden
from pytest_audioparity.golden.pending import find_pending
from tests.cli.permissions import AS_ANYBODY

NAME, TEST = "tests/test_m/test_m", "tests/test_m.py::test_m"
TESTS = [f"tests/test_{letter}.py::test_m" for letter in "abcdef"]


def leave(review, *, size=1):
    """Six tests wait, some with a golden, some without; what accepting makes of them is known."""
    for place, test in enumerate(TESTS):
        name = f"tests/test_{'abcdef'[place]}/test_m"
        if place % 2:
            review.write_golden(name, x=1, gone=1, kept=5)
        review.obtain(test, s_x=2, s_new=3, removed=["gone"] if place % 2 else [], order=["x", "new", "kept"])


def accepted(review):
    """Return what every golden is after all was accepted."""
    return {
        f"tests/test_{letter}/test_m": {"x": 2, "new": 3, **({"kept": 5} if place % 2 else {})}
        for place, letter in enumerate("abcdef")
    }


def state(review):
    """Read the goldens as they are, which must work at any moment, hashes and all."""
    folder = review.root / "golden"
    paths = sorted(folder.rglob("*.safetensors"))
    return {
        path.relative_to(folder).as_posix().removesuffix(".safetensors"): {
            one.meta.name: float(one.array[0]) for one in Golden(path)
        }
        for path in paths
    }


def test_accept_killed_at_any_moment_and_repeated_ends_as_one_accept(review):
    begin = time.monotonic()
    leave(review)
    assert review.apart("golden", "accept").returncode == 0
    whole = time.monotonic() - begin
    assert state(review) == accepted(review)
    killed = 0
    randomness = random.Random(0)
    for attempt in range(30):
        for path in [
            *(review.root / "golden").rglob("*.safetensors"),
            *find_pending(review.root / ".audioparity/pending"),
        ]:
            path.unlink()
        leave(review)
        arguments = ["golden", "accept", *(["--stage", "x"] if attempt % 3 == 0 else [])]
        process = review.start(*arguments, stdout=subprocess.DEVNULL)
        # The first half of the time goes into starting Python; the kill is to hit the work.
        if attempt % 2:
            time.sleep(whole * randomness.random())
        else:
            wait_for_work(review, process)
            time.sleep(0.02 * randomness.random())
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        state(review)
        assert review.run("golden", "accept")[0] == 0
        assert state(review) == accepted(review)
        assert review.run("golden", "pending")[:2] == (0, "nothing is pending\n")
    assert killed >= 10


def wait_for_work(review, process):
    """Wait until the command has written its first golden."""
    created = review.golden("tests/test_a/test_m")
    while not created.exists() and process.poll() is None:
        time.sleep(0.0005)


def test_two_accepts_at_once_end_as_one(review):
    leave(review)
    run = [review.start("golden", "accept", stderr=subprocess.PIPE) for _ in range(4)]
    for process in run:
        _, err = process.communicate()
        assert process.returncode == 0, err
    assert state(review) == accepted(review)
    assert find_pending(review.root / ".audioparity" / "pending") == []


def test_two_accepts_of_different_stages_at_once_lose_neither(review):
    for _ in range(2):
        review.write_golden(**{f"s{k}": 1 for k in range(8)})
        review.obtain(values={f"s{k}": 2 for k in range(8)})
        run = [review.start("golden", "accept", "--stage", f"s{k}", stderr=subprocess.PIPE) for k in range(8)]
        for process in run:
            _, err = process.communicate()
            # One that comes late finds its stage decided by nobody else, or nothing that is pending at all.
            assert process.returncode == 0, err
        assert set(review.values().values()) == {2}


def test_a_full_disk_is_one_line_and_leaves_everything_as_it_was(review):
    review.write_golden(a=1, b=1)
    folder = review.root / ".audioparity" / "pending"
    review.obtain(s_a=2)
    before = review.golden().read_bytes()

    # No file may grow beyond this, as on a disk without room.
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    done = review.apart("golden", "accept", first=f"{limit}; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "could not be written: File too large; nothing was changed" in done.stderr
    assert review.golden().read_bytes() == before
    assert len(find_pending(folder)) == 1
    assert [path.name for path in review.golden().parent.iterdir()] == ["test_m.safetensors"]
    assert review.apart("golden", "accept").returncode == 0
    assert review.values() == {"a": 2, "b": 1}


def test_a_golden_directory_that_is_read_only_is_one_line(review):
    review.write_golden(a=1)
    review.obtain(s_a=2)
    folder, before = review.golden().parent, review.golden().read_bytes()
    folder.chmod(0o555)
    done = review.apart("golden", "accept", first=AS_ANYBODY)
    folder.chmod(0o755)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "could not be written: Permission denied" in done.stderr
    assert review.golden().read_bytes() == before
    assert review.waiting() == ["tests/test_m/test_m.safetensors"]


def test_a_pending_file_that_cannot_be_removed_is_said_and_the_golden_is_written(review, monkeypatch):
    from pytest_audioparity.review import decisions

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    review.obtain(s_a=2)
    with monkeypatch.context() as patch:
        patch.setattr(decisions, "remove_pending", refuse)
        status, out, err = review.run("golden", "accept")
    assert status == 1
    assert out.startswith("accepted ")
    assert "that is done, but its pending file stays" in err
    assert review.run("golden", "accept")[0] == 0
    assert review.waiting() == []


def test_in_a_terminal_accept_lists_and_asks_once(review):
    review.obtain(s_a=2)
    review.obtain("tests/test_n.py::test_n", s_b=3)
    status, seen = review.in_terminal("golden", "accept", answer=b"y\n")
    assert status == 0
    assert f"{TEST}\n  would create golden/tests/test_m/test_m.safetensors" in seen
    assert seen.count("[y/N]") == 1
    assert "accept 2 stages of 2 tests? [y/N] y\n" in seen
    assert review.values() == {"a": 2}


@pytest.mark.parametrize("answer", [b"\n", b"n\n", b"\x04", b"yesterday\n"])
def test_everything_but_a_yes_changes_nothing(review, answer):
    review.obtain(s_a=2)
    for action in ("accept", "reject"):
        status, seen = review.in_terminal("golden", action, answer=answer)
        assert status == 1
        assert "nothing was changed" in seen
    assert review.waiting() == ["tests/test_m/test_m.safetensors"]


def test_ctrl_c_at_the_question_is_a_line_and_no_traceback(review):
    review.obtain(s_a=2)
    status, seen = review.in_terminal("golden", "accept", answer=b"\x03")
    assert status == 130
    assert "Traceback" not in seen
    assert "interrupted" in seen


def test_yes_asks_nothing_in_a_terminal(review):
    review.obtain(s_a=2)
    status, seen = review.in_terminal("golden", "accept", "--yes", answer=b"")
    assert (status, "[y/N]" in seen) == (0, False)
    assert review.values() == {"a": 2}


def test_without_a_terminal_nothing_is_asked(review):
    review.obtain(s_a=2)
    done = review.apart("golden", "accept")
    assert (done.returncode, "[y/N]" in done.stdout) == (0, False)
    assert review.values() == {"a": 2}


def test_a_reader_that_has_seen_enough_is_no_traceback(review):
    for place in range(40):
        review.obtain(f"tests/test_{place}.py::test_m", values={f"stage/{k}": 1 for k in range(30)})
    process = review.start("golden", "pending", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()


def test_many_files_do_not_run_out_of_handles(review):
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))"
    for place in range(120):
        review.obtain(f"tests/test_{place}.py::test_m", s_a=np.float32(place))
    done = review.apart("golden", "accept", first=few)
    assert done.returncode == 0, done.stderr
    assert len(list((review.root / "golden").rglob("*.safetensors"))) == 120
