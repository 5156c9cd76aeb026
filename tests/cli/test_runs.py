"""Putting the runs of several jobs together, and judging stored numbers again."""

from __future__ import annotations

import glob
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_audioparity.golden.pending import find_pending
from pytest_audioparity.runs import RunRecord, read_run, write_run
from pytest_audioparity.testfiles import Layout

A, B = "tests/test_a.py::test_a", "tests/test_b.py::test_b"
PART = RunRecord(
    id="r", started="2999-11-21T16:00:00+00:00", finished="2999-11-21T16:01:00+00:00", commit="abc", broken=()
)


def result(test, verdict="pass", **fields):
    return {"test": test, "verdict": verdict, "outcome": "passed" if verdict == "pass" else "failed", **fields}


@pytest.fixture
def jobs(review):
    """Make a project of two test files, and a way to leave what a job left that ran some of them."""
    (review.root / "tests").mkdir()
    for letter in "ab":
        (review.root / "tests" / f"test_{letter}.py").write_text("")

    def leave(job, *results, **changes):
        folder = review.root.parent / "dl" / job
        folder.mkdir(parents=True, exist_ok=True)
        tests = tuple(one["test"] for one in results)
        files = {test.partition("::")[0]: (test.partition("::")[2],) for test in tests}
        record = replace(
            PART,
            **{
                "id": job,
                "tests": results,
                "seen": tests,
                "run": tests,
                "paths": tuple(files),
                "collected": files,
                "layout": Layout(),
                "exit_status": int(any(one["verdict"] != "pass" for one in results)),
                **changes,
            },
        )
        write_run(folder / "run.json", record)
        return folder

    return leave


def test_jobs_that_make_a_whole_and_all_passed_are_status_0(review, jobs):
    folders = jobs("one", result(A)), jobs("two", result(B))
    status, out, err = review.run("run", "merge", *folders)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"merged 2 jobs into {review.root / '.audioparity'}: 2 tests, 0 failed, 0 pending",
        "together the jobs are a complete run",
    ]
    record = read_run(review.root / ".audioparity" / "run.json")
    assert record.complete
    assert [job.name for job in record.jobs] == ["one", "two"]


def test_all_jobs_below_one_folder_are_found(review, jobs):
    folder = jobs("one", result(A)).parent
    jobs("two/.audioparity", result(B))
    assert review.run("run", "merge", folder)[0] == 0
    assert [job.name for job in read_run(review.root / ".audioparity" / "run.json").jobs] == ["one", "two"]


def test_a_partial_set_is_never_called_whole(review, jobs):
    status, out, _ = review.run("run", "merge", jobs("one", result(A)))
    assert status == 1
    assert "together the jobs are no complete run:\n  no job collected tests/test_b.py" in out
    status, told = review.json("run", "merge", jobs("one", result(A)))
    assert (status, told["complete"], told["reasons"]) == (1, False, ["no job collected tests/test_b.py"])


def test_a_job_whose_record_is_missing_or_damaged_keeps_the_whole_from_being_whole(review, jobs):
    jobs("one", result(A))
    folder = jobs("two", result(B))
    (folder / "run.json").write_text("{")
    status, out, err = review.run("run", "merge", folder.parent)
    assert status == 1
    assert "no record of a run" in err
    assert "two: its run record cannot be read" in out
    (folder / "run.json").unlink()
    review.obtain(B, s_b=1, folder=folder / "pending")
    assert review.run("run", "merge", folder.parent / "one", folder)[0] == 1
    assert "has no run record" in review.run("run", "merge", folder.parent / "one", folder)[2]


def test_a_test_that_failed_in_any_job_is_status_1_and_waits_for_review(review, jobs):
    review.write_golden("tests/test_b/test_b", b=1)
    one, two = jobs("one", result(A)), jobs("two", result(B, "fail"))
    review.obtain(B, s_b=2, folder=two / "pending", run="two")
    status, out, _ = review.run("run", "merge", one, two)
    assert status == 1
    assert "2 tests, 1 failed, 1 pending\n" in out
    assert f"failed {B}\n" in out
    assert "not the last one" not in review.run("golden", "pending")[1]
    assert review.run("golden", "accept")[0] == 0
    assert review.values("tests/test_b/test_b") == {"b": 2}


