"""Tolerances from the numbers of a calibration: between noise and faults, and never a blessing of a fault."""

from __future__ import annotations

import pytest

from pytest_audioparity.audits.proposals import lines, proposals

FAULTS = [[0.02, "gain (gain of 0.02 dB)"], [0.5, "channels (1 channels dead)"], [3.0, "sign_flip (inverted)"]]


def row(stage="mel", **numbers):
    return {
        "stage": stage,
        "measure": "tol_db",
        "repetitions": 5,
        "measurable": True,
        "to_golden": 0.0,
        "run_to_run": 0.0,
        "cause": None,
        "faults": FAULTS,
        "now": 0.01,
        "precision": "fp32",
        "in_record": False,
        "failing": [],
        "injected": 100,
        **numbers,
    }


@pytest.mark.parametrize(
    ("numbers", "proposed"),
    [
        ({}, None),  # 0.01 lies between what another machine may add and the smallest fault
        ({"now": 3.0}, 0.004),
        ({"now": 0.0}, 0.004),
        ({"now": 0.02}, 0.004),  # the fault would pass
        ({"to_golden": 0.003, "now": 0.01}, None),
        ({"to_golden": 0.006, "now": 0.01}, 0.05),  # the fault of 0.02 dB is too near
        ({"to_golden": 0.1, "run_to_run": 0.1, "now": 0.01}, 0.2),
        ({"to_golden": 0.1, "run_to_run": 0.1, "cause": "unexplained", "now": 0.01}, 0.2),
        ({"to_golden": 0.1, "run_to_run": 0.08, "cause": "unexplained", "now": 0.01}, 0.2),
        ({"precision": "fp16", "now": 0.1}, None),
        ({"precision": "fp16", "now": 1.0}, 0.07),
    ],
)
def test_a_tolerance_lies_between_noise_and_the_smallest_fault_that_can_be_told_from_it(numbers, proposed):
    """It is the geometric mean, and what already lies between stays."""
    (one,) = proposals([row(**numbers)])
    assert one.is_sound
    assert one.proposed == proposed
    if proposed is not None:
        assert 2 * max(one.to_golden, one.run_to_run) <= proposed < one.limit


@pytest.mark.parametrize(
    ("numbers", "note"),
    [
        ({"to_golden": 1.46, "cause": "offset"}, "not noise but offset"),
        ({"to_golden": 1.46, "run_to_run": 0.1, "cause": "unexplained"}, "not noise but unexplained"),
        ({"to_golden": None, "measurable": False}, "structure"),
        ({"to_golden": 3.5, "run_to_run": 1.0, "cause": "offset"}, "not noise but offset"),
        ({"to_golden": 0.5, "run_to_run": 0.5}, "most faults would drown"),
        ({"faults": [], "injected": 0}, "no fault could be injected"),
        ({"to_golden": None, "run_to_run": None, "now": 3.0}, "nothing to compare it with"),
        ({"faults": []}, "every fault is noticed whatever tol_db is"),
        ({"failing": ["snr_db"], "now": 3.0}, "snr_db fails, which no tol_db changes"),
        ({"now": None}, "judged without tol_db"),
    ],
)
def test_nothing_is_proposed_that_would_bless_a_fault(numbers, note):
    """A deviation with a cause in every run, or one that nothing is larger than, gets no tolerance."""
    (one,) = proposals([row(**numbers)])
    assert one.proposed is None
    assert not one.is_sound
    assert note in one.note


def test_codes_stay_exact_unless_the_runs_differ():
    """Of codes the share that is wrong is measured, and min_match proposed."""
    faults = [[0.01, "spikes (1 codes decided otherwise)"], [0.3, "channels (1 channels dead)"]]
    codes = {"measure": "mismatch", "now": 0.0, "faults": faults}
    (exact,) = proposals([row(**codes)])
    assert (exact.proposed, exact.is_sound) == (None, True)
    (loose,) = proposals([row(**{**codes, "now": 0.2})])
    assert loose.proposed == 0.0
    (random,) = proposals([row(**codes, to_golden=0.02, run_to_run=0.02, cause="spikes")])
    assert random.proposed == pytest.approx(0.08)
    (wrong,) = proposals([row(**codes, to_golden=0.02, cause="spikes")])
    assert not wrong.is_sound


