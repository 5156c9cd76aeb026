"""`score_many`: every executor gives the same scores, pairs are taken as they are needed, nothing stops the rest."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_audioparity import StageError, score, score_many
from pytest_audioparity.audio import pool as workers
from pytest_audioparity.audio.jobs import Job, Scored
from pytest_audioparity.audio.pool import attempt
from pytest_audioparity.audio.reading import decoded
from tests.audio.verdicts import SPEECH

RATE = 16_000


def grandchildren():
    """Return the processes that those started which this process started."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if parent(parent(path.name)) == str(os.getpid()):
                found.add(path.name)
    return found


def parent(process):
    return Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[1]


class Inline:
    """An executor that runs nothing before its result is waited for, and counts what it was given."""

    def __init__(self):
        self.submitted = 0
        self.cancelled = 0

    def submit(self, function, /, *arguments):
        executor = self

        class Late(Future):
            def result(self):
                return function(*arguments)

            def done(self):
                return False

            def cancel(self):
                executor.cancelled += 1
                return super().cancel()

        self.submitted += 1
        return Late()


@pytest.fixture
def clips(speech):
    """Return four short pairs of one sentence, of different verdicts."""
    reference = speech[: 2 * RATE]
    spoilt = reference.copy()
    spoilt[8000:20_000] = spoilt[8000:20_000][::-1]
    return [
        ("same", reference, reference),
        ("quiet", reference, reference / 4),
        ("spoilt", reference, spoilt),
        ("silent", reference, np.zeros(2 * RATE)),
    ]


def threads():
    return ThreadPoolExecutor(2)


def processes():
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


class Dask:
    """A cluster of two processes on the loopback."""

    def __enter__(self):
        distributed = pytest.importorskip("distributed")
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        # Of dask and tornado themselves: they announce changes of their own, and leave sockets to the collector.
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning, UserWarning):
            warnings.simplefilter("ignore", category)
        self._cluster = distributed.LocalCluster(
            host="127.0.0.1", n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        )
        self._client = distributed.Client(self._cluster)
        return self._client.get_executor()

    def __exit__(self, *raised):
        self._client.close()
        self._cluster.close()
        gc.collect()
        self._caught.__exit__(*raised)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the system does not list its processes")
def test_no_process_is_left_when_all_are_scored(clips, needs):
    """PESQ's processes end with those that started them, and not some time later."""
    needs("pesq")
    seen = set()
    for item in score_many(clips, sample_rate=RATE):
        seen |= grandchildren()
        assert item.problem is None
    assert seen
    assert not any(Path("/proc", process).exists() for process in seen)


@pytest.mark.parametrize("executor", [threads, processes, Dask])
def test_every_executor_gives_the_scores_of_score_in_order(clips, executor, needs):
    """PESQ among them: its own process starts below daemonic workers, too."""
    needs("pesq")
    with executor() as pool:
        items = list(score_many(clips, sample_rate=RATE, executor=pool))
    assert [item.name for item in items] == ["same", "quiet", "spoilt", "silent"]
    for item, (_, reference, estimate) in zip(items, clips, strict=True):
        assert item.problem is None
        assert item.result == score(reference, estimate, sample_rate=RATE)
    assert items[0].result.pesq_wb > 4.6


def test_processes_of_our_own_give_the_same_and_leave_none(clips):
    items = list(score_many(clips, sample_rate=RATE, pesq=False))
    assert [item.result for item in items] == [score(r, e, sample_rate=RATE, pesq=False) for _, r, e in clips]


def test_pairs_are_paths_too_and_names_are_optional(tmp_path, clips):
    reference, estimate = tmp_path / "r.wav", tmp_path / "e.flac"
    soundfile.write(reference, clips[0][1], RATE)
    soundfile.write(estimate, clips[1][2], RATE)
    pairs = [(reference, str(estimate)), ("named", reference, estimate), (reference, clips[1][2])]
    with threads() as pool:
        items = list(score_many(pairs, sample_rate=RATE, pesq=False, executor=pool))
    assert [item.name for item in items] == [str(estimate), "named", "2"]
    assert [item.result.verdict for item in items] == ["level_changed"] * 3


