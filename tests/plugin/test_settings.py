"""`stages.settings`: hyper-parameters of a test beside those of its golden, exactly."""

from __future__ import annotations

import json

import pytest

from pytest_audioparity.golden.file import Golden
from pytest_audioparity.golden.pending import read_pending

SOURCE = """
def test_model(stages):
    {settings}
    stages["x"] = np.ones(3) * {gain}
"""
DECLARED = "stages.settings(temperature=0.9, top_k=50)"


@pytest.fixture
def model(project):
    """Write the golden of a test with two hyper-parameters; it returns what writes the test anew."""

    def write(settings, gain=1.0):
        project.write(SOURCE.format(settings=settings, gain=gain))

    write(DECLARED)
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    return write


def settings_of(project, name="test_model/test_model"):
    return Golden(project.golden(name)).settings


def said(project):
    """Return the lines of the settings block of a failing run, single-spaced."""
    result = project.run()
    result.assert_outcomes(failed=1)
    lines = [" ".join(line.split()) for line in result.outlines]
    start = next(i for i, line in enumerate(lines) if "settings differ" in line)
    return lines[start : lines.index("", start)]


def test_equal_settings_pass_whatever_their_type_and_order(project, model):
    assert settings_of(project) == {"temperature": 0.9, "top_k": 50}
    before = project.state()
    for same in (
        "stages.settings(top_k=50.0, temperature=np.float64(0.9))",
        "stages.settings({'top_k': 50}, temperature=0.9)",
        "stages.settings(top_k=50); stages.settings(temperature=0.9, top_k=50)",
    ):
        model(same)
        project.run().assert_outcomes(passed=1)
        project.run("--update-golden").assert_outcomes(passed=1)
    assert project.state() == before


def test_each_difference_has_its_line(project, model):
    model("stages.settings(temprature=0.9, top_k=40)")
    assert said(project) == [
        "3 of 3 settings differ",
        "temperature : expected 0.9, missing in actual",
        "temprature : actual 0.9, missing in expected; did you mean 'temperature'?",
        "top_k : expected 50, actual 40",
    ]


def test_settings_alone_are_the_headline_and_the_stages_all_pass(project, model):
    model("stages.settings(temperature=0.7, top_k=50)")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["setting 'temperature': expected 0.9, actual 0.7", "x * ok", "accept: pytest *"])
    result.stdout.fnmatch_lines("FAILED *ParityError: setting 'temperature': expect*")
    result.stdout.fnmatch_lines("review: audioparity golden show test_model/test_model")
    record = json.loads((project.path / ".audioparity" / "run.json").read_text())["tests"][0]
    assert record["reason"] == "setting 'temperature': expected 0.9, actual 0.7"
    assert record["settings"] == [{"name": "temperature", "verdict": "fail"}, {"name": "top_k", "verdict": "pass"}]


def test_with_a_stage_that_fails_both_are_told(project, model):
    model("stages.settings(temperature=0.7, top_k=50)", gain=2)
    assert said(project) == ["1 of 2 settings differs", "temperature : expected 0.9, actual 0.7"]
    document = read_pending(project.pending())[0].result
    assert (document["verdict"], document["first_divergence"]) == ("fail", "x")
    assert document["settings"][0] == {
        "name": "temperature",
        "expected": 0.9,
        "actual": 0.7,
        "verdict": "fail",
        "problem": "expected 0.9, actual 0.7",
    }
    assert document["settings"][1]["verdict"] == "pass"


@pytest.mark.parametrize(
    ("before", "after", "golden", "lines"),
    [
        ("temperature=0.9", "temperature=0.7", {"temperature": 0.7}, ["setting temperature: 0.9 -> 0.7"]),
        ("temperature=0.9", "", {}, ["setting temperature: removed"]),
        ("", "temperature=0.9", {"temperature": 0.9}, ["setting temperature: added (0.9)"]),
        ("a=[1, 2]", "a=[1, 3], b=1", {"a": [1, 3], "b": 1}, ["setting a: [1]: 2 -> 3", "setting b: added (1)"]),
    ],
)
def test_an_update_writes_settings_that_differ_and_lists_them(project, before, after, golden, lines):
    project.write(SOURCE.format(settings=f"stages.settings({before})", gain=1))
    assert project.run("--update-golden").ret == 0
    tensors = project.tensors()
    project.write(SOURCE.format(settings=f"stages.settings({after})", gain=1))
    project.run().assert_outcomes(failed=1)
    assert project.run("--golden-plan").parseoutcomes() == {"planned": 1}
    result = project.run("--update-golden")
    assert result.parseoutcomes() == {"updated": 1}
    result.stdout.fnmatch_lines([f"  {line}".replace("[", "[[]") for line in lines])
    assert settings_of(project) == golden
    assert {name: list(array) for name, array in project.tensors().items()} == {n: list(a) for n, a in tensors.items()}
    project.run().assert_outcomes(passed=1)


