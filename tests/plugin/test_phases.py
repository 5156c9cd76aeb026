"""What follows from a test in each of its phases: how it is judged and shown, what is written, what waits for review.

Each run has as many tests as it can tell apart, since this file judges every mutant of `phases`.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pytest_audioparity import phases
from pytest_audioparity.golden.pending import read_pending

SO_FAR = "- stages recorded before this failure -"
SAME = "def test_same(stages): stages['h'] = np.ones(9)\n"
OFF = "def test_off(stages): stages['h'] = np.arange(9.0) * {v}\n"
PORT = "@parity(golden='test_model/test_off', port=True)\ndef test_port(stages): stages['h'] = np.arange(9.0) * {v}\n"
# Of which some do not come to their end from now on, where v is no longer 1.
MANY = f"""
{SAME}
{OFF}
{PORT}
def test_gone(stages):
    stages['h'] = np.ones(9)
    if {{v}} == 1:
        stages['mel'] = np.ones(9)
def test_crash(stages):
    stages['h'] = np.arange(9.0) * {{v}}
    assert {{v}} == 1, "a crash"
def test_early(stages):
    assert {{v}} == 1
    stages['h'] = np.ones(9)
@pytest.fixture
def late(stages):
    yield
    assert {{v}} == 1
def test_late(stages, late): stages['h'] = np.arange(9.0) * {{v}}
def test_late_same(stages, late): stages['h'] = np.ones(9)
def test_skip(stages):
    stages['h'] = np.ones(9)
    if {{v}} != 1:
        pytest.skip()