def test_audio_whose_codec_cannot_seek_is_read_whole(tmp_path, clips):
    """Telephones' codec GSM 6.10: libsndfile plays it from front to back alone."""
    with soundfile.SoundFile(tmp_path / "e.wav", "w", RATE, 1, subtype="GSM610") as file:
        file.write(clips[0][1])
    with soundfile.SoundFile(tmp_path / "e.wav") as file:
        assert not file.seekable()
    samples, rate = decoded(tmp_path / "e.wav", (tmp_path / "e.wav").read_bytes())
    assert rate == RATE
    # Blocks of 320 samples.
    assert 0 <= samples.size - clips[0][1].size < 320
    assert np.corrcoef(samples[: clips[0][1].size], clips[0][1])[0, 1] > 0.9


def test_pairs_are_taken_only_as_far_ahead_as_asked(clips):
    taken = []

    def pairs():
        for number in range(100_000):
            taken.append(number)
            yield clips[0]

    executor = Inline()
    items = score_many(pairs(), sample_rate=RATE, pesq=False, executor=executor, ahead=3)
    assert taken == []
    next(items)
    assert (len(taken), executor.submitted) == (3, 3)
    next(items)
    assert (len(taken), executor.submitted) == (4, 4)
    items.close()
    assert executor.cancelled == 2


def test_arrays_that_wait_are_bounded_in_bytes(clips, monkeypatch):
    monkeypatch.setattr("pytest_audioparity.audio.many._AHEAD_BYTES", 3 * 2 * clips[0][1].nbytes)
    executor = Inline()
    items = score_many(iter(clips * 10), sample_rate=RATE, pesq=False, executor=executor)
    next(items)
    assert executor.submitted == 4
    items.close()


def test_a_buffer_that_is_used_again_changes_no_score(clips):
    buffer = np.empty(2 * RATE)

    def pairs():
        for _, _, estimate in clips:
            buffer[:] = estimate
            yield clips[0][1], buffer

    items = list(score_many(pairs(), sample_rate=RATE, pesq=False, executor=Inline()))
    assert [item.result.verdict for item in items] == ["ok", "level_changed", items[2].result.verdict, "silent"]
    assert items[2].result.verdict != "silent"


def test_a_bad_clip_is_its_own_problem(clips, tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "slow.wav", clips[0][1], 8000)
    reference = clips[0][1]
    pairs = [
        (reference, tmp_path / "missing.wav"),
        (reference, tmp_path / "text.wav"),
        (reference, tmp_path / "slow.wav"),
        (reference, np.ones((2, 100))),
        (reference, "\0"),
        (reference, object()),
        (np.array([np.nan]), reference),
        clips[0],
    ]
    with threads() as pool:
        items = list(score_many(pairs, sample_rate=RATE, pesq=False, executor=pool))
    words = [
        "cannot be read as audio: No such file",
        "cannot be read as audio",
        "has 8000 Hz, and sample_rate=16000 was given",
        "one channel at a time",
        "null byte",
        "array of Python objects",
        "not finite",
    ]
    for item, expected in zip(items, words, strict=False):
        assert item.result is None
        assert expected in item.problem
        assert "\n" not in item.problem
    assert items[-1].result


@pytest.mark.parametrize(
    ("pairs", "arguments", "words"),
    [
        ([(np.ones(9), np.ones(9))], {}, "give sample_rate="),
        ([(np.ones(9),)], {"sample_rate": RATE}, "entry 0 of pairs"),
        ([np.ones(2)], {"sample_rate": RATE}, "entry 0 of pairs"),
        ([], {"sample_rate": 16}, "did you give kHz"),
        ([], {"executor": 4}, "has no submit"),
        ([], {"ahead": 0}, "ahead=0"),
        ([], {"cache": __file__}, "is not a folder"),
    ],
)
def test_wrong_use_is_refused(pairs, arguments, words):
    with pytest.raises(StageError, match=words):
        list(score_many(pairs, **arguments))


