"""Pruning: only what a complete run saw and nobody owns, and nothing outside the golden directory."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from pytest_audioparity.orphans import fingerprint
from pytest_audioparity.runs import Orphan, RunRecord, write_run

NAME, TEST = "tests/test_m/test_m", "tests/test_m.py::test_m"
GONE = "tests/test_gone/test_g"
WHOLE = RunRecord(id="r", started="2999-11-21T16:00:00+00:00", complete=True, broken=(), seen=(TEST,))


@pytest.fixture
def orphaned(review):
    """Make a golden with an owner, one without, and the record of a complete run that says so."""
    review.write_golden(a=1)
    review.write_golden(GONE, a=1)
    record(review, GONE)
    return review


def record(review, *names, **changes):
    orphans = tuple(Orphan(name, fingerprint(review.golden(name))) for name in names)
    write_run(review.root / ".audioparity" / "run.json", replace(WHOLE, orphans=orphans, **changes))


def files(review):
    folder = review.root / "golden"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_orphans_are_deleted_with_the_folders_that_this_leaves_empty(orphaned):
    status, out, err = orphaned.run("golden", "prune")
    assert (status, err) == (0, "")
    assert out == f"orphan golden/{GONE}.safetensors\ndeleted 1 file\n"
    assert files(orphaned) == ["tests", "tests/test_m", "tests/test_m/test_m.safetensors"]
    assert orphaned.run("golden", "prune")[:2] == (0, "nothing to delete\n")


def test_a_dry_run_lists_and_deletes_nothing(orphaned):
    before = files(orphaned)
    status, out, _ = orphaned.run("golden", "prune", "--dry-run")
    assert (status, out) == (0, f"orphan golden/{GONE}.safetensors\n")
    assert files(orphaned) == before
    told = orphaned.json("golden", "prune", "--dry-run")[1]
    assert (told["found"], told["deleted"]) == ([f"golden/{GONE}.safetensors"], [])


def test_after_a_partial_run_nothing_is_deleted_and_the_reasons_are_said(orphaned):
    record(orphaned, GONE, complete=False, partial=("selected by -k",))
    before = files(orphaned)
    status, out, err = orphaned.run("golden", "prune")
    assert (status, out) == (1, "")
    assert "selected by -k" in err
    assert orphaned.json("golden", "prune")[1]["reasons"] == ["selected by -k"]
    assert files(orphaned) == before


def test_without_a_record_nothing_is_deleted(review):
    review.write_golden(a=1)
    assert "run pytest first" in review.wrong("golden", "prune")
    assert review.golden().exists()


def test_a_golden_that_changed_since_the_run_stays(orphaned):
    orphaned.write_golden(GONE, a=2)
    status, out, _ = orphaned.run("golden", "prune")
    assert (status, out.splitlines()[0]) == (0, f"kept golden/{GONE}.safetensors: it changed since the run")
    assert orphaned.golden(GONE).exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/x", "tests/../../outside", "x\\y", "a@../b"])
def test_no_name_of_a_record_leads_out_of_the_golden_directory(orphaned, name):
    (orphaned.root / "outside.safetensors").write_bytes(b"x" * 99)
    path = orphaned.root / ".audioparity" / "run.json"
    write_run(path, replace(WHOLE, orphans=(Orphan(name, "xxh3:0"),)))
    status, out, _ = orphaned.run("golden", "prune")
    assert status == 0
    assert out.startswith("kept ")
    assert (orphaned.root / "outside.safetensors").exists()


@pytest.mark.parametrize("golden_dir", ["../elsewhere", "/", "golden/../..", ".git"])
def test_no_golden_directory_of_a_record_leads_out_of_the_root(orphaned, golden_dir):
    record(orphaned, GONE, golden_dir=golden_dir)
    assert "nothing is deleted" in orphaned.wrong("golden", "prune")


def test_a_symbolic_link_out_of_the_golden_directory_is_not_followed(orphaned):
    outside = orphaned.root / "outside"
    outside.mkdir()
    orphaned.golden(GONE).rename(outside / "test_g.safetensors")
    orphaned.golden(GONE).parent.rmdir()
    orphaned.golden(GONE).parent.symlink_to(outside)
    stale = outside / ".x-0123abcd.tmp"
    stale.write_bytes(b"x")
    os.utime(stale, (1, 1))
    status, out, _ = orphaned.run("golden", "prune")
    assert status == 0
    assert "a symbolic link leads out" in out
    assert (outside / "test_g.safetensors").exists()
    assert stale.exists()


def test_a_golden_that_is_a_symbolic_link_goes_and_what_it_points_to_stays(orphaned):
    target = orphaned.root / "annex"
    orphaned.golden(GONE).rename(target)
    orphaned.golden(GONE).symlink_to(target)
    record(orphaned, GONE)
    assert orphaned.run("golden", "prune")[0] == 0
    assert target.exists()
    assert not orphaned.golden(GONE).is_symlink()


def test_leftovers_of_killed_writes_go_when_they_are_old(orphaned):
    folder = orphaned.golden().parent
    old, young, other = folder / ".test_m-1a2b3c4d.tmp", folder / ".test_m-00000000.tmp", folder / ".mine.tmp"
    for path in (old, young, other):
        path.write_bytes(b"x")
    for path in (old, other):
        os.utime(path, (time.time() - 3700,) * 2)
    status, out, _ = orphaned.run("golden", "prune")
    assert status == 0
    assert "left by a write that was killed golden/tests/test_m/.test_m-1a2b3c4d.tmp" in out
    assert [path.exists() for path in (old, young, other)] == [False, True, True]


def test_pending_files_of_tests_that_are_gone_go_too(orphaned):
    orphaned.obtain(s_a=2, run="r")
    orphaned.obtain("tests/test_gone.py::test_g", s_a=2)
    assert orphaned.run("golden", "prune")[0] == 0
    assert orphaned.waiting() == ["tests/test_m/test_m.safetensors"]


def test_a_manifest_is_deleted_like_the_golden_it_stands_for(orphaned):
    manifest = orphaned.golden(GONE).with_name("test_g.manifest.json")
    manifest.write_text("{}")
    record(orphaned, GONE)
    assert orphaned.run("golden", "prune")[0] == 0
    assert files(orphaned) == ["tests", "tests/test_m", "tests/test_m/test_m.safetensors"]


def test_an_empty_folder_that_a_kill_left_behind_goes_on_the_next_call(orphaned):
    orphaned.golden(GONE).unlink()
    assert orphaned.run("golden", "prune")[0] == 0
    assert not orphaned.golden(GONE).parent.exists()
    assert (orphaned.root / "golden").exists()


def test_what_cannot_be_deleted_is_said_with_status_1(orphaned, monkeypatch):
    from pathlib import Path

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    status, out, err = orphaned.run("golden", "prune")
    assert status == 1
    assert "deleted 0 files" in out
    assert err == f"not deleted golden/{GONE}.safetensors: Permission denied\n"


def test_in_a_terminal_prune_asks_once(orphaned):
    status, seen = orphaned.in_terminal("golden", "prune", answer=b"n\n")
    assert (status, orphaned.golden(GONE).exists()) == (1, True)
    assert f"orphan golden/{GONE}.safetensors\ndelete 1 file? [y/N]" in seen
    assert orphaned.in_terminal("golden", "prune", answer=b"y\n")[0] == 0
    assert not orphaned.golden(GONE).exists()


@pytest.mark.parametrize("name", ["tests/test_m.py", "tests/test_back.py"])
def test_after_a_change_of_tests_nothing_is_deleted(orphaned, name):
    record(orphaned, GONE, started="2001-01-01T00:00:00+00:00", collected={"tests/test_m.py": ("test_m",)})
    (orphaned.root / "tests").mkdir()
    (orphaned.root / name).write_text("def test_g(stages): pass")
    before = files(orphaned)
    for flags in ([], ["--dry-run"]):
        status, out, err = orphaned.run("golden", "prune", *flags)
        assert (status, out) == (1, "")
        assert err == f"nothing is deleted: tests changed since that run ({name}): run pytest again\n"
    assert files(orphaned) == before


def test_the_document_has_one_form_whatever_becomes_of_the_command(orphaned):
    whole = orphaned.json("golden", "prune", "--dry-run")[1]
    record(orphaned, GONE, complete=False, partial=("selected by -k",))
    partial = orphaned.json("golden", "prune")[1]
    record(orphaned, GONE, started="2001-01-01T00:00:00+00:00")
    (orphaned.root / "test_new.py").touch()
    status, changed = orphaned.json("golden", "prune")
    assert status == 1
    assert "tests changed since that run (test_new.py)" in changed["reasons"][0]
    assert {key: type(value) for key, value in whole.items()} == {key: type(value) for key, value in partial.items()}
    assert list(whole) == list(partial) == list(changed)


@pytest.mark.parametrize("is_chosen", [True, False])
def test_a_golden_directory_that_is_a_link_out_of_the_project_is_left_alone(orphaned, is_chosen):
    other = orphaned.root.parent / "other"
    (orphaned.root / "golden").rename(other)
    (orphaned.root / "golden").symlink_to(other)
    flags = ["--golden-dir", "golden"] if is_chosen else []
    assert "nothing is deleted" in orphaned.wrong("golden", "prune", *flags)
    assert (other / f"{GONE}.safetensors").exists()


def test_pending_files_of_tests_that_the_run_did_not_look_at_stay(orphaned):
    (orphaned.root / "tests").mkdir()
    (orphaned.root / "tests" / "test_skipped.py").touch()
    for name in ("test_skipped.py::test_s", "test_m.py::test_late", "test_m.py::test_mps", "test_m.py::test_old"):
        made = {"platform": "Plan9-mips"} if "mps" in name else {}
        orphaned.obtain(f"tests/{name}", s_a=2, run="r", provenance=made)
    orphaned.obtain("tests/test_skipped.py::test_s", s_a=2, path=_pending(orphaned, "tests/test_skipped/test_s@mac"))
    orphaned.obtain(TEST, s_a=2, path=_pending(orphaned, f"{NAME}@mac"))
    known = {"collected": {"tests/test_m.py": ("test_late", "test_m")}, "uncollected": ("tests/test_skipped.py",)}
    record(orphaned, run=(TEST,), **known)
    assert orphaned.run("golden", "prune")[0] == 0
    left = ["test_m/test_late", "test_m/test_mps", "test_skipped/test_s", "test_skipped/test_s@mac"]
    assert orphaned.waiting() == [f"tests/{name}.safetensors" for name in left]


def _pending(review, name):
    return review.root / ".audioparity" / "pending" / f"{name}.safetensors"


def test_a_dry_run_leaves_empty_folders_too(orphaned):
    orphaned.golden(GONE).unlink()
    before = files(orphaned)
    assert orphaned.run("golden", "prune", "--dry-run")[0] == 0
    assert files(orphaned) == before