@pytest.mark.xfail({{v}} != 1, reason="known")
def test_xfail(stages): stages['h'] = np.arange(9.0) * {{v}}
"""
OTHERWISE = "this test failed otherwise as well"
EARLY = "this test failed otherwise, before its end"
XFAIL = "this test is expected to fail (xfail), so its output is no reference"


def ran(project, *arguments):
    """Run the tests and return what was shown, and what the record says of each by its name."""
    result = project.run(*arguments)
    return result, {test["test"].rpartition("::")[2]: test for test in project.record().tests}


def told(tests, key):
    return {name.removeprefix("test_"): test[key] for name, test in tests.items() if test[key] is not None}


@pytest.fixture
def many(project):
    """Write goldens of tests most of which differ, crash or are skipped from now on."""
    project.write(MANY.format(v=1))
    project.run("--update-golden", "--deselect", "test_model.py::test_port").assert_outcomes()
    project.write(MANY.format(v=2))
    return project


FAILED = {
    "off": None,
    "gone": None,
    "crash": EARLY,
    "early": EARLY,
    "late": OTHERWISE,
    "late_same": OTHERWISE,
    "port": "this test is a port and never writes a golden",
}


def test_a_failure_leaves_what_the_test_obtained_and_says_the_ways_on(many):
    """With its causes, and with why it may not become golden; what passes, is skipped or expected leaves nothing."""
    before = many.state()
    result, tests = ran(many, "--junitxml=junit.xml", "-rP")
    result.assert_outcomes(passed=2, failed=6, errors=2, skipped=1, xfailed=1)
    outcomes = dict.fromkeys(FAILED, "failed") | {"same": "passed", "skip": "skipped", "xfail": "skipped"}
    assert told(tests, "outcome") == outcomes
    assert told(tests, "refused") == {name: why for name, why in FAILED.items() if why} | {"xfail": XFAIL}
    left = ["crash", "gone", "late", "off", "port"]
    assert told(tests, "pending") == {name: f".audioparity/pending/test_model/test_{name}.safetensors" for name in left}
    assert many.all_pending() == [f"test_model/test_{name}" for name in left]
    for name in left:
        pending, _ = read_pending(many.pending(f"test_model/test_{name}"))
        assert (pending.test, pending.run) == (f"test_model.py::test_{name}", many.record().id)
        assert pending.refused == FAILED[name]
    codes = {name: finding["code"] for name, finding in told(tests, "finding").items()}
    assert codes == dict.fromkeys(("crash", "late", "off", "port", "xfail"), "gain") | {"gone": "missing_stage"}
    ways = [line for line in result.outlines if line.startswith(("accept: ", "review: ", "owner: ", "not updated: "))]
    assert ways == [
        "accept: pytest test_model.py::test_off --update-golden",
        "review: audioparity golden show test_model/test_off",
        "review: audioparity golden show test_model/test_port",
        "owner: test_model.py::test_off writes this golden, should the reference itself have changed",
        "accept: pytest test_model.py::test_gone --update-golden",
        "review: audioparity golden show test_model/test_gone",
        "accept: pytest test_model.py::test_late --update-golden",
        "review: audioparity golden show test_model/test_late",
    ]
    # Only of a crash is it news what was judged before, and only a codec has scores.
    assert sum(SO_FAR in line for line in result.outlines) == 1
    assert "- round trip -" not in result.stdout.str()
    cases = ET.parse(many.path / "junit.xml").iter("testcase")
    verdicts = {case.get("name"): [p.get("value") for p in case.iter("property")][:2] for case in cases}
    assert verdicts["test_same"] == ["pass", "passed"]
    assert verdicts["test_off"] == ["fail", "failed"]
    assert many.state() == before


REFUSED = {name: FAILED[name] for name in ("crash", "early", "late", "late_same")} | {"xfail": XFAIL}


def test_an_update_writes_what_differs_and_a_plan_says_what_it_would_write(many):
    """Whatever keeps a test from passing otherwise keeps its golden; ports wait; what was written needs no review."""
    before = many.state()
    for flag, word, waiting in (("--golden-plan", "planned", ["gone", "off"]), ("--update-golden", "updated", [])):
        result, tests = ran(many, flag)
        assert result.parseoutcomes() == {
            "failed": 2, "errors": 2, "passed": 2, "skipped": 2, "xfailed": 1, word: 2,
        }  # fmt: skip
        outcomes = dict.fromkeys(REFUSED, "failed") | {"same": "passed", "skip": "skipped", "xfail": "skipped"}
        assert told(tests, "outcome") == outcomes | {"off": word, "gone": word}
        assert told(tests, "refused") == REFUSED
        changes = told(tests, "change")
        assert changes.keys() == {"off", "gone"}
        assert all(change["planned"] is (word == "planned") for change in changes.values())
        assert many.all_pending() == [f"test_model/test_{name}" for name in sorted(["crash", "late", *waiting])]
        codes = {name: finding["code"] for name, finding in told(tests, "finding").items()}
        # Why a stage differs is looked for where somebody reads it: not of what was written.
        assert codes == dict.fromkeys(("crash", "late", "xfail", *waiting), "gain") | {"gone": "missing_stage"}
        assert "not updated: test_model.py::test_crash: " + EARLY in result.outlines
        changed = {Path(name).stem for name, state in many.state().items() if state != before[name]}
        assert changed == (set() if waiting else {"test_off", "test_gone"})
    sizes = {name: many.golden(f"test_model/test_{name}").stat().st_size for name in changes}
    assert {name: change["size_bytes"] for name, change in changes.items()} == sizes


CHAIN = """
def test_chain(stages):
    x = stages.step('x', lambda: np.linspace(1, 2, 9) * {v})
    stages.step('h', np.sin, x)
