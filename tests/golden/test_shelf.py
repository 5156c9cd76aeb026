"""Saving a golden in one of its two forms: the change of form, and what somebody else saved meanwhile."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pytest_audioparity.errors import GoldenError, StageError
from pytest_audioparity.golden import atomic, guard
from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.golden.shelf import (
    IN_GIT,
    Shelf,
    find_goldens,
    golden_files,
    has_variant,
    manifest_path,
    open_golden,
    save_golden,
)
from pytest_audioparity.records import StageMeta, StageTensor


def save(path, shelf, value, since=None, settings=None):
    stage = StageTensor(StageMeta("a", sample_rate=24000), np.full(1000, value, "float32"))
    return save_golden(path, [stage], settings=settings or {}, provenance={"test": "t"}, shelf=shelf, since=since)


def value_of(path, shelf):
    return float(open_golden(path, shelf).read("a").array[0])


def everything_in(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def conflict(path, shelf, value, since):
    before = everything_in(path.parent)
    with pytest.raises(GoldenError) as caught:
        save(path, shelf, value, since)
    assert caught.value.cause == "changed"
    assert str(caught.value) == f"golden {path} was changed by someone else while this test ran; run it again"
    assert everything_in(path.parent) == before


@pytest.fixture
def path(tmp_path):
    return tmp_path / "golden" / "test_x" / "test_y.safetensors"


@pytest.fixture
def in_store(tmp_path):
    return Shelf(str(tmp_path / "store"), tmp_path / "cache")


@pytest.fixture(params=["file", "manifest"])
def shelf(request, in_store):
    return IN_GIT if request.param == "file" else in_store


class TestForms:
    def test_without_a_store_the_bytes_are_those_of_write_golden(self, path, tmp_path):
        stages = [StageTensor(StageMeta("a"), np.arange(5.0))]
        size = save_golden(path, stages, settings={"b": 1}, provenance={"test": "t"}, since=None)
        write_golden(tmp_path / "x", stages, settings={"b": 1}, provenance={"test": "t"})
        assert path.read_bytes() == (tmp_path / "x").read_bytes()
        assert size == open_golden(path).size_bytes == path.stat().st_size
        assert list(path.parent.iterdir()) == [path]

    def test_a_golden_changes_its_form_with_the_shelf_and_back(self, path, in_store):
        save(path, IN_GIT, 1)
        save(path, in_store, 2, since=open_golden(path, in_store))
        assert golden_files(path) == [manifest_path(path)]
        assert value_of(path, in_store) == 2
        since = open_golden(path, in_store)
        save(path, IN_GIT, 3, since=since)
        assert golden_files(path) == [path]
        assert value_of(path, IN_GIT) == 3

    def test_a_file_is_read_as_it_is_where_a_store_is_configured(self, path, in_store):
        save(path, IN_GIT, 1)
        golden = open_golden(path, in_store)
        assert golden.path == path
        assert not in_store.cache.exists()

    def test_a_manifest_without_a_store_says_what_to_set(self, path, in_store):
        save(path, in_store, 1)
        with pytest.raises(GoldenError, match="set the ini option audioparity_golden_store") as caught:
            open_golden(path)
        assert caught.value.cause == "store"

    @pytest.mark.parametrize("to_store", [True, False])
    def test_a_kill_between_the_steps_of_a_mere_change_of_form_does_no_harm(self, path, in_store, to_store):
        shelves = (IN_GIT, in_store) if to_store else (in_store, IN_GIT)
        save(path, shelves[0], 1)
        since = open_golden(path, shelves[0])
        kill_before_unlink(path, shelves[1], 1, in_store)
        assert len(golden_files(path)) == 2
        assert [value_of(path, shelf) for shelf in shelves] == [1, 1]
        save(path, shelves[1], 2, since=open_golden(path, shelves[1]))
        assert len(golden_files(path)) == 1
        assert value_of(path, shelves[1]) == 2
        assert since.read("a").array[0] == 1

    @pytest.mark.parametrize("to_store", [True, False])
    def test_two_forms_that_differ_are_never_silently_stale(self, path, in_store, to_store):
        shelves = (IN_GIT, in_store) if to_store else (in_store, IN_GIT)
        save(path, shelves[0], 1)
        kill_before_unlink(path, shelves[1], 2, in_store)
        for shelf in shelves:
            with pytest.raises(GoldenError, match="two forms that differ") as caught:
                open_golden(path, shelf)
            assert str(path) in str(caught.value)
            assert str(manifest_path(path)) in str(caught.value)
        golden_files(path)[1 if to_store else 0].unlink()
        assert value_of(path, shelves[0]) == 1

    def test_an_old_form_that_cannot_be_removed_is_said(self, path, in_store, monkeypatch):
        save(path, IN_GIT, 1)
        since = open_golden(path)

        def denied(self, missing_ok=False):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(type(path), "unlink", denied)
        with pytest.raises(GoldenError, match=r"could not be removed: Permission denied; delete that") as caught:
            save(path, in_store, 1, since=since)
        assert caught.value.cause == "unwritable"

    def test_goldens_are_found_in_either_form_and_as_variants(self, path, in_store):
        other, variant = path.with_name("test_z.safetensors"), path.with_name("test_y@cuda.safetensors")
        in_git = path.with_name("test_w.safetensors")
        save(path, IN_GIT, 1)
        save(in_git, IN_GIT, 1)
        save(variant, in_store, 1)
        save(other, in_store, 1)
        (path.parent / ".test_y-0123.tmp").write_text("")
        manifest_path(path).write_text("{}")
        assert find_goldens(path.parents[1]) == sorted([path, in_git, variant, other])
        assert golden_files(path) == [path, manifest_path(path)]
        assert golden_files(variant) == [manifest_path(variant)]
        assert golden_files(path.with_name("none.safetensors")) == []
        assert find_goldens(path.parent / "nowhere") == []

    def test_a_variant_is_there_in_either_form(self, path, shelf):
        save(path.with_name("test_y@cuda.safetensors"), shelf, 1)
        assert has_variant(path, "cuda")
        assert not has_variant(path, "mps")

    def test_the_folder_to_be_flushed_later_is_noted_in_either_form(self, path, shelf):
        folders = set()
        save_golden(path, [], settings={}, provenance={}, shelf=shelf, since=None, folders=folders)
        assert folders == {path.parent}


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from pytest_audioparity.golden.shelf import Shelf, open_golden, save_golden
from pytest_audioparity.records import StageMeta, StageTensor

path, store, cache, value = Path(sys.argv[1]), sys.argv[2] or None, Path(sys.argv[3]), float(sys.argv[4])
shelf = Shelf(store, cache)
stage = StageTensor(StageMeta("a", sample_rate=24000), np.full(1000, value, "float32"))
since = open_golden(path, Shelf(sys.argv[5], cache))
sys.addaudithook(lambda event, _: os._exit(9) if event == "os.remove" else None)
save_golden(path, [stage], settings={}, provenance={"test": "t"}, shelf=shelf, since=since)
"""


