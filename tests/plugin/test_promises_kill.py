"""What is promised of goldens when runs are killed, interrupted, or meet: real processes, real signals."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pytest_audioparity.golden.file import Golden

PROGRAM = Path(__file__).with_name("interrupting.py")
# Tells the program when each test begins. Workers of pytest-xdist rather die, at random moments of half of the tests:
# by a timer whose signal nobody handles, which is as sudden as SIGKILL and needs no process outside.
CONFTEST = """
import json, os, random, signal
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
def pytest_collection_modifyitems(items):
    if "BACKWARDS" in os.environ:
        items.reverse()
def pytest_runtest_logstart(nodeid):
    if "BEAT" in os.environ and not IS_WORKER:
        os.write(int(os.environ["BEAT"]), b".")
    if "KILLS" in os.environ and IS_WORKER:
        seed, lengths = json.loads(os.environ["KILLS"])
        chance = random.Random(f"{seed} {nodeid}")
        number = int(nodeid.partition("[")[2][:-1])
        signal.setitimer(signal.ITIMER_REAL, chance.choice([0, chance.uniform(0, 2 * lengths[number])]))
def pytest_sessionfinish():
    if "KILLS" in os.environ and IS_WORKER:
        signal.setitimer(signal.ITIMER_REAL, 0)
"""
# Thousands of float32 values per test, so 20 kB to 2 MB a golden. In each test one stage changes with VALUE and another
# does not; tests 3 and 7 change nothing; 5 and 8 have no golden at first. COPIES repeats all that.
SIZES = (5, 60, 250, 40, 500, 20, 8, 100, 30, 150, 10, 350)
SAME, NEW = (3, 7), (5, 8)
MODEL = f"""
import os
SIZES, SAME = {SIZES}, {SAME}
@pytest.mark.parametrize("n", range(len(SIZES) * COPIES))
def test_model(stages, n):
    size = SIZES[n % len(SIZES)]
    stages["same"] = np.arange(size * 200, dtype="f") + n
    gain = 1.0 if n % len(SIZES) in SAME else float(os.environ.get("VALUE", 1.0))
    stages["mel"] = (np.arange(size * 800, dtype="f") + n).reshape(-1, 100) * np.float32(gain)
"""
# What a worker of pytest-xdist need not load; each of 200 that die costs a start.
BARE = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "xdist.plugin,pytest_audioparity.plugin",
    "PYTEST_ADDOPTS": "",
}
LEFTOVER = re.compile(r"\.test_model-\d+-[0-9a-f]{8}\.tmp")


def expected(number, gain):
    """Return the tensors of a golden, by the test's own recipe."""
    size, gain = SIZES[number % len(SIZES)], np.float32(1 if is_same(number) else gain)
    ramp = np.arange(size * 800, dtype="f") + number
    return {"same": ramp[: size * 200], "mel": ramp.reshape(-1, 100) * gain}


def is_same(number):
    return number % len(SIZES) in SAME


def is_new(number):
    return number % len(SIZES) in NEW


class Workshop:
    """A project whose tests are run by forks of the program, with real goldens of realistic size."""

    def __init__(self, project, program, copies):
        project.write(f"COPIES = {copies}\n{MODEL}")
        (project.path / "conftest.py").write_text(CONFTEST)
        self.project, self._program = project, program
        self.numbers = range(len(SIZES) * copies)
        self.folder = project.path / "golden" / "test_model"

    def runs(self, *requests):
        """Run pytest, side by side where there are several requests."""
        common = ["-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:randomly"]
        full = [{**request, "arguments": [*common, *request["arguments"]]} for request in requests]
        print(json.dumps(full), file=self._program.stdin, flush=True)
        results = json.loads(self._program.stdout.readline())
        for result in results:
            # xdist ends like this when it writes to a worker that has just died; no frame of ours may be in it.
            assert "INTERNALERROR" not in result["output"] or "execnet" in result["output"], result["output"]
            # pytest itself says in one line where an interrupt came.
            output = re.sub(r".*: KeyboardInterrupt\n", "", result["output"])
            assert f"pytest_audioparity{os.sep}" not in output, output
        return results

    def run(self, *arguments, value=1.0, **more):
        """Run pytest once."""
        return self.runs(asked(*arguments, value=value, **more))[0]

    def snapshot(self):
        """Return every file of the golden folder, by name, with its content."""
        return {path.name: path.read_bytes() for path in (self.project.path / "golden").rglob("*") if path.is_file()}

    def reset(self, files):
        """Make the golden folder hold these files, writing what differs only."""
        for path in list(self.folder.iterdir()):
            if path.name not in files:
                path.unlink()
        for name, content in files.items():
            path = self.folder / name
            if not path.exists() or path.read_bytes() != content:
                path.unlink(missing_ok=True)
                path.write_bytes(content)

    def write_goldens(self, value):
        """Let an undisturbed run make the goldens of a value; return their contents, which hold what they must."""
        assert self.run("--update-golden", value=value)["status"] == 0
        for number in self.numbers:
            path = self.folder / name_of(number)
            assert {stage.meta.name for stage in Golden(path)} == {"same", "mel"}, "all hashes are checked"
            tensors, wanted = load_file(path), expected(number, value)
            assert all(np.array_equal(tensors[name], array) for name, array in wanted.items())
        return self.snapshot()