"""


def test_what_a_step_only_inherited_stays_told(project):
    """In the record and in what waits, which are made after the teardown."""
    project.write(CHAIN.format(v=1))
    project.run("--update-golden")
    project.write(CHAIN.format(v=2))
    _, tests = ran(project)
    own = [stage["own_deviation_db"] for stage in tests["test_chain"]["stages"]]
    assert own[1] == 0
    pending, _ = read_pending(project.pending("test_model/test_chain"))
    assert pending.result["stages"][1]["own_deviation_db"] == 0


def test_a_test_that_passes_removes_what_it_left_and_one_that_was_not_judged_does_not(many):
    """A skip, or a failure that is expected, is no decision on what waits, also where its stages pass."""
    many.write(MANY.format(v=1).replace("np.ones(9)", "np.zeros(9)"))
    many.run()
    assert {"test_model/test_same", "test_model/test_skip"} <= set(many.all_pending())
    many.write(MANY.format(v=2))
    many.run()
    waiting = many.all_pending()
    assert "test_model/test_same" not in waiting
    assert "test_model/test_skip" in waiting
    many.write(OFF.format(v=2).replace("def", "@pytest.mark.xfail\ndef"))
    many.run().assert_outcomes(xfailed=1)
    assert many.all_pending() == waiting


CODEC = """
X = np.sin(np.arange(8000) * 0.1).astype(np.float32)
def send(roundtrip, gain=1):
    decode = lambda data: np.frombuffer(data, np.float32) * np.float32(gain)
    roundtrip(encode=lambda audio: audio.tobytes(), decode=decode, sample_rate=8000, clips={"x": X})
pytestmark = codec_roundtrip(skip=["words"])
def test_fine(roundtrip): send(roundtrip)
def test_worse(roundtrip): send(roundtrip, gain=2)
def test_crash(roundtrip):
    send(roundtrip)
    assert 0
def test_crash_early(roundtrip): assert 0
"""
SCORES = "the round trip "
# As tools see a report that put all its sections on a page.
SECTIONS = """
def pytest_runtest_logreport(report):
    with open("sections", "a") as file:
        file.writelines(f"{report.nodeid} {report.when} {name}\\n" for name, _ in report.sections)
"""


def test_scores_of_a_codec_are_shown_once(project):
    """Of a test that passes with -rP, of one that crashes beside its own failure, of one that fails as its failure."""
    project.write(CODEC)
    (project.path / "conftest.py").write_text(SECTIONS)
    result, tests = ran(project, "-rP")
    assert told(tests, "outcome") == {
        "fine": "passed", "worse": "failed", "crash": "failed", "crash_early": "failed",
    }  # fmt: skip
    assert told(tests, "refused") == {
        "worse": "its round trip fails: bounded, level", "crash": EARLY, "crash_early": EARLY,
    }  # fmt: skip
    shown = [line for line in result.outlines if line.startswith((SCORES, "---", "____", "accept:", "review:"))]
    assert [line.strip("_- ") for line in shown] == [
        "test_worse",
        "the round trip fails: bounded, level",
        "test_crash",
        "stages recorded before this failure",
        "the round trip passes",
        "test_crash_early",
        "test_fine",
        "round trip",
        "the round trip passes",
    ]
    assert (project.path / "sections").read_text() == (
        "test_model.py::test_fine call round trip\ntest_model.py::test_crash call stages recorded before this failure\n"
    )
    assert project.goldens() == project.all_pending() == []


def test_in_a_job_the_ways_on_are_those_of_its_artifact(project, monkeypatch):
    """There is none to accept what must not become golden, and none to look at what nobody kept."""
    project.write(OFF.format(v=1))
    project.run("--update-golden")
    project.write(OFF.format(v=2) + PORT.format(v=2) + CODEC)
    monkeypatch.setenv("CI", "1")
    result = project.run("-k", "off or port or worse")
    result.assert_outcomes(failed=3)
    assert [line for line in result.outlines if line.startswith(("accept: ", "review: "))] == [
        "accept: audioparity golden accept test_model/test_off --from DIR  # DIR: the downloaded artifact of this job",
        "review: audioparity golden show test_model/test_off --from DIR  # DIR: the downloaded artifact of this job",
        "review: audioparity golden show test_model/test_port --from DIR  # DIR: the downloaded artifact of this job",
    ]


@pytest.mark.parametrize(
    ("flags", "given"),
    [
        ([], ""),
        (["--golden-dir", "other dir", "--golden-variant=cuda"], " --golden-dir 'other dir' --golden-variant cuda"),
    ],
)
def test_the_command_to_accept_works_where_the_run_was_started(project, monkeypatch, flags, given):
    project.ini()
    project.write(OFF.format(v=1), "sub/test_model.py")
    monkeypatch.chdir(project.path / "sub")
    result = project.run(*flags)
    result.stdout.fnmatch_lines(f"accept: pytest test_model.py::test_off --update-golden{given}")


def test_a_golden_that_is_missing_is_written_where_that_is_asked_for(project):
    """One that differs is not, unless that is asked for as well; a crash without a golden has nothing to show."""
    project.write(OFF.format(v=1))
    project.run("--update-golden")
    project.write(OFF.format(v=2) + OFF.format(v="np.nan").replace("off", "nan") + SAME)
    crash = "def test_crash(stages): stages['h'] = np.ones(9); assert 0\n"
    project.write(crash, "test_other.py")
    result, tests = ran(project)
    result.assert_outcomes(failed=4)
    result.stdout.no_fnmatch_line("not updated: *")
    assert not any(SO_FAR in line for line in result.outlines)
    result, tests = ran(project, "--update-golden-missing")
    assert told(tests, "outcome") == {"off": "failed", "nan": "failed", "same": "created", "crash": "failed"}
    assert f"not updated: {tests['test_nan']['refused']}" in result.outlines
    assert [line for line in result.outlines if line.startswith("accept: ")] == [
        "accept: pytest test_model.py::test_off --update-golden"
    ]
    assert sorted(project.goldens()) == [f"golden/test_model/test_{name}.safetensors" for name in ("off", "same")]


DECLARES = """
def test_more(stages): stages.record('h', np.ones(9){more})
def test_part(stages): stages.record('h', np.ones(9){more})
def test_known(stages): stages.record('h', np.ones(9))
"""
FAILS_AFTERWARDS = """
import pytest
@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    assert {name!r} not in item.name, "it leaks"
    return result
