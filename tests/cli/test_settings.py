"""Reviewing hyper-parameters: listed with the stages, accepted and rejected with them or by their own names."""

from __future__ import annotations

import json

import pytest

from pytest_audioparity.runs import RunRecord, write_run

NAME, TEST = "tests/test_m/test_m", "tests/test_m.py::test_m"
OTHER = "tests/test_n.py::test_n"
OLD, NEW = {"k": 5, "same": 1, "t": 0.9}, {"k": 6, "same": 1, "n": [1, None]}


@pytest.fixture
def waiting(review):
    """Leave changes of a golden of two stages, of which one changes, and of three settings, of which one stays."""
    review.write_golden(a=1, k=1, settings=OLD)
    review.obtain(s_k=2, order=["a", "k"], settings=NEW)
    return review


def left(review):
    """Return the names of what waits of the one test, stages and settings."""
    (entry,) = review.json("golden", "pending")[1]["pending"]
    return [one["name"] for one in entry["stages"]], [one["name"] for one in entry["settings"]]


def test_the_list_has_a_line_for_each_that_changes(waiting):
    lines = waiting.run("golden", "pending")[1].splitlines()
    assert lines[1].startswith("  would change golden/")
    assert lines[2:6] == [
        "  k          old -> new 1.46 dB",
        "  setting k  5 -> 6",
        "  setting n  added ([1, null])",
        "  setting t  removed",
    ]
    assert "\n  setting k  5 -> 6\n" in waiting.run("golden", "show")[1]


def test_accept_and_reject_without_names_take_settings_with_the_stages(waiting):
    status, out, _ = waiting.run("golden", "accept")
    assert (status, out.startswith(f"accepted golden/{NAME}.safetensors: 1 stage and 3 settings (")) == (0, True)
    assert (waiting.values(), waiting.settings()) == ({"a": 1, "k": 2}, NEW)
    waiting.obtain(s_k=3, order=["a", "k"], settings={})
    assert waiting.run("golden", "reject")[:2] == (0, f"rejected {TEST}: 1 stage and 3 settings\n")
    assert (waiting.values(), waiting.settings()) == ({"a": 1, "k": 2}, NEW)
    assert waiting.waiting() == []


def test_settings_alone_wait_and_are_accepted_without_touching_a_stage(review):
    review.write_golden(a=1, settings=OLD)
    review.obtain(settings=NEW, order=["a"])
    assert left(review) == ([], ["k", "n", "t"])
    assert review.run("golden", "accept")[1].startswith(f"accepted golden/{NAME}.safetensors: 3 settings (")
    assert (review.values(), review.settings()) == ({"a": 1}, NEW)
    assert review.run("golden", "pending")[1] == "nothing is pending\n"


def test_a_stage_that_is_named_leaves_the_settings_waiting_and_the_other_way_round(waiting):
    assert waiting.run("golden", "accept", "--stage", "k")[0] == 0
    assert (waiting.values()["k"], waiting.settings(), left(waiting)) == (2, OLD, ([], ["k", "n", "t"]))
    assert waiting.run("golden", "accept", "--setting", "[kt]")[0] == 0
    assert (waiting.settings(), left(waiting)) == ({"k": 6, "same": 1}, ([], ["n"]))
    assert waiting.run("golden", "accept")[0] == 0
    assert waiting.settings() == NEW


def test_settings_that_are_named_leave_the_stages_waiting(waiting):
    assert waiting.run("golden", "accept", "--setting", "*")[0] == 0
    assert (waiting.values(), waiting.settings(), left(waiting)) == ({"a": 1, "k": 1}, NEW, (["k"], []))


def test_some_of_both_kinds_are_named_together(waiting):
    status, told = waiting.json("golden", "accept", "--stage", "k", "--setting", "n")
    assert (status, told["accepted"][0]["stages"], told["accepted"][0]["settings"]) == (0, ["k"], ["n"])
    assert (waiting.settings(), left(waiting)) == ({**OLD, "n": [1, None]}, ([], ["k", "t"]))