def asked(*arguments, value=1.0, **more):
    """Return a request to the program."""
    return {"arguments": list(arguments), "environment": {"VALUE": str(value)}, **more}


def until(met, rounds):
    """Count rounds: at least so many, and on until all that they are for was met, which is a matter of the machine."""
    for round_number in itertools.count():
        if round_number >= rounds and all(met.values()):
            return
        assert round_number < 20 * rounds, met
        yield round_number


def name_of(number):
    return f"test_model-{number}.safetensors"


def without_provenance(content):
    """Return a golden's tensors and what it says of them: workers of pytest-xdist may have other modules loaded."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    document = json.loads(header["__metadata__"]["audioparity"])
    del document["provenance"], header["__metadata__"]
    return json.dumps([header, document]), content[end:]


@pytest.fixture
def program(project):
    """Start the program in the project's folder."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=project.path,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


@pytest.fixture
def workshop(project, program, request):
    """Give a project with a dozen tests, or several."""
    return Workshop(project, program, getattr(request, "param", 1))


def beginnings(workshop):
    """Return the goldens before an update, those after one that nobody disturbed, and how long its tests took."""
    old = workshop.write_goldens(1.0)
    for number in filter(is_new, workshop.numbers):
        del old[name_of(number)]
    workshop.reset(old)
    beats = workshop.run("--update-golden", value=2.0)["beats"]
    new = workshop.snapshot()
    for number in workshop.numbers:
        tensors = load_file(workshop.folder / name_of(number))
        assert all(np.array_equal(tensors[name], array) for name, array in expected(number, 2.0).items())
        assert (old.get(name_of(number)) == new[name_of(number)]) == is_same(number)
    return old, new, [later - earlier for earlier, later in itertools.pairwise(beats)]


def check(files, old, new, same=lambda content: content):
    """Check that there are old and complete new goldens and leftovers; return the new ones and the leftovers."""
    leftovers = {name for name in files if LEFTOVER.fullmatch(name)}
    assert old.keys() <= files.keys() - leftovers <= new.keys()
    changed = {name for name in files.keys() - leftovers if files[name] != old.get(name)}
    assert [name for name in changed if same(files[name]) != same(new[name])] == []
    return changed, leftovers


def test_a_kill_at_any_of_200_moments_leaves_every_golden_old_or_new(workshop):
    """SIGKILL during an update: each golden is the old file or the complete new one, and the next update ends alike."""
    old, new, lengths = beginnings(workshop)
    chance = random.Random(200)
    met = {"between": False, "inside a write": False}
    to_change = len(new) - len(SAME)
    for round_number in until(met, 200):
        workshop.reset(old)
        test = chance.randrange(len(SIZES))
        moment = {"test": test, "delay": chance.uniform(0, lengths[test]), "signal": signal.SIGKILL}
        result = workshop.run("--update-golden", value=2.0, **moment)
        assert result["status"] in (-signal.SIGKILL, 0), (moment, result["output"])
        changed, leftovers = check(workshop.snapshot(), old, new)
        met["between"] |= 0 < len(changed) < to_change
        met["inside a write"] |= bool(leftovers)
        if round_number % 20 == 0:
            assert workshop.run("--update-golden", value=2.0)["status"] == 0, moment
            files = workshop.snapshot()
            assert {name: files[name] for name in files.keys() - leftovers} == new, moment
            assert workshop.project.all_pending() == []


