"""Every command that changes files, stopped before each of its changes in turn and repeated, ends as one run of it."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_audioparity.golden.file import Golden
from pytest_audioparity.golden.pending import find_pending, read_pending
from pytest_audioparity.orphans import fingerprint
from pytest_audioparity.runs import Orphan, RunRecord, write_run

OTHER = "tests/test_n.py::test_n"
WHOLE = RunRecord(id="r", started="2026-11-21T16:00:00+00:00", complete=True, broken=())
TESTS = tuple(
    {"test": test, "stages": [{"name": name} for name in names], "settings": [{"name": "t"}]}
    for test, names in (("tests/test_m.py::test_m", ["a", "new", "b", "gone"]), (OTHER, ["x", "y"]))
)


class Killed(BaseException):
    """What nobody catches."""


@pytest.fixture
def stop_at(monkeypatch):
    """Stop before the change of that number: a file put in its place, a file or a folder removed."""

    def patch(number):
        left = itertools.count(number, -1)
        for name in ("replace", "unlink", "rmdir"):
            real = getattr(Path, name)

            def change(path, *arguments, _real=real, **keywords):
                # A cleanup on the way out is no step of its own, as a kill has none.
                if next(left) == 0:
                    raise Killed
                return _real(path, *arguments, **keywords)

            monkeypatch.setattr(Path, name, change)

    return patch


def state(root):
    """Read all that counts: goldens, what waits, the record apart from its new id."""
    goldens = {
        path.relative_to(root).as_posix(): ([(one.meta.name, float(one.array[0])) for one in golden], golden.settings)
        for path in sorted((root / "golden").rglob("*.safetensors"))
        for golden in [Golden(path)]
    }
    pending = {
        path.name: (said.test, [change.name for change in said.changes], [one.meta.name for one in obtained])
        for path in find_pending(root / ".audioparity" / "pending")
        for said, obtained in [read_pending(path)]
    }
    run_file = root / ".audioparity" / "run.json"
    record = {**json.loads(run_file.read_text()), "id": ""} if run_file.exists() else None
    folders = sorted(str(path.relative_to(root)) for path in (root / "golden").rglob("*") if path.is_dir())
    return goldens, pending, record, folders


def prepare(review):
    """Make one of everything: goldens, an orphan, two tests that wait, a job to merge."""
    for folder in ("golden", ".audioparity"):
        shutil.rmtree(review.root / folder, ignore_errors=True)
    shutil.rmtree(review.root.parent / "job", ignore_errors=True)
    review.write_golden(a=1, b=1, gone=1, settings={"k": 1, "t": 1})
    review.write_golden("tests/test_gone/deep/test_g", a=1)
    review.obtain(s_a=2, s_new=3, removed=["gone"], order=["a", "new", "b"], settings={"k": 2})
    review.obtain(OTHER, s_x=1, s_y=2)
    orphan = Orphan("tests/test_gone/deep/test_g", fingerprint(review.golden("tests/test_gone/deep/test_g")))
    write_run(
        review.root / ".audioparity" / "run.json",
        replace(WHOLE, seen=(OTHER, "tests/test_m.py::test_m"), orphans=(orphan,), tests=TESTS),
    )
    job = review.root.parent / "job"
    review.obtain(OTHER, s_x=5, folder=job / "pending")
    review.obtain("tests/test_o.py::test_o", s_x=5, folder=job / "pending")
    write_run(job / "run.json", replace(WHOLE, finished="2026-11-21T16:00:00+00:00"))


@pytest.mark.parametrize(
    "command",
    [
        "golden accept",
        "golden accept --stage a --stage x",
        "golden reject",
        "golden reject --stage new --stage y",
        "golden accept --stage a --setting t",
        "golden accept --setting *",
        "golden reject --setting t",
        f"golden accept tests/test_m/test_m {OTHER}",
        f"golden reject tests/test_m.py::test_m {OTHER}",
        "golden prune",
        "run merge ../job",
    ],
)
def test_stopped_anywhere_and_repeated_it_ends_the_same(review, stop_at, monkeypatch, command):
    prepare(review)
    review.run(*command.split())
    whole = state(review.root)
    for number in range(40):
        prepare(review)
        stop_at(number)
        stopped = False
        try:
            review.run(*command.split())
        except Killed:
            stopped = True
        monkeypatch.undo()
        monkeypatch.chdir(review.root)
        state(review.root)
        review.run(*command.split())
        assert state(review.root) == whole, number
        if not stopped:
            break
    assert number >= 2