def test_a_rejected_setting_stays_what_it_was_when_the_rest_is_accepted(waiting):
    assert waiting.run("golden", "reject", "--setting", "k")[0] == 0
    assert waiting.run("golden", "accept")[0] == 0
    assert (waiting.values()["k"], waiting.settings()) == (2, {**NEW, "k": 5})
    assert waiting.waiting() == []


def test_a_name_that_is_no_setting_is_wrong_use_and_one_that_does_not_wait_is_not(waiting):
    assert waiting.wrong("golden", "accept", "--setting", "smae").endswith("'smae' matches no setting (k, n, t)\n")
    assert "--stage 'n' matches no stage" in waiting.wrong("golden", "accept", "--stage", "n")
    status, out, _ = waiting.run("golden", "reject", "--setting", "same")
    assert (status, out.splitlines()[0]) == (0, "nothing is pending in these settings")
    run = {"test": OTHER, "settings": [{"name": "gone", "verdict": "fail"}, {"name": 5}, 5]}
    record = RunRecord(id="run1", started="2026-11-21T16:00:00+00:00", tests=(run, {"test": TEST, "settings": 5}))
    write_run(waiting.root / ".audioparity" / "run.json", record)
    status, out, _ = waiting.run("golden", "reject", "--stage", "a", "--setting", "gone")
    assert (status, out.splitlines()[0]) == (0, "nothing is pending in these stages and settings")


def test_without_any_setting_a_name_of_one_is_wrong_use(review):
    review.obtain(s_a=1)
    assert review.wrong("golden", "accept", "--setting", "t").endswith("--setting 't' matches no setting\n")


def test_a_setting_that_changed_since_is_a_conflict_and_others_may_change(waiting):
    waiting.write_golden(a=1, k=1, settings={**OLD, "t": 0.8, "other": 1})
    status, _, err = waiting.run("golden", "accept")
    said = f"setting 't' of golden/{NAME}.safetensors was changed since; run the test again"
    assert (status, err) == (1, f"not accepted {TEST}: {said}\n")
    assert waiting.values()["k"] == 1
    assert waiting.run("golden", "accept", "--stage", "k", "--setting", "[kn]")[0] == 0
    assert waiting.settings() == {**NEW, "t": 0.8, "other": 1}


def test_what_the_golden_has_already_is_done_whatever_its_type(waiting):
    waiting.write_golden(a=1, k=2, settings={"k": 6.0, "n": [1.0, None]})
    before = waiting.golden().stat().st_mtime_ns
    assert "1 stage and 3 settings, which it has already" in waiting.run("golden", "accept")[1]
    assert (waiting.golden().stat().st_mtime_ns, waiting.waiting()) == (before, [])


def test_a_new_golden_takes_its_settings_with_a_stage_or_later(review):
    review.obtain(s_a=1, s_b=1, settings={"k": 5})
    assert review.json("golden", "pending")[1]["pending"][0]["status"] == "new"
    status, _, err = review.run("golden", "accept", "--setting", "k")
    said = f"golden/{NAME}.safetensors does not exist; accept stages of it with its settings"
    assert (status, err, review.golden().exists()) == (1, f"not accepted {TEST}: {said}\n", False)
    assert review.run("golden", "accept", "--stage", "a")[0] == 0
    assert (review.values(), review.settings()) == ({"a": 1}, {})
    assert review.run("golden", "accept")[0] == 0
    assert (review.values(), review.settings()) == ({"a": 1, "b": 1}, {"k": 5})


def test_a_golden_that_only_gets_more_is_no_new_one(review):
    review.write_golden(a=1)
    review.obtain(s_b=1, order=["a", "b"], settings={"k": 5})
    assert review.json("golden", "pending")[1]["pending"][0]["status"] == "changed"


