"""A project whose tests have left pending files, without running any: the files are written as a run writes them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from pytest_audioparity.cli import main
from pytest_audioparity.comparison.hyperparameters import compare_settings
from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.golden.names import any_golden_path, golden_name, golden_path
from pytest_audioparity.golden.pending import Change, Pending, write_pending
from pytest_audioparity.golden.revision import fingerprint, setting_fingerprint
from pytest_audioparity.records import StageMeta, StageTensor

TEST = "tests/test_m.py::test_m"
NAME = "tests/test_m/test_m"
# As the installed script does it; what comes before it is put in front, since a process with threads does not fork.
COMMAND = "import sys; from pytest_audioparity.cli import main; sys.exit(main())"


def stage(name, value, size=8, **declared):
    """Make a stage full of one number, which is easy to recognise again."""
    return StageTensor(StageMeta(name, **declared), np.full(size, value, np.float32))


def told_of(test, names, settings):
    """Return what a run says of a test whose stages all fail, as fields of its Pending."""
    return {
        "refused": None,
        "run": "run1",
        "obtained": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "result": {
            "verdict": "fail",
            "first_divergence": next(iter(names), None),
            "settings": [{"name": name, "expected": value} for name, value in settings.items()],
            "stages": [{"name": name, "deviation_db": 1.46} for name in names],
        },
        "report": f"stage {next(iter(names), '-')!r} is off by 1.46 dB, allowed 0.01 dB\n1 of 1 stages fail",
        "provenance": {"test": test, "commit": "abc"},
    }


class Review:
    """A project's folder, what waits in it, and the command line there."""

    def __init__(self, root, capsys):
        self.root = root
        self._capsys = capsys

    def golden(self, name=NAME, directory="golden"):
        return any_golden_path(self.root / directory, name)

    def write_golden(self, name=NAME, directory="golden", settings=None, **values):
        stages = [stage(key, value) for key, value in values.items()]
        write_golden(self.golden(name, directory), stages, settings=settings or {}, provenance={"test": TEST})

    def obtain(
        self,
        test=TEST,
        golden=None,
        base=None,
        *,
        removed=(),
        order=None,
        directory="golden",
        golden_dir=None,
        folder=None,
        path=None,
        texts=None,
        **fields,
    ):
        """Leave what a test obtained; stages are given as keywords `s_<name>=value` or in `values`.

        `settings` are all that the test declared; by default those of its golden.
        """
        values = fields.pop("values", {}) | {k[2:]: fields.pop(k) for k in list(fields) if k.startswith("s_")}
        golden = golden_name(test) if golden is None else golden
        base = golden if base is None else base
        held, held_settings = self._held(base, directory)
        settings = fields.setdefault("settings", held_settings)
        stages = [stage(name, value) for name, value in values.items()]
        changes = [self._change(one, held, texts or {}) for one in stages]
        changes += [Change(name, "removed", "removed", fingerprint(held[name])) for name in removed]
        changes += [self._setting_change(one, held_settings) for one in compare_settings(held_settings, settings)]
        pending = Pending(
            test=test,
            golden=golden,
            base=base,
            golden_dir=directory if golden_dir is None else golden_dir,
            order=tuple(order or values),
            changes=tuple(change for change in changes if change is not None),
            **{**told_of(test, values, held_settings), **fields},
        )
        folder = folder or self.root / ".audioparity" / "pending"
        path = path or golden_path(folder, golden_name(test))
        write_pending(path, pending, stages)
        return path

    def _held(self, base, directory):
        try:
            path = any_golden_path(self.root / directory, base)
        except ValueError:
            return {}, {}
        golden = Golden(path) if path.exists() else None
        return ({}, {}) if golden is None else ({one.meta.name: one for one in golden}, golden.settings)

    def _change(self, new, held, texts):
        old, name = held.get(new.meta.name), new.meta.name
        text = texts.get(name, "added" if old is None else "old -> new 1.46 dB")
        return Change(name, "added" if old is None else "changed", text, fingerprint(old))

    def _setting_change(self, one, held):
        if one.passed:
            return None
        kind = "changed" if " -> " in one.change else one.change.split()[0]
        return Change(one.name, kind, one.change, setting_fingerprint(held, one.name), is_setting=True)

    def settings(self, name=NAME):
        return Golden(self.golden(name)).settings

    def waiting(self):
        folder = self.root / ".audioparity" / "pending"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def values(self, name=NAME, directory="golden"):
        """Return the stages of a golden in their order, each as its one number."""
        return {one.meta.name: float(one.array[0]) for one in Golden(self.golden(name, directory))}

    def run(self, *arguments):
        """Run the command here; return its status and what it printed."""
        status = main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    def wrong(self, *arguments):
        """Run a command that is wrong use, and return the one line that says so."""
        status, out, err = self.run(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
        return err

    def json(self, *arguments):
        status, out, _ = self.run(*arguments, "--json")

        def refuse(constant):
            raise AssertionError(f"{constant} is no JSON")

        told = json.loads(out, parse_constant=refuse)
        assert told["schema"] == 1
        return status, told

    def start(self, *arguments, first="", **keywords):
        """Start the command in a process of its own, `first` some other code there."""
        code = f"{first}\n{COMMAND}"
        return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], cwd=self.root, **keywords)

    def apart(self, *arguments, **keywords):
        """Run the command in a process of its own, without a terminal."""
        pipe = subprocess.PIPE
        process = self.start(*arguments, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, **keywords)
        out, err = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def in_terminal(self, *arguments, answer):
        """Run the command in a terminal of its own, type an answer, and return its status and what was seen."""
        terminal, end = pty.openpty()
        own = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
        process = self.start(*arguments, first=own, stdin=end, stdout=end, stderr=end, start_new_session=True)
        os.close(end)
        seen, answered = b"", False
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            shown = select.poll()  # select() takes no descriptor above 1023, and a whole suite may have as many open
            shown.register(terminal, select.POLLIN)
            while shown.poll(60_000) and (data := os.read(terminal, 4096)):
                seen += data
                if not answered and b"[y/N]" in seen:
                    os.write(terminal, answer)
                    answered = True
        os.close(terminal)
        return process.wait(), seen.decode().replace("\r\n", "\n")


@pytest.fixture
def review(tmp_path, monkeypatch, capsys):
    root = tmp_path / "project"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(root)
    return Review(Path(root), capsys)