"""


def test_a_test_that_passes_is_updated_where_it_declares_more_than_its_golden(project):
    """Not unless an update is asked for, not for a variant, and not where something else fails the test."""
    project.write(DECLARES.format(more=""))
    project.run("--update-golden")
    before = project.state()
    project.write(DECLARES.format(more=", axes='T'"))
    for flags in ((), ("--update-golden-missing",), ("--update-golden", "--golden-variant=cuda")):
        _, tests = ran(project, *flags)
        assert told(tests, "outcome") == dict.fromkeys(("more", "part", "known"), "passed")
    assert project.state() == before
    (project.path / "conftest.py").write_text(FAILS_AFTERWARDS.format(name="part"))
    result, tests = ran(project, "--update-golden")
    assert told(tests, "outcome") == {"more": "updated", "part": "failed", "known": "passed"}
    assert result.parseoutcomes() == {"updated": 1, "failed": 1, "passed": 1}
    assert {name for name, state in project.state().items() if state != before[name]} == {
        "golden/test_model/test_more.safetensors"
    }


def test_a_mark_alone_fails_a_test_that_records_nothing(project):
    """Each says what it needs; a test that is run again without recording anything is none of ours any more."""
    project.write("@parity\ndef test_a(): pass\n@codec_roundtrip\ndef test_b(): pass\ndef test_c(): pass\n")
    result = project.run()
    assert [line for line in result.outlines if line.startswith("the test is")] == [
        "the test is marked parity but records nothing; use the fixture 'stages'",
        "the test is marked codec_roundtrip but sends nothing through a codec; use the fixture 'roundtrip'",
    ]
    project.write("""
    TIMES = [2, 1]
    def test_model(request):
        if TIMES.pop() == 1:
            request.getfixturevalue('stages')['h'] = 1.0
    """)
    assert project.run("--reruns=1").parseoutcomes() == {"passed": 1, "rerun": 1}


LATE = """
@pytest.fixture
def model(stages):
    yield stages
    try:
        stages['late'] = 1.0
    except Exception:
        pass