@pytest.mark.parametrize("workshop", [6], indirect=True)
def test_200_workers_that_die_leave_every_golden_old_or_new(workshop):
    """Under pytest-xdist workers die at random moments and are replaced: what they did not finish is old or new."""
    old, new, lengths = beginnings(workshop)
    due = {name_of(number) for number in workshop.numbers if not is_same(number)}
    kills = before = after = torn = 0
    for seed in itertools.count():
        workshop.reset(old)
        environment = {"VALUE": "2.0", "KILLS": json.dumps([seed, lengths]), **BARE}
        flags = ["--update-golden", "-n2", "--max-worker-restart=1000"]
        result = workshop.runs({"arguments": flags, "environment": environment})[0]
        crashed = {
            name_of(number)
            for number in re.findall(r"crashed while running 'test_model.py::test_model\[(\d+)\]'", result["output"])
        }
        # pytest-xdist itself ends the run when it writes to a worker that has just died; then not all tests have run.
        gave_up = "cannot send (already closed?)" in result["output"]
        status = pytest.ExitCode.TESTS_FAILED if crashed else pytest.ExitCode.OK
        assert gave_up or result["status"] == status, result["output"]
        changed, leftovers = check(workshop.snapshot(), old, new, same=without_provenance)
        unchanged = due - changed
        assert gave_up or unchanged <= crashed, (seed, "a test that ended wrote no golden")
        kills, torn = kills + len(crashed), torn + len(leftovers)
        before, after = before + len(unchanged), after + len(crashed & changed)
        assert workshop.run("--update-golden", value=2.0)["status"] == 0, seed
        files = workshop.snapshot()
        check(files, new, new, same=without_provenance)
        assert workshop.project.all_pending() == []
        if kills >= 200:
            break
    # Both sides of the writing were met, and the writing itself; how often depends on the machine.
    assert before >= 1
    assert after + torn >= 1


def test_an_interrupt_at_any_moment_leaves_other_tests_alone(workshop):
    """Ctrl-C stops at once: goldens of tests that did not end keep bytes and time, nothing is left over, and the next
    update ends as ever.
    """
    old, new, lengths = beginnings(workshop)
    chance = random.Random(40)
    met = {"between": False}
    for round_number in until(met, 30):
        workshop.reset(old)
        before = workshop.project.state()
        test = chance.randrange(len(SIZES))
        moment = {"test": test, "delay": chance.uniform(0, lengths[test]), "signal": signal.SIGINT}
        result = workshop.run("--update-golden", value=2.0, **moment)
        assert result["status"] in (pytest.ExitCode.INTERRUPTED, 0), (moment, result["output"])
        changed, leftovers = check(workshop.snapshot(), old, new)
        assert not leftovers, moment
        begun = {name_of(number) for number in range(len(result["beats"]) - 1)}
        assert changed <= begun, moment
        after = workshop.project.state()
        rest = {path for path in before if Path(path).name not in changed}
        assert {path: after[path] for path in rest} == {path: before[path] for path in rest}, moment
        met["between"] |= 0 < len(changed) < len(new) - len(SAME)
        if round_number % 8 == 0:
            assert workshop.run("--update-golden", value=2.0)["status"] == 0, moment
            assert workshop.snapshot() == new, moment


def clear(result):
    """Check that whatever went wrong in a run is a golden that changed meanwhile; return how many tests had that."""
    problems = [line for line in result["output"].splitlines() if line.startswith("golden ")]
    assert all("changed" in line and "while this test ran" in line for line in problems), result["output"]
    assert result["status"] == (pytest.ExitCode.TESTS_FAILED if problems else pytest.ExitCode.OK), result["output"]
    assert "Traceback" not in result["output"]
    return len(problems)


def test_two_updates_at_once_lose_no_golden(workshop):
    """Each golden is what one of two runs wrote, whole; a run that was overtaken says so."""
    first = workshop.write_goldens(2.0)
    second = workshop.write_goldens(3.0)
    old = workshop.write_goldens(1.0)
    for number in filter(is_new, workshop.numbers):
        del old[name_of(number)]
    met = {"overtaken": False, True: False, False: False}
    for _ in until(met, 25):
        workshop.reset(old)
        results = workshop.runs(asked("--update-golden", value=2.0), asked("--update-golden", value=3.0))
        met["overtaken"] |= sum(clear(result) for result in results) > 0
        files = workshop.snapshot()
        assert files.keys() == first.keys()
        for name, content in files.items():
            assert content in (first[name], second[name]), name
        won = {content == first[name] for name, content in files.items() if first[name] != second[name]}
        met.update(dict.fromkeys(won, True))


def test_a_comparison_beside_an_update_sees_whole_goldens(workshop):
    """A test compares with the old golden, which passes, or with the new one, and is off by what was changed."""
    new = workshop.write_goldens(2.0)
    old = workshop.write_goldens(1.0)
    met = {"new golden": False}
    for round_number in until(met, 25):
        workshop.reset(old)
        compare = asked("--tb=short", value=1.0)
        if round_number % 2:  # so that the two meet on their ways, however much faster one of them is
            compare["environment"]["BACKWARDS"] = "1"
        update, comparison = workshop.runs(asked("--update-golden", value=2.0), compare)
        assert update["status"] == 0, update["output"]
        assert workshop.snapshot() == new
        said = [line for line in comparison["output"].splitlines() if line.startswith(("stage '", "golden "))]
        assert set(said) <= {"stage 'mel' is off by 6.02 dB, allowed 0.01 dB"}, comparison["output"]
        met["new golden"] |= bool(said)
        assert comparison["status"] == (pytest.ExitCode.TESTS_FAILED if said else pytest.ExitCode.OK)
