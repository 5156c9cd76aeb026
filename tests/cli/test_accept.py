"""Accepting and rejecting: what a golden becomes, what is refused, what stays to be decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_audioparity.golden.file import Golden

NAME, TEST = "tests/test_m/test_m", "tests/test_m.py::test_m"
OTHER = "tests/test_n.py::test_n"


def test_accept_creates_the_golden_with_the_provenance_of_the_run_that_obtained_it(review):
    review.obtain(s_a=1, s_b=2, settings={"top_k": 5}, provenance={"test": TEST, "commit": "abc", "python": "3.9"})
    status, out, err = review.run("golden", "accept", "--reason", "new model")
    assert (status, err) == (0, "")
    assert out.startswith("accepted golden/tests/test_m/test_m.safetensors: 2 stages and 1 setting (")
    assert out.endswith(" kB)\n")
    golden = Golden(review.golden())
    assert review.values() == {"a": 1, "b": 2}
    assert golden.provenance == {"test": TEST, "commit": "abc", "python": "3.9", "reason": "new model"}
    assert golden.settings == {"top_k": 5}
    assert review.waiting() == []


def test_accept_changes_adds_and_removes_stages_and_leaves_the_rest(review):
    review.write_golden(a=1, b=1, c=1, d=1)
    review.obtain(s_b=2, s_new=3, removed=["c"], order=["a", "new", "b", "d"])
    assert review.run("golden", "accept")[0] == 0
    assert list(review.values().items()) == [("a", 1), ("new", 3), ("b", 2), ("d", 1)]
    assert review.waiting() == []


def test_accepting_one_stage_and_then_the_rest_ends_as_accepting_all(review):
    review.write_golden(a=1, b=1, c=1)
    review.obtain(s_b=2, s_new=3, removed=["c"], order=["new", "a", "b"])
    status, out, _ = review.run("golden", "accept", "--stage", "b")
    assert status == 0
    assert "1 stage (" in out
    assert "1 test still waits: audioparity golden pending" in out
    assert list(review.values().items()) == [("a", 1), ("b", 2), ("c", 1)]
    left = review.json("golden", "pending")[1]["pending"][0]["stages"]
    assert [(one["name"], one["change"]) for one in left] == [("new", "added"), ("c", "removed")]
    assert review.run("golden", "accept", "--stage", "n*", "--stage", "c")[0] == 0
    assert list(review.values().items()) == [("new", 3), ("a", 1), ("b", 2)]
    assert review.waiting() == []


def test_a_new_golden_may_be_accepted_stage_by_stage_in_any_order(review):
    review.obtain(s_a=1, s_b=2, s_c=3)
    for name in "bca":
        assert review.run("golden", "accept", "--stage", name)[0] == 0
    assert list(review.values()) == ["a", "b", "c"]
    assert review.waiting() == []


def test_a_stage_glob_that_means_nothing_is_wrong_use_and_changes_nothing(review):
    review.obtain(s_mel=2)
    assert "--stage 'mle' matches no stage, did you mean 'mel'?" in review.wrong("golden", "accept", "--stage", "mle")
    assert "did you mean 'mel'?" in review.wrong("golden", "reject", "--stage", "mle")
    assert not review.golden().exists()


def test_accept_without_a_name_takes_all_and_reports_what_cannot_be(review):
    review.obtain(s_a=1)
    review.obtain(OTHER, s_a=2, refused="stage 'a' has values that are not finite")
    status, out, err = review.run("golden", "accept")
    assert status == 1
    assert "accepted golden/tests/test_m/test_m.safetensors" in out
    assert err == f"not accepted {OTHER}: stage 'a' has values that are not finite\n"
    assert review.values() == {"a": 1}
    assert review.waiting() == ["tests/test_n/test_n.safetensors"]
    assert not review.golden("tests/test_n/test_n").exists()


def test_accept_of_a_name_leaves_the_others(review):
    review.obtain(s_a=1)
    review.obtain(OTHER, s_a=2)
    status, out, _ = review.run("golden", "accept", OTHER)
    assert status == 0
    assert "1 test still waits" in out
    assert not review.golden().exists()
    assert review.values("tests/test_n/test_n") == {"a": 2}


def test_a_golden_that_changed_since_is_a_conflict_and_nothing_of_it_is_written(review):
    review.write_golden(a=1, b=1)
    review.obtain(s_a=2, s_b=2)
    review.write_golden(a=1, b=7)
    before = review.golden().read_bytes()
    status, _, err = review.run("golden", "accept")
    assert status == 1
    said = "stage 'b' of golden/tests/test_m/test_m.safetensors was changed since; run the test again"
    assert err == f"not accepted {TEST}: {said}\n"
    assert review.golden().read_bytes() == before
    assert review.waiting() == ["tests/test_m/test_m.safetensors"]
    assert review.run("golden", "accept", "--stage", "a")[0] == 0
    assert review.values() == {"a": 2, "b": 7}


def test_other_declarations_of_a_stage_are_a_conflict_too(review):
    from pytest_audioparity.golden.file import write_golden
    from pytest_audioparity.records import StageMeta, StageTensor

    review.write_golden(a=1)
    review.obtain(s_a=2)
    array = Golden(review.golden()).read("a").array.copy()
    write_golden(review.golden(), [StageTensor(StageMeta("a", unit="db"), array)], settings={}, provenance={})
    assert review.run("golden", "accept")[0] == 1


def test_a_golden_that_was_deleted_since_is_a_conflict(review):
    review.write_golden(a=1)
    review.obtain(s_a=2)
    review.golden().unlink()
    status, _, err = review.run("golden", "accept")
    assert status == 1
    assert "golden/tests/test_m/test_m.safetensors was deleted since; run the test again" in err
    assert not review.golden().exists()


def test_a_golden_that_was_made_since_is_a_conflict(review):
    review.obtain(s_a=2)
    review.write_golden(a=1)
    assert review.run("golden", "accept")[0] == 1
    assert review.values() == {"a": 1}


def test_what_the_golden_has_already_is_done(review):
    review.write_golden(a=1, c=1)
    review.obtain(s_a=2, s_b=3, removed=["c"])
    review.write_golden(a=2, b=3)
    before = review.golden().stat().st_mtime_ns
    status, out, _ = review.run("golden", "accept")
    assert status == 0
    assert "3 stages, which it has already" in out
    assert review.golden().stat().st_mtime_ns == before
    assert review.waiting() == []


def test_a_damaged_golden_is_not_replaced(review):
    review.write_golden(a=1)
    review.obtain(s_a=2)
    data = review.golden().read_bytes()
    review.golden().write_bytes(data[:-1] + b"\x01")
    status, _, err = review.run("golden", "accept")
    assert status == 1
    assert "was altered" in err
    assert review.golden().read_bytes() == data[:-1] + b"\x01"


def test_a_setting_that_goes_takes_no_stage_of_its_name_along(review):
    review.write_golden(a=1, k=1, settings={"k": 5})
    review.obtain(s_a=2, order=["a", "k"], settings={})
    assert review.run("golden", "accept")[0] == 0
    assert (review.values(), review.settings()) == ({"a": 2, "k": 1}, {})


def test_a_stage_that_is_accepted_takes_no_setting_of_its_name_along(review):
    review.write_golden(k=1, settings={"k": 5})
    review.obtain(s_k=2, settings={"k": 6})
    assert review.run("golden", "accept", "--stage", "k")[0] == 0
    assert (review.values(), review.settings()) == ({"k": 2}, {"k": 5})


def test_a_golden_may_lose_its_last_stage(review):
    review.write_golden(a=1, settings={"k": 5})
    review.obtain(removed=["a"], order=[])
    assert review.run("golden", "accept")[0] == 0
    assert (review.values(), review.settings()) == ({}, {"k": 5})


def test_a_variant_begins_as_the_golden_it_differs_from(review):
    review.write_golden(a=1, b=1)
    review.obtain(s_b=2, golden=f"{NAME}@cuda", base=NAME, order=["a", "b"])
    before = review.golden().read_bytes()
    status, out, _ = review.run("golden", "accept")
    assert status == 0
    assert "accepted golden/tests/test_m/test_m@cuda.safetensors: 1 stage" in out
    assert review.values(f"{NAME}@cuda") == {"a": 1, "b": 2}
    assert review.golden().read_bytes() == before


def test_a_variant_is_accepted_stage_by_stage(review):
    review.write_golden(a=1, b=1)
    review.obtain(s_a=3, s_b=2, golden=f"{NAME}@cuda", base=NAME)
    assert review.run("golden", "accept", "--stage", "b")[0] == 0
    assert review.run("golden", "accept")[0] == 0
    assert review.values(f"{NAME}@cuda") == {"a": 3, "b": 2}


def test_a_variant_whose_base_changed_since_is_a_conflict(review):
    review.write_golden(a=1, b=1)
    review.obtain(s_b=2, golden=f"{NAME}@cuda", base=NAME)
    review.write_golden(a=1, b=9)
    status, _, err = review.run("golden", "accept")
    assert status == 1
    assert "stage 'b' of golden/tests/test_m/test_m.safetensors was changed since" in err
    assert not review.golden(f"{NAME}@cuda").exists()


def test_two_tests_of_one_golden_are_accepted_only_if_they_agree(review):
    review.write_golden(a=1, b=1)
    review.obtain(s_a=2, golden="shared/g", base=NAME)
    review.obtain(OTHER, s_a=3, golden="shared/g", base=NAME)
    status, _, err = review.run("golden", "accept")
    assert status == 1
    said = f"{TEST} and {OTHER} disagree on stage 'a' of golden/shared/g.safetensors; reject all but one of them first"
    assert err == f"not accepted {TEST}: {said}\nnot accepted {OTHER}: {said}\n"
    assert not review.golden("shared/g").exists()
    # To name one of them is no decision against the other yet.
    assert review.run("golden", "accept", TEST)[0] == 1
    assert review.run("golden", "reject", OTHER)[0] == 0
    assert review.run("golden", "accept")[0] == 0
    assert review.values("shared/g") == {"a": 2, "b": 1}


def test_two_tests_of_one_golden_that_agree_are_both_accepted(review):
    review.obtain(s_a=2, s_b=1, golden="shared/g")
    review.obtain(OTHER, s_a=2, s_c=4, golden="shared/g")
    status, _, err = review.run("golden", "accept")
    assert (status, err) == (0, "")
    assert review.values("shared/g") == {"a": 2, "c": 4, "b": 1}
    assert review.waiting() == []


def test_a_test_that_removes_what_the_other_records_disagrees(review):
    review.write_golden("shared/g", a=1, b=1)
    review.obtain(s_a=2, golden="shared/g", order=["a", "b"])
    review.obtain(OTHER, s_a=2, golden="shared/g", removed=["b"])
    assert "disagree on stage 'b'" in review.run("golden", "accept")[2]


def test_a_port_of_the_same_golden_does_not_stand_in_the_way(review):
    review.obtain(s_a=2, golden="shared/g")
    review.obtain(OTHER, s_a=3, golden="shared/g", refused="this test is a port and never writes a golden")
    status, out, err = review.run("golden", "accept")
    assert status == 0
    assert "accepted golden/shared/g.safetensors" in out
    assert f"{OTHER} is a port of it; run it again" in out
    assert err == ""


def test_reject_drops_what_was_obtained_and_leaves_goldens_alone(review):
    review.write_golden(a=1, b=1)
    review.obtain(s_a=2, s_b=2)
    before = review.golden().read_bytes()
    status, out, _ = review.run("golden", "reject", "--stage", "a")
    assert (status, out.splitlines()[0]) == (0, f"rejected {TEST}: 1 stage")
    assert [one["name"] for one in review.json("golden", "pending")[1]["pending"][0]["stages"]] == ["b"]
    assert review.run("golden", "reject")[0] == 0
    assert review.waiting() == []
    assert not (review.root / ".audioparity/pending/tests").exists()
    assert review.golden().read_bytes() == before


def test_reject_takes_what_could_not_be_accepted(review):
    review.obtain(s_a=2, refused="this test is a port and never writes a golden")
    assert review.run("golden", "reject")[0] == 0
    assert review.waiting() == []


def test_json_of_a_decision_lists_what_was_done_and_what_was_not(review):
    review.obtain(s_a=1)
    review.obtain(OTHER, s_a=2, refused="no")
    status, told = review.json("golden", "accept")
    assert status == 1
    done, failed = told["accepted"][0], told["failed"][0]
    assert (done["name"], done["golden"], done["stages"]) == (NAME, f"golden/{NAME}.safetensors", ["a"])
    assert done["size_bytes"] == review.golden().stat().st_size
    assert (failed["test"], failed["problem"]) == (OTHER, "no")
    assert told["pending"] == 1
    assert list(review.json("golden", "reject")[1]) == ["schema", "rejected", "failed", "damaged", "pending"]


def test_a_file_that_was_obtained_anew_meanwhile_is_not_accepted_unseen(review):
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.project import find_project
    from pytest_audioparity.review.decisions import accept
    from pytest_audioparity.review.waiting import list_waiting

    review.obtain(s_a=1)
    project = find_project(review.root)
    [entry], _ = list_waiting(project.workspace.pending, project)
    fewer = replace(entry, pending=entry.pending.without(entry.changes))
    assert "was obtained anew" in accept(fewer, project, Shelf()).problem
    review.obtain(s_a=5, run="run2")
    decision = accept(entry, project, Shelf())
    assert "was obtained anew" in decision.problem
    assert not review.golden().exists()
    entry.path.unlink()
    assert accept(entry, project, Shelf()).problem is None


def test_a_golden_dir_of_that_run_inside_the_project_is_used(review):
    review.obtain(s_a=1, directory="other/goldens")
    assert "accepted other/goldens/tests/test_m/test_m.safetensors" in review.run("golden", "accept")[1]


def test_a_golden_dir_on_the_command_line_goes_first(review):
    review.obtain(s_a=1)
    assert review.run("golden", "accept", "--golden-dir", "mine")[0] == 0
    assert review.values(directory="mine") == {"a": 1}


def test_a_golden_dir_outside_the_root_is_used_if_the_ini_says_so(review):
    (review.root / "pytest.ini").write_text("[pytest]\naudioparity_golden_dir = ../shared\n")
    outside = str(review.root.parent / "shared")
    review.obtain(s_a=1, golden_dir=outside)
    assert review.run("golden", "accept")[0] == 0
    assert review.values(directory="../shared") == {"a": 1}


@pytest.mark.parametrize(
    "arguments", [["golden"], ["golden", "acept"], ["golden", "accept", "--stag"], ["run", "merge"]]
)
def test_wrong_words_are_status_2(arguments):
    from pytest_audioparity.cli import main

    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