@pytest.mark.parametrize('kind', ['passes', 'skip', 'crash', 'leaks'])
def test_model(model, kind):
    model['h'] = 1.0
    if kind == 'skip':
        pytest.skip()
    assert kind != 'crash'
@pytest.mark.xfail
def test_xfail(model): model['h'] = np.nan
"""


def test_what_a_teardown_swallows_fails_a_test_that_would_pass(project):
    """Whether its golden is there or to be written. One that failed before, or is not judged, is no second failure."""
    project.write(LATE)
    (project.path / "conftest.py").write_text(FAILS_AFTERWARDS.format(name="leaks"))
    outcomes = {"model[passes]": "failed", "model[skip]": "skipped", "xfail": "skipped"}
    outcomes |= dict.fromkeys(("model[crash]", "model[leaks]"), "failed")
    shown = {"errors": 1, "skipped": 1, "xfailed": 1, "failed": 2}
    result, tests = ran(project, "--update-golden")
    assert (told(tests, "outcome"), result.parseoutcomes()) == (outcomes, shown)
    assert project.goldens() == []
    project.write(LATE.replace("stages['late'] = 1.0", "pass"))
    (project.path / "conftest.py").unlink()
    project.run("--update-golden")
    assert len(project.goldens()) == 2
    project.write(LATE)
    (project.path / "conftest.py").write_text(FAILS_AFTERWARDS.format(name="leaks"))
    result, tests = ran(project)
    assert (told(tests, "outcome"), result.parseoutcomes()) == (outcomes, shown | {"passed": 1})
    assert sum(line.startswith("stage 'late' comes after its test was judged") for line in result.outlines) == 1


def test_a_golden_that_cannot_be_written_is_an_error_with_its_path(project, monkeypatch):
    """The others are, and their folder is flushed once, when the run ends."""
    flushed = []
    monkeypatch.setattr("pytest_audioparity.golden.atomic.sync_folders", lambda folders: flushed.append(set(folders)))
    project.write(SAME + OFF.format(v=1) + PORT.replace("port", "third").format(v=1).partition("\n")[2])
    project.write(SAME, "test_other.py")
    (project.path / "golden").mkdir()
    (project.path / "golden" / "test_other").write_text("a file where the folder should be")
    result, tests = ran(project, "--update-golden")
    assert result.parseoutcomes() == {"updated": 3, "errors": 1}
    result.stdout.fnmatch_lines("*golden/test_other*")
    result.stdout.no_fnmatch_line(f"*: *{project.path}/golden*")
    assert tests["test_off"]["outcome"] == "created"
    assert [folders for folders in flushed if project.path / ".audioparity" not in folders] == [
        {project.path / "golden" / "test_model"}
    ]


@pytest.mark.parametrize("way", [".audioparity", ".audioparity/pending/test_model"])
def test_what_cannot_be_kept_for_review_is_a_warning(project, way):
    """The failure is shown as ever."""
    path = project.path / way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file where the folder should be")
    project.write(OFF.format(v=1))
    result = project.run()
    result.assert_outcomes(failed=1)
    start = "warning: what test_model.py::test_off obtained could not be kept for review: "
    (said,) = [line.removeprefix(start) for line in result.outlines if line.startswith(start)]
    assert ".audioparity" in said
    assert str(project.path) not in said


def test_what_made_room_for_later_tests_is_counted(project):
    project.write("@pytest.mark.parametrize('i', range(9))\ndef test_model(stages, i): stages['h'] = np.ones(500)")
    project.ini("audioparity_pending_mb = 0.03")
    result = project.run()
    left = len(project.all_pending())
    assert 0 < left < 9
    result.stdout.fnmatch_lines(f".audioparity is full: what {9 - left} tests obtained made room for later ones *")


def test_ports_wait_for_a_golden_that_changes(project):
    """Also where another plugin lets them come first, where a plan would change it, and where its test failed late."""
    ports = PORT + PORT.replace("test_port", "test_second")
    project.write(OFF.format(v=1))
    project.run("--update-golden")
    (project.path / "conftest.py").write_text("def pytest_collection_finish(session): session.items.reverse()\n")
    project.write(OFF.format(v=2) + ports.format(v=2))
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1, "skipped": 2}
    (project.path / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(wrapper=True)\n"
        "def pytest_runtest_makereport(item, call):\n"
        "    report = yield\n"
        "    if item.name == 'test_off' and call.when == 'teardown':\n"
        "        report.outcome, report.longrepr = 'failed', 'it leaks'\n"
        "    return report\n"
    )
    project.write(OFF.format(v=3) + ports.format(v=3))
    result, tests = ran(project, "--update-golden")
    assert result.parseoutcomes() == {"errors": 1, "skipped": 2}
    assert project.tensors("test_model/test_off")["h"][1] == 3
    assert (tests["test_off"]["outcome"], tests["test_off"]["refused"]) == ("failed", None)
    result.stdout.fnmatch_lines("updated golden/test_model/test_off.safetensors*")
    result.stdout.no_fnmatch_line("not updated: *")
    assert project.all_pending() == []
    (project.path / "conftest.py").unlink()
    project.write(OFF.format(v=4) + ports.format(v=4))
    assert project.run("--golden-plan").parseoutcomes() == {"planned": 1, "skipped": 2}
    project.write("@pytest.mark.skip\n" + OFF.format(v=3) + ports.format(v=3))
    assert project.run("--update-golden").parseoutcomes() == {"passed": 2, "skipped": 1}
    project.write(OFF.format(v=3) + ports.format(v=3))
    assert project.run("--update-golden").parseoutcomes() == {"passed": 3}


AFTERWARDS = "pytest-audioparity failed, please report this"
BELOW = "pytest-audioparity failed after this test, see below"


def test_a_fault_of_ours_is_the_failure_of_its_test(project, monkeypatch):
    """It is shown with where it was; no golden is written by what was not explained, and what was obtained is kept."""

    def fails(*_, **__):
        raise ZeroDivisionError("planted")

    project.write(OFF.format(v=1) + SAME + "def test_crash(stages): stages['h'] = np.ones(9)\n")
    project.run("--update-golden")
    before = project.state()
    project.write(SAME + "def test_crash(stages): stages['h'] = np.ones(9) * 2; assert 0, 'a crash'\n")
    with monkeypatch.context() as patch:
        patch.setattr(phases, "_add_stages_so_far", fails)
        result = project.run_planted()
    tests = {test["test"].rpartition("::")[2]: test for test in project.record().tests}
    assert result.parseoutcomes() == {"failed": 1, "passed": 1}
    assert told(tests, "outcome") == {"same": "passed", "crash": "failed"}
    assert project.all_pending() == ["test_model/test_crash"]
    shown = result.stdout.str()
    assert "AssertionError: a crash" in shown
    assert AFTERWARDS in shown
    assert ", in annotate\n" in shown
    assert "ZeroDivisionError: planted" in shown
    project.write(SAME + OFF.format(v=2))
    with monkeypatch.context() as patch:
        patch.setattr(phases, "REPORT_KEY", None)  # which no report takes
        result = project.run_planted("--update-golden")
    assert result.parseoutcomes() == {"failed": 1, "passed": 1, "errors": 2}
    assert BELOW in result.stdout.str()
    assert project.state() == before


REPEATED = """
import itertools
COUNT = itertools.count()
KEPT = []
@parity(tol_db=3)
def test_noise(stages):
    KEPT.append(stages)
    stages.record('h', np.linspace(1, 2, 300) + next(COUNT) * 1e-4, axes='T')