def kill_before_unlink(path, shelf, value, in_store):
    """Save in a process that ends when it is about to remove the old form."""
    arguments = [str(path), shelf.store or "", str(in_store.cache), str(value), in_store.store]
    assert subprocess.run([sys.executable, "-c", KILLED, *arguments]).returncode == 9


class TestSince:
    def test_an_update_of_what_was_read_goes_through(self, path, shelf):
        save(path, shelf, 1)
        save(path, shelf, 2, since=open_golden(path, shelf))
        assert value_of(path, shelf) == 2

    def test_what_somebody_else_changed_is_not_overwritten(self, path, shelf):
        save(path, shelf, 1)
        since = open_golden(path, shelf)
        save(path, shelf, 2, since=open_golden(path, shelf))
        conflict(path, shelf, 3, since)
        assert value_of(path, shelf) == 2

    def test_what_somebody_else_created_is_not_overwritten(self, path, shelf):
        save(path, shelf, 1)
        conflict(path, shelf, 2, None)

    def test_what_somebody_else_deleted_is_not_brought_back(self, path, shelf):
        save(path, shelf, 1)
        since = open_golden(path, shelf)
        for file in golden_files(path):
            file.unlink()
        conflict(path, shelf, 2, since)

    def test_a_form_that_somebody_else_changed_is_not_overwritten(self, path, in_store):
        save(path, IN_GIT, 1)
        since = open_golden(path)
        save(path, in_store, 2, since=open_golden(path))
        conflict(path, in_store, 3, since)

    def test_a_second_form_that_came_meanwhile_is_not_removed(self, path, in_store):
        save(path, IN_GIT, 1)
        since = open_golden(path)
        other = path.with_name("other.safetensors")
        save(other, in_store, 2)
        manifest_path(other).rename(manifest_path(path))
        conflict(path, in_store, 3, since)

    @pytest.mark.parametrize("known", [True, False])
    def test_the_same_content_is_no_conflict_and_nothing_is_written(self, path, shelf, known):
        since = None
        if known:
            save(path, shelf, 1)
            since = open_golden(path, shelf)
        size = save(path, shelf, 2, since=open_golden(path, shelf) if known else None)
        before = everything_in(path.parent)
        assert save(path, shelf, 2, since=since) == size
        assert everything_in(path.parent) == before

    @pytest.mark.parametrize("settings", [{"b": [1, 2.5]}, {"b": (1, 2.5)}])
    def test_settings_count_as_content(self, path, shelf, settings):
        save(path, shelf, 1, settings={"b": [1, 2.5]})
        save(path, shelf, 1, settings=settings)
        conflict(path, shelf, 1, None)

    def test_a_file_that_was_written_again_with_the_same_content_is_no_conflict(self, path, shelf):
        save(path, shelf, 1)
        since = open_golden(path, shelf)
        file = golden_files(path)[0]
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
        assert open_golden(path, shelf).identity != since.identity
        save(path, shelf, 2, since=since)
        assert value_of(path, shelf) == 2

    def test_a_golden_of_another_path_says_that_there_was_none(self, path, shelf):
        save(path, shelf, 1)
        variant = path.with_name("test_y@cuda.safetensors")
        save(variant, shelf, 2, since=open_golden(path, shelf))
        conflict(variant, shelf, 3, open_golden(path, shelf))
        same = path.with_name("test_y@mps.safetensors")
        save(same, shelf, 1)
        conflict(same, shelf, 3, open_golden(path, shelf))

    def test_a_damaged_file_in_the_place_of_the_golden_is_a_conflict(self, path, shelf):
        save(path, shelf, 1)
        since = open_golden(path, shelf)
        golden_files(path)[0].write_text("nonsense")
        conflict(path, shelf, 2, since)

    def test_a_damaged_file_that_somebody_else_made_meanwhile_is_not_overwritten(self, path, shelf):
        save(path, shelf, 1)
        golden_files(path)[0].write_text("nonsense")
        conflict(path, shelf, 2, None)

    def test_a_file_that_came_and_went_meanwhile_is_no_conflict(self, path):
        def gone():
            path.unlink()
            return Golden(path)

        path.parent.mkdir(parents=True)
        path.write_text("nonsense")
        forms = (path, manifest_path(path))
        with guard.unchanged(path, forms, since=None, stages=(), settings={}, reopen=gone):
            pass

    def test_the_order_in_which_another_program_wrote_its_settings_is_no_conflict(self, tmp_path):
        import safetensors.numpy

        path = tmp_path / "x.safetensors"
        document = '{"format": 1, "stages": [{"name": "a", "kind": "tensor"}], "settings": {"b": 1, "a": 2}}'
        safetensors.numpy.save_file({"a": np.ones(3)}, path, {"audioparity": document})
        stages = list(Golden(path))
        size = save_golden(path, stages, settings={"a": 2, "b": 1}, provenance={}, since=None)
        assert size == path.stat().st_size
        assert Golden(path).metadata["audioparity"] == document

    def test_of_many_processes_that_update_one_golden_one_succeeds(self, path, shelf, in_store):
        save(path, shelf, 0)
        arguments = [str(path), shelf.store or "", str(in_store.cache)]
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", RACER, *arguments, str(value)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for value in (1, 2, 3, 4)
        ]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        outcomes = [worker.communicate()[0].strip() for worker in workers]
        assert sorted(outcomes) == ["changed", "changed", "changed", "saved"]
        assert value_of(path, shelf) == outcomes.index("saved") + 1