@pytest.mark.parametrize("outcome", ["skipped", "created", "updated"])
def test_a_test_that_a_job_passed_with_is_no_failure_whatever_its_stages_were(review, jobs, outcome):
    """One that is skipped or expected to fail has stages that do not pass, and so has one that was updated."""
    two = jobs("two", result(B, "fail", outcome=outcome), exit_status=0)
    status, out, _ = review.run("run", "merge", jobs("one", result(A)), two)
    assert status == 0
    assert "2 tests, 0 failed, 0 pending\n" in out


def test_what_was_there_is_replaced_and_a_repetition_ends_the_same(review, jobs):
    review.obtain("tests/test_old.py::test_x", s_a=1)
    one, two = jobs("one", result(A)), jobs("two", result(B, "fail"))
    review.obtain(B, s_b=2, folder=two / "pending")
    for _ in range(2):
        review.run("run", "merge", one, two)
        assert review.waiting() == ["tests/test_b/test_b.safetensors"]
    assert len(find_pending(two / "pending")) == 1, "what the jobs left stays"


def test_pending_files_that_agree_are_kept_once(review, jobs):
    folders = [jobs(name, result(A, "fail"), result(B)) for name in ("linux", "mac")]
    for folder in folders:
        review.obtain(A, s_a=2, folder=folder / "pending", run=folder.name, report=f"on {folder.name}")
    review.run("run", "merge", *folders)
    assert review.waiting() == ["tests/test_a/test_a.safetensors"]
    assert review.run("golden", "accept")[0] == 0


def test_pending_files_that_differ_are_refused_and_name_their_jobs(review, jobs):
    folders = [jobs(name, result(A, "fail"), result(B)) for name in ("Linux x86", "mac")]
    for value, folder in enumerate(folders):
        review.obtain(A, s_a=value, folder=folder / "pending")
    status, out, _ = review.run("run", "merge", *folders)
    assert status == 1
    assert f"{A}: Linux x86 and mac did not obtain the same, so neither can be accepted" in out
    assert review.waiting() == ["tests/test_a/test_a@linux-x86.safetensors", "tests/test_a/test_a@mac.safetensors"]
    status, _, err = review.run("golden", "accept")
    assert status == 1
    assert "the jobs Linux x86, mac did not obtain the same, this is what mac has" in err
    assert not (review.root / "golden").exists()
    assert review.run("golden", "accept", "--from", folders[1])[0] == 0
    assert review.values("tests/test_a/test_a") == {"a": 1}
    assert review.run("golden", "reject", "tests/test_a/test_a@mac")[0] == 0


def test_no_force_makes_one_of_several_jobs_right(review, jobs):
    """A job whose words are lost could be accepted by force, were it alone."""
    folders = [jobs(name, result(A, "fail"), result(B)) for name in ("linux", "mac")]
    for value, folder in enumerate(folders):
        fields = {"refused": "against the golden it is garbled", "forcible": True} if value == 0 else {}
        review.obtain(A, s_a=value, folder=folder / "pending", **fields)
    review.run("run", "merge", *folders)
    status, _, err = review.run("golden", "accept", "--yes", "--force", "--reason", "because")
    assert status == 1
    assert "the jobs linux, mac did not obtain the same" in err
    assert not (review.root / "golden").exists()


def test_a_hostile_name_of_a_file_or_a_test_stays_in_the_folder(review, jobs):
    folder = jobs("one", result(A))
    review.obtain("../../../evil.py::x", golden="../evil", s_a=1, folder=folder / "pending")
    review.obtain(B, s_a=1, path=folder / "pending" / "..x" / "y@z" / "aux.safetensors")
    before = sorted(str(path) for path in review.root.parent.rglob("*") if review.root not in path.parents)
    assert review.run("run", "merge", folder)[0] == 1
    assert before == sorted(str(path) for path in review.root.parent.rglob("*") if review.root not in path.parents)
    assert "tests/test_b/test_b.safetensors" in review.waiting()