@parity(tol_db=3)
def test_once(stages):
    KEPT.append(stages)
    assert len([one for one in KEPT if one is not KEPT[0]]) < 5, 'no third time'
    stages.record('h', np.linspace(1, 2, 300), axes='T')
def test_kept():
    for stages in KEPT:
        with pytest.raises(Exception, match='comes after its test was judged'):
            stages['late'] = 1.0
"""


def test_an_audit_is_said_of_the_tests_that_it_concerns(project):
    """Each run of a test that is repeated begins anew; of one that cannot be repeated it is said why."""
    project.write(REPEATED)
    project.run("--update-golden").assert_outcomes(passed=1)
    _, tests = ran(project, "--parity-mutants")
    assert [("mutants" in test, "calibration" in test) for test in tests.values()] == [(True, False)] * 2
    result, tests = ran(project, "--parity-calibrate=3")
    result.assert_outcomes(passed=2, failed=1)
    assert ["mutants" in test for test in tests.values()] == [False] * 2
    noise, once = (tests[f"test_{name}"]["calibration"] for name in ("noise", "once"))
    assert ([row["repetitions"] for row in noise["stages"]], noise["problem"]) == ([3], None)
    assert (once["stages"], once["problem"]) == ([], "its last run failed")


def test_misuse_is_one_line_also_where_a_failure_is_expected(project):
    """And a test that passes although it was expected to fail is no fault of ours."""
    project.write(SAME)
    project.run("--update-golden")
    project.write(
        "@pytest.mark.xfail(strict=True)\n"
        + SAME
        + """