def test_repeated_stages_and_parameters_share_one_tolerance():
    """Stages that differ in numbers alone become a glob, unless the glob means another stage too."""
    rows = [row(f"ode/{index}", to_golden=0.02 * index, run_to_run=0.02 * index, now=0.01) for index in range(4)]
    (one,) = proposals([*rows, *rows])
    assert (one.glob, one.to_golden, one.proposed) == ("ode/*", 0.06, 0.2)
    assert [one.glob for one in proposals([*rows, row("ode/x")])] == [*(f"ode/{i}" for i in range(4)), "ode/x"]


def test_the_mark_is_ready_to_paste():
    """It keeps the keywords that the test has, puts the new tolerances last, and says what no mark changes."""
    rows = [row("mel", now=3.0), row("h", now=3.0, in_record=True), row("a very long stage name", to_golden=0.001)]
    other = {"stages": [row("mel", now=3.0)], "problem": None, "mark": {}, "of_parameter": False}
    mark = {"port": True, "golden": "a/b", "stages": {"mel": {"tol_peak_db": 9}, "m*": {"tol_db": 3}}}
    test = {
        "test": "t.py::test_a[1]",
        "calibration": {"stages": rows, "problem": None, "mark": mark, "of_parameter": False},
    }
    text = list(lines([test, {"test": "t.py::test_b"}]))
    assert text[0] == "t.py::test_a"
    assert text[-1].strip() == (
        "@parity(port=True, golden='a/b', stages={'m*': {'tol_db': 3}, 'mel': {'tol_peak_db': 9, 'tol_db': 0.004}})"
    )
    assert any("change it there" in line for line in text)
    both = [test, {"test": "t.py::test_a[2]", "calibration": other}]
    assert list(lines(both)).count("t.py::test_a") == 1
    test["calibration"]["of_parameter"] = True
    assert [line for line in lines(both) if "::" in line] == ["t.py::test_a[1]", "t.py::test_a"]


def test_the_mark_leaves_out_a_glob_that_means_no_stage_of_the_test():
    """A class may have it for another of its tests; in the mark of a test it is an error."""
    mark = {"stages": {"codes": {"min_match": 0.9}, "m*": {"tol_peak_db": 9}}}
    calibration = {"stages": [row(now=3.0)], "problem": None, "mark": mark, "of_parameter": False}
    *_, last = lines([{"test": "t.py::test_a", "calibration": calibration}])
    assert last.strip() == "@parity(stages={'m*': {'tol_peak_db': 9}, 'mel': {'tol_db': 0.004}})"


def test_what_only_some_parameters_have_belongs_to_the_ini_options():
    """In the mark, a glob that means no stage of a parameter would be an error."""
    calibrations = [[row("mel", now=3.0)], [row("mel", now=3.0), row("h", now=3.0)]]
    tests = [
        {"test": f"t.py::test_a[{i}]", "calibration": {"stages": r, "problem": None, "mark": {}, "of_parameter": False}}
        for i, r in enumerate(calibrations)
    ]
    text = [line.strip() for line in lines(tests)]
    assert "@parity(stages={'mel': {'tol_db': 0.004}})" in text
    assert any(line.endswith("audioparity_stages: h: tol_db=0.004") for line in text)
    assert max(map(len, text[:-1])) <= 80


def test_a_failed_repetition_is_told():
    calibration = {"stages": [row()], "problem": "ValueError: used twice", "mark": {}, "of_parameter": False}
    text = "\n".join(lines([{"test": "t.py::test_a", "calibration": calibration}]))
    assert "cannot be repeated as it is: ValueError: used twice" in text
    assert list(lines([])) == ["no test ended, so there is nothing to measure"]
