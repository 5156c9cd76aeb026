"""Goldens whose tensors lie in a store: what is fetched, from where, and every way in which that fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import fsspec
import ml_dtypes
import numpy as np
import pytest

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden import fetch, store
from pytest_audioparity.golden.shelf import IN_GIT, Shelf, golden_files, manifest_path, open_golden, save_golden
from pytest_audioparity.golden.transfer import pull, push
from pytest_audioparity.records import StageMeta, StageTensor

BIG = np.arange(1 << 19, dtype="float32")  # 2 MiB, so two blocks
SMALL = np.arange(6, dtype="int64").reshape(2, 3)
ARRAYS = {
    "big": BIG,
    "small": SMALL,
    "same": SMALL,
    "half": np.array([1, 2.5, -3], ml_dtypes.bfloat16),
    "quarter": np.array([1, 2], ml_dtypes.float8_e4m3fn),
    "single": np.array([[1 + 2j, 3]], "complex64"),
    "double": np.array([1 - 2j, 0, 5], "complex128"),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 4), "float32"),
    "scalar": np.array(2.5),
    "strided": np.arange(12, dtype=">f4").reshape(3, 4).T,
}


def stages_of(arrays):
    return [StageTensor(StageMeta(name), array) for name, array in arrays.items()]


def save(path, shelf, arrays=ARRAYS, since=None, settings=None):
    return save_golden(
        path, stages_of(arrays), settings=settings or {}, provenance={"test": "t"}, shelf=shelf, since=since
    )


def silent(label, done, total):
    pass


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).hexdigest()


def blob_in(folder, array):
    return folder / "sha256" / sha256(array)[:2] / sha256(array)


def blobs_in(folder):
    return {file.name for file in (folder / "sha256").rglob("*") if file.is_file()}


def holds(golden, arrays=ARRAYS):
    for name, array in arrays.items():
        read = golden.read(name).array
        assert read.dtype == array.dtype.newbyteorder("=")
        assert read.shape == array.shape
        assert read.tobytes() == np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        assert not read.flags.writeable
    return True


def refused(path, shelf, cause, stage="big"):
    """Expect that opening is well, and reading a stage an error of one line that names the golden."""
    golden = open_golden(path, shelf)
    with pytest.raises(GoldenError) as caught:
        golden.read(stage)
    assert caught.value.cause == cause
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"golden {manifest_path(path)} lacks the tensor of stage {stage!r}: ")
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "golden" / "test_x" / "test_y.safetensors"


@pytest.fixture
def pushed(path, tmp_path, served):
    """Return a shelf whose store is served over HTTP and holds a golden, with a cache that is still empty."""
    maker = Shelf(str(served.folder), tmp_path / "maker")
    save(path, maker)
    push([path], maker, silent)
    return Shelf(served.url, tmp_path / "cache")


@pytest.fixture
def memory():
    url = f"memory://{uuid.uuid4().hex}/goldens"
    yield url
    with contextlib.suppress(FileNotFoundError):
        fsspec.filesystem("memory").rm(url.removesuffix("goldens"), recursive=True)


class TestFolder:
    def test_a_golden_comes_back_from_the_cache_before_it_is_pushed(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "cache")
        size = save(path, shelf)
        assert golden_files(path) == [manifest_path(path)]
        golden = open_golden(path, shelf)
        assert holds(golden)
        assert golden.path == manifest_path(path)
        distinct = {sha256(array): array.nbytes for array in ARRAYS.values()}
        assert size == golden.size_bytes == manifest_path(path).stat().st_size + sum(distinct.values())
        assert not (tmp_path / "store").exists()

    @pytest.mark.parametrize("form", ["{}", "file://{}"])
    def test_a_folder_is_read_in_place(self, path, tmp_path, form):
        folder = tmp_path / "a store"
        shelf = Shelf(form.format(folder).replace(" ", "%20" if "://" in form else " "), tmp_path / "maker")
        save(path, shelf)
        push([path], shelf, silent)
        elsewhere = Shelf(shelf.store, tmp_path / "cache")
        assert holds(open_golden(path, elsewhere))
        assert not (tmp_path / "cache").exists()

    @pytest.mark.parametrize("url", ["file://shared", "file://shared/goldens"])
    def test_a_file_url_of_another_host_is_no_folder(self, path, tmp_path, url):
        """What stands after two slashes is a host, and the rest of it would be another folder."""
        shelf = Shelf(url, tmp_path / "cache")
        save(path, shelf)
        with pytest.raises(GoldenError, match="three slashes before an absolute path"):
            push([path], shelf, silent)

    def test_store_and_cache_look_alike_and_identical_tensors_are_there_once(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "cache")
        save(path, shelf)
        done = push([path], shelf, silent)
        assert blobs_in(tmp_path / "store") == blobs_in(tmp_path / "cache")
        assert blobs_in(tmp_path / "store") == {sha256(array) for array in ARRAYS.values() if array.size}
        assert done.moved == len(ARRAYS) - 2  # one is empty, one is the same
        assert blob_in(tmp_path / "store", BIG).read_bytes() == BIG.tobytes()

    def test_a_second_push_moves_nothing(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "cache")
        save(path, shelf)
        first, second = push([path], shelf, silent), push([path], shelf, silent)
        assert (second.moved, second.moved_bytes) == (0, 0)
        assert (second.present, second.present_bytes) == (first.moved, first.moved_bytes)

    def test_pull_copies_into_the_cache_which_then_serves_offline(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "maker")
        save(path, shelf)
        push([path], shelf, silent)
        fresh = Shelf(shelf.store, tmp_path / "cache")
        assert "is not in the cache and --golden-offline" in refused(
            path, Shelf(shelf.store, fresh.cache, offline=True), "store"
        )
        told = []
        done = pull([path], fresh, lambda *now: told.append(now))
        assert done.moved == len(ARRAYS) - 2
        assert told[-1][1] == told[-1][2] == done.moved_bytes
        assert [now for _, now, _ in told] == sorted(now for _, now, _ in told)
        shutil.rmtree(tmp_path / "store")
        assert holds(open_golden(path, Shelf(shelf.store, fresh.cache, offline=True)))
        assert pull([path], fresh, silent).moved == 0

    def test_what_is_pushed_must_be_what_its_address_says(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "cache")
        save(path, shelf)
        blob_in(tmp_path / "cache", BIG).write_bytes((BIG + 1).tobytes())
        with pytest.raises(GoldenError, match="its copy in the cache was altered"):
            push([path], shelf, silent)
        assert sha256(SMALL) in blobs_in(tmp_path / "store")
        assert sha256(BIG) not in blobs_in(tmp_path / "store")

    def test_what_is_nowhere_is_said_when_the_rest_is_pushed(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "cache")
        save(path, shelf)
        blob_in(tmp_path / "cache", BIG).unlink()
        with pytest.raises(GoldenError, match="stage 'big': neither the cache nor the store has it"):
            push([path], shelf, silent)
        assert sha256(SMALL) in blobs_in(tmp_path / "store")

    def test_a_store_that_is_not_mounted_and_one_without_the_blob_are_told_apart(self, path, tmp_path):
        save(path, Shelf(str(tmp_path / "store"), tmp_path / "maker"))
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "cache")
        assert "is not there; mount it" in refused(path, shelf, "store")
        (tmp_path / "store").mkdir()
        assert "has to run: audioparity golden push" in refused(path, shelf, "store")

    def test_an_altered_blob_of_a_folder_is_named_and_left_alone(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "maker")
        save(path, shelf)
        push([path], shelf, silent)
        file = blob_in(tmp_path / "store", BIG)
        file.write_bytes((BIG + 1).tobytes())
        fresh = Shelf(shelf.store, tmp_path / "cache")
        assert f"store {tmp_path / 'store'} has something else" in refused(path, fresh, "altered")
        assert file.exists()
        with pytest.raises(GoldenError, match="has something else"):
            pull([path], fresh, silent)
        assert not blob_in(tmp_path / "cache", BIG).exists()

    def test_a_truncated_blob_is_never_used(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "maker")
        save(path, shelf)
        push([path], shelf, silent)
        os.truncate(blob_in(tmp_path / "store", BIG), 100)
        assert "has 100 bytes of it instead of 2097152" in refused(path, Shelf(shelf.store, tmp_path / "c"), "store")
        assert push([path], shelf, silent).moved == 1
        assert holds(open_golden(path, Shelf(shelf.store, tmp_path / "c")))

    def test_an_altered_copy_in_the_cache_is_removed_and_the_next_run_is_well(self, path, pushed):
        assert holds(open_golden(path, pushed))
        file = blob_in(pushed.cache, BIG)
        file.write_bytes((BIG + 1).tobytes())
        assert "altered and is removed; run it again" in refused(path, pushed, "altered")
        assert not file.exists()
        assert holds(open_golden(path, pushed))

    def test_a_manifest_with_another_hash_is_altered_and_the_blob_stays(self, path, pushed):
        holds(open_golden(path, pushed))
        manifest = manifest_path(path)
        document = json.loads(manifest.read_text())
        document["stages"][0]["hash"] = "xxh3:00"
        manifest.write_text(json.dumps(document))
        with pytest.raises(GoldenError, match="stage 'big' does not have its hash") as caught:
            open_golden(path, pushed).read("big")
        assert caught.value.cause == "altered"
        assert blob_in(pushed.cache, BIG).exists()

    def test_a_store_that_cannot_be_written_says_so(self, path, tmp_path):
        (tmp_path / "file").write_text("mine")
        shelf = Shelf(str(tmp_path / "file" / "store"), tmp_path / "cache")
        save(path, shelf)
        with pytest.raises(GoldenError, match="cannot be used: NotADirectoryError"):
            push([path], shelf, silent)

    @pytest.mark.parametrize("move", [push, pull])
    def test_without_a_store_nothing_can_be_moved(self, path, move):
        with pytest.raises(GoldenError, match="set the ini option audioparity_golden_store"):
            move([path], IN_GIT, silent)

    def test_a_golden_in_git_has_nothing_to_move(self, path, tmp_path):
        save(path, IN_GIT)
        done = push([path], Shelf(str(tmp_path / "store")), silent)
        assert (done.goldens, done.moved, done.present) == (0, 0, 0)


class TestMemory:
    def test_push_and_read_through_fsspec(self, path, tmp_path, memory):
        maker = Shelf(memory, tmp_path / "maker")
        save(path, maker)
        told = []
        done = push([path], maker, lambda *now: told.append(now))
        assert done.moved == len(ARRAYS) - 2
        assert told[-1][1] == told[-1][2] == done.moved_bytes
        assert holds(open_golden(path, Shelf(memory, tmp_path / "cache")))
        assert blobs_in(tmp_path / "cache") == blobs_in(tmp_path / "maker")
        assert push([path], maker, silent).moved == 0

    def test_nothing_but_blobs_is_left_in_the_store(self, path, tmp_path, memory):
        maker = Shelf(memory, tmp_path / "maker")
        save(path, maker)
        push([path], maker, silent)
        names = {file.rpartition("/")[2] for file in fsspec.filesystem("memory").find(memory)}
        assert names == blobs_in(tmp_path / "maker")

    def test_an_upload_that_breaks_off_leaves_nothing(self, path, tmp_path, memory, monkeypatch):
        maker = Shelf(memory, tmp_path / "maker")
        save(path, maker, {"big": BIG})

        def breaks(self, one, other, **options):
            raise OSError("no space")

        monkeypatch.setattr(type(fsspec.filesystem("memory")), "mv", breaks)
        with pytest.raises(GoldenError, match="cannot be used: OSError: no space"):
            push([path], maker, silent)
        assert fsspec.filesystem("memory").find(memory) == []

    def test_a_blob_that_nobody_pushed_says_who_has_to(self, path, tmp_path, memory):
        save(path, Shelf(memory, tmp_path / "maker"))
        assert "whoever updated this golden has to run: audioparity golden push" in refused(
            path, Shelf(memory, tmp_path / "cache"), "store"
        )

    def test_a_cache_that_cannot_be_written_is_the_caches_fault(self, path, tmp_path, memory):
        maker = Shelf(memory, tmp_path / "maker")
        save(path, maker)
        push([path], maker, silent)
        (tmp_path / "file").write_text("")
        assert "the cache" in refused(path, Shelf(memory, tmp_path / "file" / "cache"), "unwritable")


class TestHttp:
    def test_only_a_stage_that_is_read_is_fetched_and_once(self, path, pushed, served):
        golden = open_golden(path, pushed)
        assert served.requests == []
        golden.read("small")
        golden.read("same")
        assert [name for _, name, _ in served.requests] == [sha256(SMALL)]
        assert blobs_in(pushed.cache) == {sha256(SMALL)}
        assert holds(golden)
        count = len(served.requests)
        assert holds(open_golden(path, pushed))
        assert len(served.requests) == count

    @pytest.mark.parametrize("ranges", [True, False])
    def test_a_broken_download_goes_on_in_the_next_run(self, path, pushed, served, ranges):
        served.dies_after = 0
        refused(path, pushed, "store")
        part = pushed.cache / fetch.PARTIAL / f"{sha256(BIG)}.part"
        part.write_bytes(BIG.tobytes()[:1_500_000])
        served.dies_after, served.ranges = None, ranges
        served.requests.clear()
        assert holds(open_golden(path, pushed), {"big": BIG})
        assert served.spans(sha256(BIG)) == (
            [f"bytes=1500000-{BIG.nbytes - 1}"] if ranges else [f"bytes=1500000-{BIG.nbytes - 1}", None]
        )
        assert not part.exists()

    def test_a_connection_that_dies_is_taken_up_where_it_ended(self, path, pushed, served):
        served.dies_after = 1_200_000
        told = []
        pull([path], pushed, lambda *now: told.append(now))
        first, *later = served.spans(sha256(BIG))
        assert first is None
        # On a busy machine all that had come may be lost with the connection; then small parts are asked for.
        starts = [int(span.removeprefix("bytes=").partition("-")[0]) for span in later if span is not None]
        assert starts
        assert len(starts) == len(later)
        assert starts[0] <= 1_200_000
        assert starts == sorted(starts)
        assert holds(open_golden(path, pushed), {"big": BIG})

    def test_a_server_that_always_dies_is_an_error_and_the_part_stays(self, path, pushed, served):
        served.dies_after, served.ranges = 1_200_000, False
        assert "cannot be used" in refused(path, pushed, "store")
        assert (pushed.cache / fetch.PARTIAL / f"{sha256(BIG)}.part").stat().st_size > 0
        assert blobs_in(pushed.cache) == set()

    @pytest.mark.parametrize("body", [(BIG + 1).tobytes(), BIG.tobytes() + b"x", BIG.tobytes() * 3])
    def test_wrong_bytes_are_deleted_and_never_used(self, path, pushed, served, body):
        served.body = body
        assert "has something else at sha256/" in refused(path, pushed, "altered")
        assert blobs_in(pushed.cache) == set()
        assert not list(pushed.cache.rglob("*.part"))
        served.body = None
        assert holds(open_golden(path, pushed))

    def test_a_part_that_another_server_made_has_a_second_chance(self, path, pushed):
        part = pushed.cache / fetch.PARTIAL / f"{sha256(BIG)}.part"
        for content in (b"x" * 1000, b"x" * BIG.nbytes, b"x" * (BIG.nbytes + 5)):
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            assert holds(open_golden(path, pushed), {"big": BIG})
            blob_in(pushed.cache, BIG).unlink()

    def test_a_body_that_is_too_short_is_said(self, path, pushed, served):
        served.body = BIG.tobytes()[:1000]
        assert "has 1000 bytes of it instead of" in refused(path, pushed, "store")

    def test_missing_and_forbidden_are_told_apart(self, path, pushed, served):
        for status, text in ((404, "has to run: audioparity golden push"), (403, "403"), (500, "500")):
            served.status = status
            assert text in refused(path, pushed, "store")
            part = pushed.cache / fetch.PARTIAL / f"{sha256(BIG)}.part"
            part.write_bytes(b"x")
            assert text in refused(path, pushed, "store")
            part.unlink()

    def test_an_unreachable_server_is_one_line(self, path, tmp_path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}/x?token=secret"
            save(path, Shelf(url, tmp_path / "maker"))
            message = refused(path, Shelf(url, tmp_path / "cache"), "store")
        assert "cannot be used" in message
        assert "secret" not in message

    def test_a_silent_server_is_given_up(self, path, tmp_path, monkeypatch, needs):
        needs("aiohttp")
        monkeypatch.setattr(store, "_SILENCE_SECONDS", 0.2)
        with socket.socket() as silence:
            silence.bind(("127.0.0.1", 0))
            silence.listen()
            url = f"http://127.0.0.1:{silence.getsockname()[1]}"
            save(path, Shelf(url, tmp_path / "maker"))
            assert "Timeout" in refused(path, Shelf(url, tmp_path / "cache"), "store")

    def test_offline_asks_nobody(self, path, pushed, served):
        shelf = Shelf(pushed.store, pushed.cache, offline=True)
        assert "run audioparity golden pull while online" in refused(path, shelf, "store")
        assert served.requests == []

    def test_http_is_not_pushed_to(self, path, pushed, served, tmp_path):
        assert push([path], Shelf(pushed.store, tmp_path / "maker"), silent).moved == 0
        blob_in(served.folder, BIG).unlink()
        with pytest.raises(GoldenError, match="can only be read"):
            push([path], Shelf(pushed.store, tmp_path / "maker"), silent)

    def test_processes_that_want_one_blob_at_once_download_it_once(self, path, pushed, served):
        program = (
            "import sys, time; from pathlib import Path\n"
            "from pytest_audioparity.golden.shelf import Shelf, open_golden\n"
            "golden = open_golden(Path(sys.argv[1]), Shelf(sys.argv[2], Path(sys.argv[3])))\n"
            "print('ready', flush=True); sys.stdin.readline()\n"
            "print(int(golden.read('big').array[-1]))"
        )
        command = [sys.executable, "-c", program, str(path), pushed.store, str(pushed.cache)]
        workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
        ]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        outputs = [worker.communicate()[0] for worker in workers]
        assert outputs == [f"{BIG.size - 1}\n"] * 3
        assert served.spans(sha256(BIG)) == [None]


class TestOther:
    def test_a_protocol_that_nobody_knows_is_an_error(self, path, tmp_path):
        save(path, Shelf("nonsense://x", tmp_path / "maker"))
        assert "nonsense" in refused(path, Shelf("nonsense://x", tmp_path / "cache"), "store")
        with pytest.raises(GoldenError, match="nothing was pushed: store nonsense://x cannot be used"):
            push([path], Shelf("nonsense://x", tmp_path / "maker"), silent)

    @pytest.mark.parametrize(("package", "url"), [("fsspec", "memory://x"), ("filelock", "memory://x")])
    def test_a_package_that_is_missing_says_how_to_install_it(self, path, tmp_path, monkeypatch, package, url):
        save(path, Shelf(url, tmp_path / "maker"))
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)
        told = refused(path, Shelf(url, tmp_path / "cache"), "store")
        assert told.endswith("; install what it needs: pip install 'pytest-audioparity[store]'")

    @pytest.mark.parametrize(
        ("package", "url", "said"),
        [
            ("aiohttp", "https://localhost/x", "pip install 'pytest-audioparity[store]' aiohttp"),
            ("s3fs", "s3://bucket/x", "cannot be used: ImportError: Install s3fs to access S3"),
        ],
    )
    def test_what_only_a_protocol_needs_is_named(self, monkeypatch, package, url, said):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(store.BlobError) as caught:
            store.open_store(url)
        assert str(caught.value).endswith(said)

    def test_nothing_is_imported_without_a_store_or_with_a_folder(self, path, tmp_path):
        program = (
            "import sys; from pathlib import Path; import numpy as np\n"
            "from pytest_audioparity.golden.shelf import IN_GIT, Shelf, open_golden, save_golden\n"
            "from pytest_audioparity.records import StageMeta, StageTensor\n"
            "stages = [StageTensor(StageMeta('a'), np.ones(3))]\n"
            "for shelf in IN_GIT, Shelf(sys.argv[2], Path(sys.argv[3])):\n"
            "    path = Path(sys.argv[1]) / f'{shelf.store is None}.safetensors'\n"
            "    save_golden(path, stages, settings={}, provenance={}, shelf=shelf, since=None)\n"
            "    list(open_golden(path, shelf))\n"
            "    print([m for m in ('fsspec', 'filelock', 'aiohttp') if m in sys.modules])\n"
            "    print('pytest_audioparity.golden.manifest' in sys.modules)"
        )
        command = [sys.executable, "-c", program, str(path.parent), str(tmp_path / "store"), str(tmp_path / "cache")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.split("\n")[:4] == ["[]", "False", "[]", "True"]

    def test_the_cache_ignores_itself_in_git(self, path, tmp_path):
        save(path, Shelf(str(tmp_path / "store"), tmp_path / "cache"))
        assert (tmp_path / "cache" / ".gitignore").read_text().endswith("\n*\n")

    def test_a_golden_of_many_tensors_needs_few_file_handles(self, path, tmp_path):
        shelf = Shelf(str(tmp_path / "store"), tmp_path / "cache")
        save(path, shelf, {f"s{i}": np.full(1 << 18, i, "float32") for i in range(130)})
        before = len(list(Path("/dev/fd").iterdir()))
        stages = list(open_golden(path, shelf))
        assert len(list(Path("/dev/fd").iterdir())) - before <= 101
        assert [int(stage.array[0]) for stage in stages] == list(range(130))