def test_into_another_folder_leaves_this_project_alone(review, jobs):
    folder = jobs("one", result(A))
    assert review.run("run", "merge", folder, "--into", "../merged")[0] == 1
    assert (review.root.parent / "merged" / ".audioparity" / "run.json").exists()
    assert not (review.root / ".audioparity").exists()


def test_what_would_be_replaced_cannot_be_merged(review, jobs):
    review.obtain(A, s_a=1)
    write_run(review.root / ".audioparity" / "run.json", PART)
    assert "--into DIR" in review.wrong("run", "merge", jobs("one", result(A)), ".audioparity")
    assert review.waiting() != []


def test_folders_without_a_run_are_wrong_use(review, tmp_path):
    (review.root / "empty").mkdir()
    assert "holds nothing that a run left" in review.wrong("run", "merge", "empty")
    assert "there is no folder" in review.wrong("run", "merge", "nowhere")


def test_a_damaged_pending_file_is_a_line_and_status_1(review, jobs):
    one, two = jobs("one", result(A)), jobs("two", result(B))
    path = review.obtain(B, s_b=2, folder=two / "pending")
    path.write_bytes(path.read_bytes()[:-3])
    status, _, err = review.run("run", "merge", one, two)
    assert (status, err.count("\n")) == (1, 1)


def row(name, deviation_db, peak_db=None, **fields):
    """Return the numbers of one stage as a run records them."""
    stored = {
        "name": name,
        "kind": "tensor",
        "verdict": "fail" if deviation_db is None or deviation_db > 0.01 else "pass",
        "deviation_db": deviation_db,
        "peak_db": deviation_db if peak_db is None else peak_db,
        "tol_db": 0.01,
        "tol_peak_db": 1.0,
        "peak_is_derived": True,
        "reason": None,
        "findings": [],
        **fields,
    }
    stored.setdefault("failed", ["deviation_db"] if stored["verdict"] == "fail" else [])
    return stored


def recheck(review, stages, tol_db, verdict="fail", **fields):
    run_file = review.root / ".audioparity" / "run.json"
    write_run(run_file, replace(PART, complete=True, tests=(result(A, verdict, stages=stages, reason=None, **fields),)))
    status, told = review.json("run", "recheck", "--tol-db", str(tol_db))
    assert (status == 0) == (told["tests"][0]["after"] == "pass")
    return told["tests"][0]["after"]


@pytest.mark.parametrize(
    ("stage", "tol_db", "after"),
    [
        (row("a", 0.5), 0.5, "pass"),
        (row("a", 0.5), 0.49, "fail"),
        (row("a", 0.005), 0.004, "fail"),
        (row("a", 0.5, 51.0, failed=["deviation_db", "peak_db"]), 0.5, "fail"),
        (row("a", 0.5, 51.0, failed=["deviation_db", "peak_db"]), 0.51, "pass"),
        (row("a", 0.5, 2.0, peak_is_derived=False, failed=["deviation_db", "peak_db"]), 9, "fail"),
        (row("a", 0.5, 2.0, peak_is_derived=False, tol_peak_db=2.0), 9, "pass"),
        (row("a", 0.5, peak_is_derived=False, tol_peak_db=None), 9, "pass"),
        (row("a", 0.5, failed=["deviation_db", "snr_db"]), 9, "fail"),
        (row("a", 0.5, findings=["dtype"]), 9, "fail"),
        (row("a", 0.5, findings=["offset"]), 9, "pass"),
        (row("a", None, findings=["shape"]), 9, "fail"),
        (row("a", None), 9, "fail"),
        (row("a", None, verdict="pass"), 0.1, "pass"),
        (row("a", 0.5, reason="declared otherwise"), 9, "fail"),
        (row("a", 0.0, verdict="fail", kind="codes", failed=["match"]), 9, "fail"),
        (row("a", 5.0, verdict="pass", tol_db=None), 0.1, "pass"),
        (row("a", 0.5, verdict="not_measured", reason="too short"), 9, "fail"),
    ],
)
def test_recheck_judges_the_stored_numbers_again(review, stage, tol_db, after):
    assert recheck(review, [row("ok", 0.0), stage], tol_db) == after


