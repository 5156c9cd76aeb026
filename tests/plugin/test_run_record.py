"""The record of a run: what it says, that it is there whatever happens, and that it never passes for another run's."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pytest_audioparity.runs import UNFINISHED, read_run

SOURCE = """
@pytest.mark.parametrize("i", range(3))
def test_good(stages, i): stages["mel"] = np.full(9, 1.0 + i)
def test_bad(stages): stages["mel"] = np.full(9, {value})
@parity(port=True, golden="test_model/test_good-0")
def test_port(stages): stages["mel"] = np.full(9, 1.0)
@pytest.mark.skip
def test_skipped(stages): pass
@pytest.mark.xfail
def test_xfailed(stages): stages["mel"] = np.full(9, 1.0)
def test_other(): pass
"""
WORKERS = [(), ("-n2",)]


@pytest.fixture
def model(project):
    """Write goldens of tests that pass, skip, are expected to fail and, from now on, one that fails."""
    project.write(SOURCE.format(value=1.0))
    project.run("--update-golden")
    project.write(SOURCE.format(value=2.0))
    return project


def run_file(project):
    return project.path / ".audioparity" / "run.json"


def record_of(project, *arguments):
    """Run pytest, in a process of its own where xdist is asked for, and return the record."""
    run = project.run_apart if any(argument.startswith("-n") for argument in arguments) else project.run
    result = run(*arguments)
    record = read_run(run_file(project))
    assert record.exit_status == result.ret
    return record


def outcomes(record):
    return {test["test"].partition("::")[2]: test["outcome"] for test in record.tests}


@pytest.mark.parametrize("flags", WORKERS)
def test_what_a_record_says(model, flags):
    """Every parity test that ran is there with its outcome; skip and xfail count as run; goldens are claimed."""
    record = record_of(model, *flags)
    assert outcomes(record) == {
        "test_good[0]": "passed",
        "test_good[1]": "passed",
        "test_good[2]": "passed",
        "test_bad": "failed",
        "test_port": "passed",
        "test_xfailed": "skipped",
    }
    assert (record.exit_status, record.complete, record.reasons, record.orphans) == (1, True, (), ())
    assert record.seen == record.run
    assert len(record.seen) == 7
    assert record.collected["test_model.py"][-2:] == ("test_skipped", "test_xfailed")
    assert "test_other" in record.collected["test_model.py"]
    assert {"test_model/test_skipped", "test_model/test_xfailed"} <= set(record.claimed)
    assert "test_model/test_port" not in record.claimed
    assert record.finished >= record.started
    bad = next(test for test in record.tests if test["test"].endswith("test_bad"))
    assert (bad["verdict"], bad["first_divergence"], bad["stages"][0]["name"]) == ("fail", "mel", "mel")
    assert (model.path / bad["pending"]).is_file()


@pytest.mark.parametrize("arguments", [(), ("-k", "good"), ("--update-golden",), ("-m", "not xfail", ".")])
def test_workers_change_nothing_in_the_record(model, arguments):
    """The record of one process is that of several, but for its times and its id."""
    (model.path / "test_skip.py").write_text("import pytest\npytest.importorskip('nowhere')\n")
    (model.path / "test_empty.py").touch()
    bad = model.golden("test_model/test_bad")
    content = bad.read_bytes()
    records = []
    for flags in WORKERS:
        bad.write_bytes(content)
        # Each in a process of its own: sizes count the provenance, which has the packages that were imported.
        model.run_apart(*arguments, *flags)
        record = read_run(run_file(model))
        # A worker that updates cannot know of an owner in another one, so there a port may have to wait.
        tests = tuple(test for test in record.tests if not (test["port"] and "--update-golden" in arguments))
        records.append(dataclasses.replace(record, id="", started="", finished="", tests=tests))
    assert records[0] == records[1]


def test_groups_of_workers_change_no_names(project):
    """`--dist loadgroup` appends the group to the ids of tests, in some versions of pytest."""
    project.write("@pytest.mark.xdist_group('g')\ndef test_model(stages): stages['mel'] = 1.0")
    project.ini("markers = xdist_group")
    project.run("--update-golden")
    record = record_of(project, "-n2", "--dist=loadgroup")
    assert (record.seen, record.run) == (("test_model.py::test_model",), ("test_model.py::test_model",))
    assert record.collected == {"test_model.py": ("test_model",)}
    assert "test_model/test_model" in record.claimed
    assert record.complete
    assert not record.orphans


def test_the_record_is_json_of_schema_1(model):
    """Anyone can read it, and the folder ignores itself."""
    model.run()
    assert json.loads(run_file(model).read_text())["schema"] == 1
    assert (run_file(model).parent / ".gitignore").exists()


def test_a_test_is_recorded_with_what_decided(project):
    """What is wrong in a line, where it begins, where it gets much worse, and why; nothing of a test that passes."""
    source = "def test_model(stages):\n    x = np.sin(np.arange(600.0))\n    stages.settings(k={k})\n" + "".join(
        f"    stages['{name}'] = x * 10 ** ({{{name}}} / 20)\n" for name in "abcde"
    )
    project.write(source.format(k=1, a=0, b=0, c=0, d=0, e=0))
    assert "does not exist" in record_of(project).tests[0]["reason"]
    project.run("--update-golden")
    good = record_of(project).tests[0]
    nothing = ("reason", "first_divergence", "second_jump", "headline", "finding", "pending", "warning", "variant")
    assert [good[key] for key in nothing] == [None] * len(nothing)
    assert (good["verdict"], good["golden"], good["port"]) == ("pass", "test_model/test_model", False)
    assert good["settings"] == [{"name": "k", "verdict": "pass"}]
    assert [stage["name"] for stage in good["stages"]] == list("abcde")
    project.write(source.format(k=1, a=0, b=0.02, c=0.018, d=8, e=7))
    bad = record_of(project).tests[0]
    assert (bad["verdict"], bad["reason"], bad["first_divergence"]) == ("fail", None, "b")
    assert (bad["second_jump"]["stage"], bad["finding"]["code"]) == ("d", "gain")
    assert bad["headline"].startswith("stage 'b' is off by 0.0200 dB")
    project.write(source.format(k=2, a=0, b=0, c=0, d=0, e=0))
    other = record_of(project).tests[0]
    assert (other["verdict"], other["first_divergence"]) == ("fail", None)
    assert other["settings"] == [{"name": "k", "verdict": "fail"}]
    assert other["reason"] == other["headline"]
    assert "k" in other["reason"]


def test_runs_have_ids_of_their_own(model):
    """Two runs are told apart, and what waits for review names its run."""
    assert record_of(model).id != record_of(model).id


@pytest.mark.parametrize(
    "arguments",
    [
        ("--collect-only",),
        ("--setup-plan",),
        ("--setup-only",),
        ("--co", "-n2"),
    ],
)
def test_what_runs_no_tests_leaves_the_record(model, arguments):
    """Listing tests is no run."""
    model.run()
    before = run_file(model).read_bytes()
    model.run_apart(*arguments)
    assert run_file(model).read_bytes() == before


@pytest.mark.parametrize("argument", ["--fixtures", "--fixtures-per-test"])
def test_listing_fixtures_is_no_run_either(model, argument):
    """They collect tests too."""
    before = run_file(model).read_bytes()
    subprocess.run([sys.executable, "-m", "pytest", argument], cwd=model.path, check=True, stdout=subprocess.DEVNULL)
    assert run_file(model).read_bytes() == before


@pytest.mark.parametrize("flags", [*WORKERS, ("--update-golden",)])
def test_without_parity_tests_nothing_is_made(project, flags):
    """A project that has none gets no folder."""
    project.write("def test_other(): pass")
    assert project.run_apart(*flags).ret == 0
    assert not (project.path / ".audioparity").exists()


@pytest.mark.parametrize("flags", WORKERS)
def test_a_killed_run_is_not_taken_for_the_one_before(model, flags):
    """From the first parity test on, the record says that the run has not ended."""
    finished = record_of(model)
    model.write(SOURCE.format(value=1.0) + "def test_last(): open('here', 'w').close(); import time; time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *flags], cwd=model.path, stdout=subprocess.DEVNULL, start_new_session=True
    )
    while not (model.path / "here").exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    record = read_run(run_file(model))
    assert record.id != finished.id
    assert (record.complete, record.broken, record.finished) == (False, (UNFINISHED,), None)


@pytest.mark.parametrize("flags", WORKERS)
def test_an_interrupted_run_is_recorded_as_such(model, flags):
    """What ran until Ctrl-C is there, and the run is not complete."""
    model.write(SOURCE.format(value=1.0) + "def test_last(): raise KeyboardInterrupt")
    assert model.run_apart(*flags).ret == pytest.ExitCode.INTERRUPTED
    record = read_run(run_file(model))
    assert "the run was interrupted" in record.broken
    assert not record.complete


@pytest.mark.parametrize("flags", WORKERS)
@pytest.mark.parametrize(("good", "outcome"), [(2, "passed"), (9, "failed")])
def test_of_several_attempts_the_last_counts(model, flags, good, outcome):
    """pytest-rerunfailures: one entry for the test, that of its last attempt."""
    model.write(
        "from pathlib import Path\n"
        "def test_bad(stages):\n"
        "    path = Path(__file__).with_name('n')\n"
        "    path.write_text(path.read_text() + 'x' if path.exists() else 'x')\n"
        f"    stages['mel'] = np.full(9, 1.0 if len(path.read_text()) >= {good} else 2.0)\n"
    )
    record = record_of(model, "--reruns", "2", *flags)
    assert outcomes(record) == {"test_bad": outcome}
    assert record.complete


def test_a_worker_that_crashes_breaks_the_record_and_nothing_else(model):
    """The rest of the tests is recorded; the run does not count as whole."""
    model.write(SOURCE.format(value=1.0) + "def test_crash(stages): import os; os._exit(3)")
    record = record_of(model, "-n1")
    assert "a worker process crashed" in record.broken
    assert outcomes(record)["test_bad"] == "passed"
    assert not record.complete


def test_the_only_worker_crashes_for_good(model):
    """Even with no worker left there is a record."""
    model.write("def test_crash(stages): import os; os._exit(3)")
    result = model.run_apart("-n1", "--max-worker-restart=0")
    assert result.ret != 0
    assert not read_run(run_file(model)).complete


@pytest.mark.parametrize("flags", WORKERS)
def test_a_folder_that_cannot_be_written_is_one_warning(model, flags):
    """The verdict stays what it is, and the summary says in one line what is missing."""
    model.run()
    folder = run_file(model).parent
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    folder.write_text("in the way")
    run = model.run_apart if flags else model.run
    result = run(*flags)
    result.assert_outcomes(passed=5, failed=1, skipped=1, xfailed=1)
    (line,) = [line for line in result.outlines if "the run is not recorded" in line]
    assert line == "warning: the run is not recorded: .audioparity cannot be written: File exists"
    assert folder.read_text() == "in the way"


@pytest.mark.parametrize("flags", WORKERS)
def test_a_plan_fails_the_run(model, flags):
    """A plan that is left in CI does not pass as a comparison."""
    before = model.state()
    record = record_of(model, "--golden-plan", *flags)
    assert (record.exit_status, outcomes(record)["test_bad"]) == (1, "planned")
    assert model.state() == before


def test_a_plan_that_plans_nothing_passes(project):
    """Where every golden is as it should be, a plan is an ordinary run."""
    project.write("def test_model(stages): stages['mel'] = 1.0")
    project.run("--update-golden")
    assert record_of(project, "--golden-plan").exit_status == 0
    assert record_of(project).exit_status == 0


def test_a_plan_that_meets_a_failure_keeps_its_exit_status(project):
    """Other exit statuses are not replaced."""
    project.write("def test_model(stages): stages['mel'] = 1.0\ndef test_other(): raise KeyboardInterrupt")
    assert project.run_apart("--golden-plan").ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize("flags", WORKERS)
def test_reports_that_the_terminal_keeps_do_not_hold_what_was_delivered(model, flags):
    """A run with many stages does not hold the numbers of all of them twice."""
    (model.path / "conftest.py").write_text(
        "def pytest_terminal_summary(terminalreporter):\n"
        "    reports = [r for rs in terminalreporter.stats.values() for r in rs]\n"
        "    print('KEPT', len(reports), sum(hasattr(r, 'audioparity') for r in reports))\n"
    )
    result = model.run_apart("-s", "-rA", *flags)
    assert any(line.startswith("KEPT") and line.endswith(" 0") for line in result.outlines)


def test_without_a_terminal_and_xdist_there_is_a_record(model):
    """Neither plugin is needed."""
    assert record_of(model, "-p", "no:terminal", "-p", "no:xdist").complete


@pytest.mark.parametrize("flags", WORKERS)
def test_a_test_that_gets_the_fixture_by_name_is_recorded(project, flags):
    """It claims its golden when it runs; what was left out before is not known, so the run is not whole."""
    project.write("def test_late(request): request.getfixturevalue('stages')['mel'] = 1.0")
    project.run("--update-golden")
    record = record_of(project, *flags)
    assert outcomes(record) == {"test_late": "passed"}
    assert record.claimed == ("test_model/test_late",)


def test_the_commit_is_that_before_the_goldens_changed(project):
    """What updates tracked goldens is still a run of the commit."""

    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=project.path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    project.write("def test_model(stages): stages['mel'] = 1.0")
    project.run_apart("--update-golden")
    git("init", "-q")
    git("add", "test_model.py", "golden")
    git("commit", "-qm", "first")
    project.write("def test_model(stages): stages['mel'] = 1.0\ndef test_new(stages): stages['mel'] = 1.0")
    git("commit", "-qam", "second")
    for flags in WORKERS:
        project.golden("test_model/test_model").write_bytes(b"")
        git("checkout", ".")
        project.run_apart("--update-golden", *flags)
        assert read_run(run_file(project)).commit == git("rev-parse", "HEAD")