RACER = """
import sys
from contextlib import suppress
from pathlib import Path
import numpy as np
from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.shelf import Shelf, open_golden, save_golden
from pytest_audioparity.records import StageMeta, StageTensor

path, shelf = Path(sys.argv[1]), Shelf(sys.argv[2] or None, Path(sys.argv[3]))
stage = StageTensor(StageMeta("a"), np.full(1000, float(sys.argv[4]), "float32"))
since = open_golden(path, shelf)
print("ready", flush=True)
sys.stdin.readline()
try:
    save_golden(path, [stage], settings={}, provenance={}, shelf=shelf, since=since)
    print("saved")
except GoldenError as error:
    print(error.cause)
"""


class TestUnwritable:
    def test_a_folder_that_vanished_is_a_conflict_or_made_anew(self, path, shelf):
        save(path, shelf, 1)
        since = open_golden(path, shelf)
        shutil.rmtree(path.parent)
        conflict(path, shelf, 2, since)
        save(path, shelf, 2)
        assert value_of(path, shelf) == 2

    def test_a_folder_that_cannot_be_is_an_error(self, tmp_path, shelf):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(GoldenError, match=r"could not be written: .*; nothing was changed") as caught:
            save(tmp_path / "file" / "x.safetensors", shelf, 1)
        assert caught.value.cause == "unwritable"

    def test_a_read_only_folder_is_an_error_and_the_old_golden_stays(self, path, shelf, monkeypatch):
        save(path, shelf, 1)
        since, before, opened = open_golden(path, shelf), everything_in(path.parent), Path.open

        # Root, as which tests may run, may write everywhere.
        def read_only(self, mode="r", *args, **options):
            if "x" in mode and path.parent in self.parents:
                raise OSError(errno.EROFS, "Read-only file system")
            return opened(self, mode, *args, **options)

        monkeypatch.setattr(Path, "open", read_only)
        with pytest.raises(GoldenError, match="Read-only file system; nothing was changed") as caught:
            save(path, shelf, 2, since=since)
        monkeypatch.undo()
        assert caught.value.cause == "unwritable"
        assert everything_in(path.parent) == before

    def test_a_full_disk_is_an_error_and_leaves_nothing(self, path, shelf, in_store):
        save(path, shelf, 1)
        before = {**everything_in(path.parent), **(everything_in(in_store.cache) if shelf.store else {})}
        program = (
            f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (300, {resource.RLIM_INFINITY}))\n" + RACER
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), shelf.store or "", str(in_store.cache), "2"],
            input="go\n",
            capture_output=True,
            text=True,
        )
        assert done.stdout == "ready\nunwritable\n", done.stderr
        after = {**everything_in(path.parent), **(everything_in(in_store.cache) if shelf.store else {})}
        assert after == before
        assert value_of(path, shelf) == 1

    @pytest.mark.parametrize("bad", [np.array(["a"]), np.array([None]), np.ones(1, "longdouble")])
    def test_what_the_format_cannot_hold_leaves_neither_manifest_nor_tensors(self, path, in_store, bad):
        stages = [StageTensor(StageMeta("good"), np.ones(3)), StageTensor(StageMeta("bad"), bad)]
        with pytest.raises(StageError, match="cast it"):
            save_golden(path, stages, settings={}, provenance={}, shelf=in_store, since=None)
        with pytest.raises(StageError, match="twice"):
            save_golden(path, stages[:1] * 2, settings={}, provenance={}, shelf=in_store, since=None)
        with pytest.raises(StageError, match="settings must be"):
            save_golden(path, stages[:1], settings={"a": float("nan")}, provenance={}, shelf=in_store, since=None)
        assert not path.parent.exists()
        assert not in_store.cache.exists()