def test_only_leaves_settings_compared(project, model):
    project.write("@parity(only=['x'])\n" + SOURCE.strip().format(settings="stages.settings(top_k=50)", gain=1))
    project.run().assert_outcomes(failed=1)


def changes_of(project):
    """Return what waits of the test: name, kind, text, whether it is a setting."""
    pending, _ = read_pending(project.pending())
    return [(change.name, change.change, change.text, change.is_setting) for change in pending.changes]


def test_what_is_left_for_review_carries_the_settings(project, model):
    model("stages.settings(temperature=0.7, top_p=[1, 2])", gain=2)
    project.run().assert_outcomes(failed=1)
    assert read_pending(project.pending())[0].settings == {"temperature": 0.7, "top_p": [1, 2]}
    assert changes_of(project) == [
        ("x", "changed", "old -> new 6.02 dB", False),
        ("temperature", "changed", "0.9 -> 0.7", True),
        ("top_k", "removed", "removed", True),
        ("top_p", "added", "added ([1, 2])", True),
    ]


def test_settings_alone_are_left_for_review_and_accepted_as_an_update_writes_them(project, model, capsys):
    from pytest_audioparity.cli import main

    def accepted(command):
        model(DECLARED)
        assert project.run("--update-golden").ret == 0
        model("stages.settings(temperature=0.7, top_k=50)")
        assert command() == 0
        assert project.all_pending() == []
        project.run().assert_outcomes(passed=1)
        golden = Golden(project.golden())
        return settings_of(project), list(project.tensors()["x"]), golden.stages, golden.provenance["test"]

    def review():
        project.run().assert_outcomes(failed=1)
        assert read_pending(project.pending())[1].stages == ()
        assert main(["golden", "pending"]) == 0
        assert "  setting temperature  0.9 -> 0.7\n" in capsys.readouterr().out
        assert main(["golden", "show"]) == 0
        assert "setting 'temperature': expected 0.9, actual 0.7\n" in capsys.readouterr().out
        return main(["golden", "accept", "--yes"])

    assert accepted(review) == accepted(lambda: project.run("--update-golden").ret)
    assert settings_of(project) == {"temperature": 0.7, "top_k": 50}


def test_a_new_golden_is_reviewed_with_its_settings(project):
    project.write(SOURCE.format(settings="stages.settings(top_k=50)", gain=1))
    project.run().assert_outcomes(failed=1)
    assert changes_of(project) == [("x", "added", "new", False), ("top_k", "added", "added (50)", True)]


def test_settings_of_a_test_without_a_stage_leave_nothing(project, model):
    model("stages.settings(temperature=0.7); raise RuntimeError('no model')")
    project.run().assert_outcomes(failed=1)
    assert project.all_pending() == []
    project.write("def test_new(stages): stages.settings(temperature=0.7)")
    project.run().assert_outcomes(failed=1)
    assert project.all_pending() == []


def test_a_test_that_crashed_leaves_the_settings_that_it_did_not_come_to(project, model):
    project.write("""
    def test_model(stages):
        stages.settings(temperature=0.7)
        stages["x"] = np.ones(3) * 2
        raise ValueError("shapes do not fit")
    """)
    project.run().assert_outcomes(failed=1)
    pending = read_pending(project.pending())[0]
    assert pending.settings == {"temperature": 0.7, "top_k": 50}
    assert [setting["name"] for setting in pending.result["settings"]] == ["temperature"]


def test_accepting_what_waits_writes_stages_and_settings(project, model):
    from pytest_audioparity.cli import main

    model("stages.settings(temperature=0.7, top_p=0.9)", gain=2)
    project.run().assert_outcomes(failed=1)
    assert main(["golden", "accept", "--yes"]) == 0
    assert settings_of(project) == {"temperature": 0.7, "top_p": 0.9}
    project.run().assert_outcomes(passed=1)