def test_a_variant_begins_with_the_settings_of_the_golden_it_differs_from(review):
    review.write_golden(a=1, settings=OLD)
    review.obtain(s_a=2, golden=f"{NAME}@cuda", base=NAME, settings={**OLD, "k": 6})
    assert review.run("golden", "accept", "--stage", "a")[0] == 0
    assert (review.settings(f"{NAME}@cuda"), review.settings()) == (OLD, OLD)
    assert review.run("golden", "accept")[0] == 0
    assert (review.settings(f"{NAME}@cuda"), review.settings()) == ({**OLD, "k": 6}, OLD)


def test_two_tests_of_one_golden_that_disagree_on_a_setting_are_not_accepted(review):
    review.write_golden("shared/g", a=1, settings=OLD)
    review.obtain(golden="shared/g", order=["a"], settings={**OLD, "k": 6})
    review.obtain(OTHER, golden="shared/g", order=["a"], settings={**OLD, "k": 7})
    assert "disagree on setting 'k' of golden/shared/g.safetensors" in review.run("golden", "accept")[2]
    assert review.run("golden", "reject", OTHER)[0] == 0
    assert review.run("golden", "accept")[0] == 0
    assert review.settings("shared/g")["k"] == 6


def test_settings_of_a_folder_from_elsewhere_are_reviewed_there(review):
    review.write_golden(a=1, settings=OLD)
    folder = review.root.parent / "download"
    review.obtain(folder=folder / "pending", order=["a"], settings=NEW)
    assert "\n  setting k  5 -> 6\n" in review.run("golden", "pending", "--from", folder)[1]
    assert review.run("golden", "accept", "--from", folder, "--setting", "k")[0] == 0
    assert review.settings() == {**OLD, "k": 6}
    assert review.run("golden", "reject", "--from", folder)[0] == 0
    assert (list((folder / "pending").rglob("*.safetensors")), review.settings()) == ([], {**OLD, "k": 6})


def test_two_jobs_that_obtained_other_settings_differ(review):
    review.write_golden(a=1, settings=OLD)
    folders = [review.root.parent / name for name in ("linux", "mac")]
    for k, folder in zip((6, 7), folders, strict=True):
        review.obtain(folder=folder / "pending", order=["a"], settings={**OLD, "k": k})
        write_run(folder / "run.json", RunRecord(id="r", started="2026-11-21T16:00:00+00:00"))
    assert f"{TEST}: linux and mac did not obtain the same" in review.run("run", "merge", *folders)[1]
    for folder in folders:
        review.obtain(folder=folder / "pending", order=["a"], settings={**OLD, "k": 6.0 if folder is folders[0] else 6})
    assert review.run("run", "merge", *folders)[1].splitlines()[0].endswith("1 pending")
    assert review.run("golden", "accept")[0] == 0
    assert review.settings()["k"] == 6


@pytest.mark.parametrize(
    "change",
    [
        {"name": "z"},
        {"name": "t", "change": "changed"},
        {"name": "k", "change": "removed"},
        {"is_setting": [1]},
        {"was": 5},
        {"text": None},
        {"name": None},
    ],
)
def test_a_file_whose_settings_do_not_fit_is_a_line(waiting, change):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    path = next((waiting.root / ".audioparity").rglob("*.safetensors"))
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    said = json.loads(metadata["audioparity_pending"])
    said["changes"][1] |= change
    metadata["audioparity_pending"] = json.dumps(said)
    save_file(load_file(path), path, metadata=metadata)
    for action in ("pending", "accept", "reject"):
        status, _, err = waiting.run("golden", action)
        assert (status, err.count("\n"), "no pending file that can be used" in err) == (1, 1, True)
    assert waiting.settings() == OLD


def test_in_a_terminal_the_question_counts_both(waiting):
    status, seen = waiting.in_terminal("golden", "accept", answer=b"y\n")
    assert (status, "accept 1 stage and 3 settings of 1 test? [y/N] y\n" in seen) == (0, True)
