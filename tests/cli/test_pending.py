"""Listing what waits and showing the stored report of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from pytest_audioparity.golden.pending import IS_PORT

NAME, TEST = "tests/test_m/test_m", "tests/test_m.py::test_m"


def test_nothing_pending_is_said_and_is_no_failure(review):
    status, out, _ = review.run("golden", "pending")
    assert (status, out) == (0, "nothing is pending\n")
    assert review.json("golden", "pending") == (0, {"schema": 1, "pending": [], "damaged": []})
    assert review.run("golden", "accept")[:2] == (0, "nothing is pending\n")


def test_the_list_says_test_golden_stages_age_and_what_to_do(review):
    review.write_golden(mel=1)
    hour = (datetime.now(timezone.utc) - timedelta(hours=2, minutes=5)).isoformat(timespec="seconds")
    review.obtain(s_mel=2, s_new=3, obtained=hour)
    status, out, _ = review.run("golden", "pending")
    assert status == 0
    assert out.splitlines() == [
        TEST,
        "  would change golden/tests/test_m/test_m.safetensors, obtained 2 hours ago",
        "  mel  old -> new 1.46 dB",
        "  new  added",
        "",
        "1 test waits, 1 can be accepted",
        "look   : audioparity golden show",
        "accept : audioparity golden accept",
        "reject : audioparity golden reject",
    ]


def test_json_has_every_field_of_the_contract(review):
    review.write_golden(mel=1, old=1, settings={"k": 5, "same": 1, "t": 0.9})
    settings = {"k": 6, "same": 1, "n": None}
    path = review.obtain(s_mel=2, removed=["old"], settings=settings, obtained="2026-11-21T16:00:00+00:00")
    status, told = review.json("golden", "pending")
    assert status == 0
    assert told["pending"] == [
        {
            "name": NAME,
            "test": TEST,
            "golden": "golden/tests/test_m/test_m.safetensors",
            "file": str(path),
            "status": "changed",
            "acceptable": True,
            "refused": None,
            "forcible": False,
            "obtained": "2026-11-21T16:00:00+00:00",
            "run": "run1",
            "stages": [
                {"name": "mel", "change": "changed", "text": "old -> new 1.46 dB", "deviation_db": 1.46},
                {"name": "old", "change": "removed", "text": "removed", "deviation_db": None},
            ],
            "settings": [
                {"name": "k", "change": "changed", "text": "5 -> 6", "expected": 5, "actual": 6},
                {"name": "n", "change": "added", "text": "added (null)", "expected": None, "actual": None},
                {"name": "t", "change": "removed", "text": "removed", "expected": 0.9, "actual": None},
            ],
            "first_divergence": "mel",
        }
    ]


def test_a_golden_that_does_not_exist_is_new(review):
    review.obtain(s_mel=2)
    assert review.json("golden", "pending")[1]["pending"][0]["status"] == "new"
    assert "would create golden/tests/test_m/test_m.safetensors" in review.run("golden", "pending")[1]


def test_a_port_differs_from_its_golden_and_would_not_change_it(review):
    review.write_golden(mel=1)
    review.obtain(s_mel=2, refused="this test is a port and never writes a golden")
    out = review.run("golden", "pending")[1]
    assert "  differs from golden/tests/test_m/test_m.safetensors" in out
    assert "would change" not in out


def test_what_cannot_be_accepted_says_why_and_is_no_failure_of_the_list(review):
    review.obtain(s_mel=2, refused="this test is a port and never writes a golden")
    status, out, _ = review.run("golden", "pending")
    assert status == 0
    assert "  cannot be accepted: this test is a port and never writes a golden" in out
    assert "accept :" not in out
    assert review.json("golden", "pending")[1]["pending"][0]["acceptable"] is False


def test_a_file_of_an_earlier_run_is_told_from_those_of_the_last(review):
    from pytest_audioparity.runs import RunRecord, write_run

    review.obtain(s_mel=2, run="older")
    review.obtain("tests/test_n.py::test_n", s_mel=2, run="last")
    write_run(review.root / ".audioparity" / "run.json", RunRecord(id="last", started="2026-11-21T16:00:00+00:00"))
    out = review.run("golden", "pending")[1]
    assert "just now by run older, not the last one\n" in out
    assert out.count("not the last one") == 1


@pytest.mark.parametrize("damage", ["truncated", "empty", "noise"])
def test_damaged_files_are_a_line_each_and_exit_1_while_the_others_are_listed(review, damage):
    path = review.obtain("tests/test_n.py::test_n", s_mel=2)
    path.write_bytes({"truncated": path.read_bytes()[:-5], "empty": b"", "noise": b"\xff" * 100}[damage])
    review.obtain(s_mel=2)
    status, out, err = review.run("golden", "pending")
    assert status == 1
    assert TEST in out
    assert (err.count("\n"), "test_n.safetensors" in err) == (1, True)
    assert len(review.json("golden", "pending")[1]["damaged"]) == 1


def test_a_golden_without_a_word_on_what_it_changes_is_no_pending_file(review):
    review.write_golden(mel=1)
    folder = review.root / ".audioparity" / "pending"
    folder.mkdir(parents=True)
    review.golden().rename(folder / "x.safetensors")
    status, _, err = review.run("golden", "pending")
    assert status == 1
    assert "x.safetensors is no pending file that can be used" in err


def test_show_leaves_out_the_commands_for_where_the_test_ran(review):
    """A report ends with commands for there; of this kind only those are shown that work here."""
    ways_on = "golden: g\naccept: pytest x --update-golden\nreview: audioparity y"
    review.write_golden(mel=1)
    review.obtain(s_mel=2, report=f"stage 'mel' is off\n\naccept: no.2 of the text\n\n{ways_on}")
    out = review.run("golden", "show")[1]
    assert [line.split(": ")[1] for line in out.splitlines() if line.startswith(("accept: ", "review: "))] == [
        "no.2 of the text",
        f"audioparity golden accept {NAME}",
    ]
    assert "golden: g\n" in out


def test_show_of_a_golden_names_its_ports_in_one_line(review):
    """The name of a golden means its ports too, whose reports are long; named themselves they are shown."""
    review.write_golden(mel=1)
    review.obtain(s_mel=2, report="report of the owner")
    review.obtain("tests/test_p.py::test_p", golden=NAME, s_mel=2, refused=IS_PORT, report="report of the port")
    out = review.run("golden", "show", NAME)[1]
    assert "report of the owner" in out
    assert "report of the port" not in out
    assert "its port waits too: audioparity golden show tests/test_p/test_p\n" in out
    for names in (["tests/test_p/test_p"], ["*"]):
        assert "report of the port" in review.run("golden", "show", *names)[1]


def test_show_prints_the_stored_report_the_files_and_the_commands(review):
    review.write_golden(mel=1)
    path = review.obtain(s_mel=2, report="stage 'mel' is off by 6.02 dB, allowed 0.01 dB\n\nstage table")
    status, out, _ = review.run("golden", "show")
    assert status == 0
    assert "stage 'mel' is off by 6.02 dB, allowed 0.01 dB\n\nstage table\n" in out
    assert str(path) in out
    assert "golden/tests/test_m/test_m.safetensors" in out
    assert f"accept: audioparity golden accept {NAME}\n" in out
    assert f"reject: audioparity golden reject {NAME}\n" in out
    told = review.json("golden", "show", TEST)[1]["pending"][0]
    assert told["report"].startswith("stage 'mel' is off by 6.02 dB")
    assert told["result"]["first_divergence"] == "mel"


def test_show_without_a_name_wants_one_where_several_wait(review):
    review.obtain(s_mel=2)
    review.obtain("tests/test_n.py::test_n", s_mel=2)
    line = review.wrong("golden", "show")
    assert "2 tests wait" in line
    assert "tests/test_n/test_n" in line
    assert review.run("golden", "show", "*")[0] == 0


@pytest.mark.parametrize(
    "name",
    [
        "tests/test_m/test_m-a_b-*",
        "tests/test_m.py::test_m[a b]",
        "tests/test_m.py::test_m[*",
        "golden/tests/test_m/test_m*",
        "./golden/tests/test_m/*",
        "tests/test_m.py",
        "tests/test_m",
        "golden/tests/test_m/",
    ],
)
def test_a_name_may_be_a_golden_a_path_a_node_id_or_a_glob(review, name):
    review.obtain("tests/test_m.py::test_m[a b]", s_mel=2)
    review.obtain("tests/test_other.py::test_n", s_mel=2)
    if name.startswith("./"):
        name = f"{review.root}/{name[2:]}"
    told = review.json("golden", "pending", name)[1]["pending"]
    assert [entry["test"] for entry in told] == ["tests/test_m.py::test_m[a b]"]


def test_the_path_of_a_golden_counts_from_the_working_directory_too(review, monkeypatch):
    review.obtain(s_mel=2)
    (review.root / "tests").mkdir()
    monkeypatch.chdir(review.root / "tests")
    assert review.run("golden", "show", "../golden/tests/test_m/test_m.safetensors")[0] == 0
    assert review.run("golden", "show", "golden/tests/test_m/test_m.safetensors")[0] == 0


def test_a_name_that_means_nothing_is_wrong_use_and_names_the_nearest(review):
    assert "nothing: no test has anything pending" in review.wrong("golden", "show", "x")
    review.obtain(s_mel=2)
    line = review.wrong("golden", "accept", "tests/test_m/test_n")
    assert "'tests/test_m/test_n' matches nothing that is pending; did you mean 'tests/test_m/test_m'?" in line


def test_names_with_spaces_and_letters_of_any_language_work(review):
    test = "tests/tëst m.py::test_größe[日本 語]"
    review.obtain(test, golden="tests/größe ñ/日本 語", s_mel=2)
    assert review.run("golden", "show", test)[0] == 0
    status, out, _ = review.run("golden", "accept", "golden/tests/größe ñ/日本 語.safetensors")
    assert status == 0
    assert "accepted golden/tests/größe ñ/日本 語.safetensors: 1 stage" in out
    assert review.values("tests/größe ñ/日本 語") == {"mel": 2}


def test_numbers_that_json_lacks_become_null(review):
    review.obtain(s_mel=2, result={"stages": [{"name": "mel", "deviation_db": "loud"}, 5], "first_divergence": 7})
    entry = review.json("golden", "pending")[1]["pending"][0]
    assert entry["stages"][0]["deviation_db"] is None
    assert entry["first_divergence"] is None


def test_a_terminal_without_the_letters_gets_them_spelt_out(review):
    import os

    review.obtain("tests/test_ü.py::test_m", s_mel=2)
    done = review.apart("golden", "pending", env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0, done.stderr
    assert r"tests/test_\xfc.py::test_m" in done.stdout
    told = review.apart("golden", "pending", "--json", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert json.loads(told.stdout)["pending"][0]["test"] == "tests/test_ü.py::test_m"


def test_a_golden_or_stage_for_which_nothing_waits_is_no_wrong_use(review):
    review.write_golden("tests/test_n/test_n", a=1)
    review.obtain(s_mel=2, order=["h", "mel"])
    assert review.run("golden", "accept", "tests/test_n/test_n")[:2] == (
        0,
        "nothing is pending for tests/test_n/test_n\n1 test still waits: audioparity golden pending\n",
    )
    status, out, _ = review.run("golden", "accept", "--stage", "h")
    assert (status, out.splitlines()[0]) == (0, "nothing is pending in these stages")
    assert not review.golden().exists()