def test_what_waits_is_always_of_the_last_run(project, model):
    model(DECLARED, gain=2)
    project.run().assert_outcomes(failed=1)
    assert changes_of(project) == [("x", "changed", "old -> new 6.02 dB", False)]
    model("stages.settings(temperature=0.7, top_k=50)")
    project.run().assert_outcomes(failed=1)
    assert changes_of(project) == [("temperature", "changed", "0.9 -> 0.7", True)]
    model(DECLARED)
    project.run().assert_outcomes(passed=1)
    assert project.all_pending() == []


class TestPorts:
    SOURCE = """
    def test_reference(stages):
        stages.settings(temperature=0.9, top_k=50)
        stages["x"] = np.ones(3)
    @parity(golden="test_model/test_reference", port=True)
    def test_port(stages):
        {settings}
        stages["x"] = np.ones(3) * {gain}
    """

    def run(self, project, settings, gain=1):
        project.write(self.SOURCE.format(settings=settings, gain=gain))
        assert project.run("--update-golden", "-k", "reference").ret == 0
        return project.run("-k", "port")

    def test_a_port_that_declares_some_is_compared_in_all(self, project):
        self.run(project, "stages.settings(temperature=0.9, top_k=50)").assert_outcomes(passed=1)
        result = self.run(project, "stages.settings(temperature=0.9)")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["  top_k : expected 50, missing in actual"])
        result.stdout.no_fnmatch_line("accept:*")
        pending, _ = read_pending(project.pending("test_model/test_port"))
        assert "port" in pending.refused

    def test_a_port_that_declares_none_is_not_compared_and_its_failure_says_so(self, project):
        self.run(project, "pass").assert_outcomes(passed=1)
        result = self.run(project, "pass", gain=2)
        result.stdout.fnmatch_lines("settings: temperature, top_k: not compared, this port declares none")


MISUSE = [
    ("stages.settings(t=float('nan'))", "settings: t=nan is not finite"),
    ("stages.settings(t=object)", "is no number, text"),
    ("stages.settings(t=1); stages.settings(t=2)", "settings: t was declared as 1 and now as 2"),
    ("stages.settings({'t': 1}, t=2)", "settings: t was declared as 1 and now as 2"),
    ("stages.settings({3: 1})", "3 is no name"),
]


@pytest.mark.parametrize(("statement", "message"), MISUSE)
def test_misuse_is_one_line_with_its_place_in_the_test(project, statement, message):
    project.write(f"def test_model(stages):\n    stages['x'] = 1.0\n    {statement}")
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    assert any(line.startswith("test_model.py:7: ") and message in line for line in result.outlines)
    assert project.goldens() == []


def test_settings_after_the_judgement_are_refused(project):
    project.write("""
    @pytest.fixture
    def late(stages):
        yield stages
        stages.settings(a=1)
    def test_model(late):
        late["x"] = 1.0
    """)
    result = project.run("--update-golden")
    result.stdout.fnmatch_lines("*settings come after their test was judged*")
    assert project.goldens() == []


def test_settings_without_a_stage_are_no_test(project):
    project.write("def test_model(stages): stages.settings(a=1)")
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("the test recorded no stage*")


def test_a_golden_written_by_hand_is_compared_by_value(project, model):
    """Another program may write integers as floats, and keys in any order."""
    from pytest_audioparity.golden.file import write_golden

    golden = Golden(project.golden())
    write_golden(
        project.golden(), list(golden), settings={"top_k": 50.0, "temperature": 0.9}, provenance=golden.provenance
    )
    project.run().assert_outcomes(passed=1)


def test_a_run_judged_again_with_another_tolerance_still_fails_for_its_settings(project, model):
    from pytest_audioparity.review.recheck import recheck
    from pytest_audioparity.runs import read_run

    model("stages.settings(temperature=0.7, top_k=50)", gain=2)
    project.run().assert_outcomes(failed=1)
    (test,) = recheck(read_run(project.path / ".audioparity" / "run.json"), 100)
    assert (test.after, test.stages[0].after) == ("fail", "pass")
    assert test.reason == "setting 'temperature': expected 0.9, actual 0.7"


def test_with_xdist_the_same(project, model):
    model("stages.settings(temperature=0.7, top_k=50)")
    result = project.run_apart("-n", "1")
    result.stdout.fnmatch_lines("*setting 'temperature': expected 0.9, actual 0.7*")
    assert project.run_apart("-n", "1", "--update-golden").ret == 0
    assert settings_of(project) == {"temperature": 0.7, "top_k": 50}