def test_progress_counts_and_knows_the_total_of_what_has_one(clips):
    told = []
    arguments = {"sample_rate": RATE, "pesq": False, "executor": Inline(), "progress": lambda *said: told.append(said)}
    list(score_many(clips[:2], **arguments))
    list(score_many(iter(clips[:2]), **arguments))
    assert told == [("same", 1, 2), ("quiet", 2, 2), ("same", 1, None), ("quiet", 2, None)]


# A file by whose name a worker knows that it shall die, as the kernel kills what needs too much memory.
_FATAL = "fatal.wav"


def fragile(job: Job) -> Scored:
    if isinstance(job.estimate, Path) and job.estimate.name == _FATAL:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt(job)


def fragile_server(pipe):
    workers.attempt = fragile
    workers.serve(pipe)


def with_a_fatal_pair(clips):
    return [clips[0], clips[1], ("fatal", clips[0][1], _FATAL), *clips]


def test_a_worker_that_is_killed_is_the_problem_of_its_clip_alone(clips, monkeypatch):
    monkeypatch.setattr(workers, "serve", fragile_server)
    monkeypatch.setattr(workers, "core_count", lambda: 2)
    items = list(score_many(with_a_fatal_pair(clips), sample_rate=RATE, pesq=False))
    problems = {number: item.problem for number, item in enumerate(items) if item.problem}
    assert problems == {2: "the process that scored it ended: killed, or out of memory?"}
    assert len(items) == 7


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="a broken ProcessPoolExecutor may stand still (CPython gh-94777)"
)
def test_an_executor_of_the_callers_that_breaks_leaves_problems_and_no_traceback(clips, monkeypatch):
    monkeypatch.setattr(workers, "attempt", fragile)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        items = list(score_many(with_a_fatal_pair(clips), sample_rate=RATE, pesq=False, executor=pool, ahead=2))
    assert [item.result is not None for item in items] == [True, True, *[False] * 5]
    assert "process that scored it ended" in items[2].problem
    assert items[-1].problem.startswith("the executor takes no work any more: BrokenProcessPool: ")


class Failing:
    """An executor that loses its jobs as a cluster may."""

    def submit(self, *job):
        future = Future()
        assert len(job) == 2
        future.set_exception(KeyError("worker 7"))
        return future


def test_what_an_executor_raises_is_the_problem_of_the_clip(clips):
    items = list(score_many(clips, sample_rate=RATE, executor=Failing()))
    assert {item.problem for item in items} == {"the executor failed: KeyError: 'worker 7'"}


_UNGUARDED = """
    import numpy as np
    from pytest_audioparity import score_many
    clip = np.ones(8000)
    print([item.result for item in score_many([(clip, clip)] * 9, sample_rate=8000, pesq=False)])
"""


def test_a_script_that_starts_itself_again_is_told_what_it_needs(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(_UNGUARDED))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "needs `if __name__ == '__main__':`" in done.stderr.splitlines()[-1]


_SCRIPT = """
    import itertools, os, sys, threading
    import soundfile
    from pytest_audioparity import score_many

    if __name__ == "__main__":
        samples, rate = soundfile.read(sys.argv[1])
        pair = samples.repeat(8), samples.repeat(8)
        pairs = itertools.repeat(pair)
        for number, item in enumerate(score_many(pairs, sample_rate=rate)):
            print("scored", flush=True)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_an_interrupt_ends_all_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(_SCRIPT))
    clip = SPEECH / "librivox_sense_and_sensibility_0930.wav"
    with subprocess.Popen(
        [sys.executable, str(script), str(clip)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout.readline() == "scored\n"
        assert len(members(running.pid)) > 1
        os.killpg(running.pid, signal.SIGINT)
        try:
            _, told = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode in (1, -signal.SIGINT)
    assert told.count("KeyboardInterrupt") == 1
    deadline = time.monotonic() + 30
    while members(running.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(running.pid) == []


def members(session):
    """Return the processes of a session."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def test_importing_the_name_loads_nothing():
    code = "import sys, pytest_audioparity; 'score_many' in dir(pytest_audioparity); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pytest_audioparity.audio", "multiprocessing", "soundfile"} & set(loaded)