def test_a_test_that_failed_for_another_reason_still_fails(review):
    assert recheck(review, [row("a", 0.001)], 1.0, verdict="pass", outcome="failed") == "fail"
    assert recheck(review, [row("a", 0.001)], 1.0, verdict="pass") == "pass"
    assert recheck(review, [], 1.0) == "fail"


def test_recheck_says_what_changes(review):
    tests = (
        result(A, "fail", stages=[row("a", 0.05)], reason=None),
        result(B, "pass", stages=[row("b", 0.005), row("c", 0.001)], reason=None),
        result("tests/test_c.py::test_c", "fail", stages=[row("x", None, findings=["shape"])], reason=None),
        {"test": "tests/test_d.py::test_d", "outcome": "skipped"},
        result("tests/test_e.py::test_e", "fail", outcome="skipped", stages=[], reason="no stage was compared"),
    )
    write_run(review.root / ".audioparity" / "run.json", replace(PART, complete=True, tests=tests))
    status, out, _ = review.run("run", "recheck", "--tol-db", "0.1")
    assert (status, out.splitlines()) == (
        1,
        [
            "with tol_db=0.1, 2 of 3 tests would pass",
            f"would pass {A}",
            "still fails tests/test_c.py::test_c: 'x' shape",
        ],
    )
    spiked = result(A, "fail", stages=[row("a", 0.05, 60.0)], reason=None)
    write_run(review.root / ".audioparity" / "run.json", replace(PART, complete=True, tests=(spiked, *tests[1:])))
    out = review.run("run", "recheck", "--tol-db", "0.1")[1]
    assert f"still fails {A}: 'a' peak 60.00 dB, allowed 10.00 dB\n" in out
    out = review.run("run", "recheck", "--tol-db", "0.004")[1]
    assert f"would fail {B}: 'b' 0.0050 dB\n" in out
    assert json.loads(review.run("run", "recheck", "--tol-db", "1", "--json")[1])["tol_db"] == 1.0


def test_recheck_without_a_run_or_with_a_limit_that_is_none_is_wrong_use(review):
    assert "run pytest first" in review.wrong("run", "recheck", "--tol-db", "1")
    for limit in ("nan", "-1", "inf"):
        assert "tol_db" in review.wrong("run", "recheck", "--tol-db", limit)
    write_run(review.root / ".audioparity" / "run.json", PART)
    assert "nothing to judge again" in review.wrong("run", "recheck", "--tol-db", "1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("layout", {"testpaths": ["/**"]}),
        ("layout", {"testpaths": ["../../usr/**"]}),
        ("layout", {"testpaths": ["**/*/**/*/**/*/**/*/**"]}),
        ("golden_dir", "a\0b"),
        ("golden_dir", "../../../../../../usr"),
        ("paths", ["/usr"]),
    ],
)
def test_a_hostile_record_sends_no_one_out_of_the_project(review, jobs, monkeypatch, key, value):
    def watched(function):
        def inside(path, *arguments, **keywords):
            place = Path(keywords.get("root_dir") or "", path).resolve()
            assert place.is_relative_to(review.root.parent), place
            return function(path, *arguments, **keywords)

        return inside

    folder = jobs("one", result(A), result(B))
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    monkeypatch.setattr(os, "walk", watched(os.walk))
    monkeypatch.setattr(glob, "glob", watched(glob.glob))
    assert review.run("run", "merge", folder)[0] in (1, 2)


def test_a_checkout_of_another_commit_is_no_whole_and_nothing_is_pruned(review, jobs):
    review.write_golden("tests/test_c/test_c", c=1)
    folder = jobs("one", result(A), result(B), started="2001-01-01T00:00:00+00:00")
    (review.root / "tests" / "test_c.py").write_text("def test_c(stages): pass")
    status, out, _ = review.run("run", "merge", folder)
    assert status == 1
    assert "the tests of this checkout are not those that the jobs ran (tests/test_a.py)" in out
    assert review.run("golden", "prune")[0] == 1
    assert review.golden("tests/test_c/test_c").exists()