def test_misuse(stages): stages['h'] = None
@pytest.mark.xfail
def test_known(stages): stages['h'] = None
@pytest.mark.xfail
def test_off(stages): stages['h'] = np.ones(9) * np.nan
"""
    )
    # Before version 8.3, -rx alone shows tracebacks.
    result = project.run("-rx", *(["--xfail-tb"] if pytest.version_tuple >= (8, 3) else []))
    assert result.parseoutcomes() == {"failed": 2, "xfailed": 2}
    at = [result.outlines.index(next(line for line in result.outlines if f"___ test_{name} ___" in line))
          for name in ("same", "misuse", "known", "off")]  # fmt: skip
    assert [result.outlines[i + 1].strip() for i in at] == [
        "[XPASS(strict)]",
        "test_model.py:8: stage 'h': NoneType is not array-like",
        "test_model.py:10: stage 'h': NoneType is not array-like",
        "golden golden/test_model/test_off.safetensors does not exist; create it with: pytest --update-golden",
    ]
    assert AFTERWARDS not in result.stdout.str()


PARTS = """
def test_fails(stages, subtests):
    stages['h'] = np.ones(9)
    with subtests.test('part'): assert {v} == 1
def test_gone(stages, subtests):
    with subtests.test('part'): stages['h'] = np.ones(9)
    if {v} == 1:
        stages['mel'] = np.ones(9)
def test_skipped(stages, subtests):
    stages['h'] = np.ones(9)
    with subtests.test('part'):
        if {v} != 1:
            pytest.skip()
        stages['mel'] = np.ones(9)
def test_xfail(stages, subtests):
    stages['h'] = np.ones(9) * {v}
    with subtests.test('part'):
        if {v} != 1:
            pytest.xfail()
"""


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest has subtests of its own since version 9")
def test_a_subtest_that_fails_or_does_not_end_keeps_the_golden(project):
    """One that passes does not, whatever the test no longer records; nothing overrides that a failure is expected."""
    project.write(PARTS.format(v=1))
    project.run("--update-golden")
    before = project.state()
    project.write(PARTS.format(v=2))
    _, tests = ran(project, "--update-golden", "--force-golden", "--golden-reason=new")
    assert told(tests, "outcome") == dict.fromkeys(("fails", "skipped", "xfail"), "failed") | {"gone": "updated"}
    assert told(tests, "refused") == {
        "fails": OTHERWISE,
        "skipped": "a part of this test was skipped, and stage 'mel' is missing",
        "xfail": XFAIL,
    }
    assert {Path(name).stem for name, state in project.state().items() if state != before[name]} == {"test_gone"}