class TestLock:
    def test_where_there_are_no_locks_saving_goes_on(self, path, shelf, monkeypatch):
        monkeypatch.setitem(sys.modules, "fcntl", None)
        save(path, shelf, 1)
        assert value_of(path, shelf) == 1

    def test_a_file_system_without_locks_is_no_failure(self, tmp_path, monkeypatch):
        import fcntl

        def refuses(*args):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuses)
        with atomic.folder_lock(tmp_path):
            pass

    def test_the_lock_keeps_others_out_and_is_released_by_an_error(self, tmp_path):
        import fcntl

        handle = os.open(tmp_path, os.O_RDONLY)
        try:
            with suppress(RuntimeError), atomic.folder_lock(tmp_path):
                with pytest.raises(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                raise RuntimeError
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(handle)

    def test_the_lock_is_released_although_a_process_that_was_forked_meanwhile_has_the_handle(
        self, tmp_path, monkeypatch
    ):
        import fcntl

        handles, real_open = [], os.open
        monkeypatch.setattr(atomic.os, "open", lambda *args: handles.append(real_open(*args)) or handles[-1])
        with atomic.folder_lock(tmp_path):
            copy = os.dup(handles[0])
        monkeypatch.undo()
        other = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(other)
            os.close(copy)

    def test_a_check_by_content_fetches_nothing(self, path, in_store):
        save(path, in_store, 1)
        shutil.rmtree(in_store.cache)
        described, settings = guard.content_of(open_golden(path, in_store))
        assert len(described) == 1
        assert settings == "{}"

    def test_goldens_of_other_programs_without_hashes_are_compared_by_content(self, tmp_path):
        import safetensors.numpy

        path = tmp_path / "x.safetensors"
        safetensors.numpy.save_file({"a": np.ones(3)}, path)
        since = Golden(path)
        safetensors.numpy.save_file({"a": np.ones(3) + 1}, tmp_path / "y")
        (tmp_path / "y").replace(path)
        conflict(path, IN_GIT, 3, since)
