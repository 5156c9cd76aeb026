"""What a terminal shows of a failure and of a run that is well, in every mode that pytest has for it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from pytest_audioparity.report.plain_text import cells

MODEL = """
X = np.random.default_rng(0).standard_normal((1, 12, 40)).astype(np.float32)
def test_ok(stages): stages["a"] = X
def test_bad(stages):
    x = stages.step("入力/テンソル", lambda: X)
    y = stages.step("encoder", lambda x: x * np.float32({gain}), x)
    z = stages.step("デコーダ出力", np.tanh, y)
    stages.step("decoder.layers.3.self_attn.out_proj", lambda z: z @ np.ones((40, 3), np.float32), z)
    stages["mel·é"] = z
"""
FIRST = "stage 'encoder' is off by 3.52 dB, allowed 0.01 dB"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def model(project, monkeypatch):
    """Write a project one of whose two tests fails in a stage between others with wide names."""
    for name in ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    project.change(MODEL.format(gain=1.0), MODEL.format(gain=1.5))
    return project


def section(lines, title):
    """Return the lines below a title of pytest's, to the next."""
    start = next(n for n, line in enumerate(lines) if re.fullmatch(f"=+ {title} =+", line))
    rest = lines[start + 1 :]
    return rest[: next(n for n, line in enumerate(rest) if line.startswith("==="))]


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_a_report_is_80_cells_wide_and_its_columns_stand_below_one_another(model, monkeypatch, columns):
    """Whatever the width of the terminal, also where names are of wide characters."""
    monkeypatch.setenv("COLUMNS", columns)
    report = section(model.run().outlines, "FAILURES")[1:]
    assert report[0] == FIRST
    assert max(map(cells, report)) <= 80
    rows = [line for line in report if re.search(r"(\d|-) +(ok|FAIL<?|inh\.)$", line)]
    assert len(rows) == 5
    assert {cells(re.sub(r"(ok|FAIL<?|inh\.)$", "", line)) for line in rows} == {75}
    assert max(map(cells, section(model.run().outlines, "goldens"))) <= 80


@pytest.mark.parametrize(
    ("environment", "flags", "is_coloured"),
    [
        ({}, [], False),
        ({}, ["--color=yes"], True),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"PY_COLORS": "1"}, [], True),
        ({"PY_COLORS": "1"}, ["--color=no"], False),
        ({"NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, [], False),
        ({"PY_COLORS": "0", "FORCE_COLOR": "1"}, [], False),
        ({"TERM": "dumb"}, [], False),
    ],
)
def test_colours_are_there_when_pytest_has_them(model, monkeypatch, environment, flags, is_coloured):
    """By its own switches; without the colours the text is the same."""
    plain = section(model.run().outlines, "FAILURES")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    text = model.run(*flags).stdout.str()
    assert ("\x1b[" in text) == is_coloured
    assert section(ESCAPE.sub("", text).splitlines(), "FAILURES") == plain
    assert (f"\x1b[31m\x1b[1m{FIRST}\x1b[0m" in text) == is_coloured


@pytest.mark.parametrize("flags", [(), ("-n1",)])
def test_the_first_divergence_stands_out(model, flags):
    """In bold red, its row and its title; what inherits it in yellow, what passes in green, from a worker too."""
    run = model.run_apart if flags else model.run
    lines = run("--color=yes", *flags).outlines
    bold, marked = "\x1b[31m\x1b[1m", [line for line in lines if "\x1b[" in line]
    assert any(line.startswith(f"{bold}encoder  ") and "FAIL<" in line for line in marked)
    assert f"{bold}encoder (first divergence)\x1b[0m" in marked
    assert sum(line.endswith("\x1b[33minh.\x1b[0m") for line in marked) == 2
    assert sum(line.endswith("\x1b[32mok\x1b[0m") for line in marked) == 1
    assert "\x1b[1maccept: pytest test_model.py::test_bad --update-golden\x1b[0m" in marked


@pytest.mark.parametrize("style", ["auto", "long", "short", "native", "no", "line"])
def test_styles_of_tracebacks(model, style):
    """The report is there once, or one line for each failure, or nothing; files for machines have it whole."""
    result = model.run(f"--tb={style}", "--junitxml=out.xml")
    titles = result.outlines.count("encoder (first divergence)")
    assert titles == (0 if style in ("no", "line") else 1)
    if style == "line":
        (line,) = section(result.outlines, "FAILURES")
        assert line.endswith(f"test_model.py:8: ParityError: {FIRST}")
    assert result.outlines[-2].startswith("FAILED test_model.py::test_bad - ParityError: stage 'encoder'")
    (failure,) = ET.parse(model.path / "out.xml").iter("failure")
    assert "encoder (first divergence)" in failure.text


def test_misuse_is_one_line_with_tb_line(project):
    """It says where, and says it once."""
    project.write("def test_model(stages):\n    stages['a'] = 'text'")
    lines = section(project.run("--tb=line").outlines, "FAILURES")
    assert [line.count("StageError") for line in lines] == [1]


def test_subsections_that_pytest_leaves_out_are_left_out(model):
    """--no-summary says what it is; -r decides on the lines of the short summary alone; -x stops as ever."""
    assert "goldens" not in model.run("--no-summary").stdout.str()
    assert "FAILED" not in model.run("-rN").stdout.str().replace("FAILURES", "")
    assert model.run("-x", "-s").parseoutcomes() == {"passed": 1, "failed": 1}
    header = model.run("--no-header").outlines
    assert "audioparity-" not in "\n".join(header)


@pytest.mark.parametrize(
    ("flags", "lines"),
    [(("-q",), [r"\.\. +\[100%\]", r"2 passed in .*"]), (("-qq",), [r"\.\. +\[100%\]"])],
)
def test_a_quiet_run_that_is_well_has_no_line_of_ours(model, flags, lines):
    """Just the dots."""
    model.write(MODEL.format(gain=1.0))
    seen = [line for line in model.run(*flags).outlines if line]
    assert len(seen) == len(lines)
    assert all(re.fullmatch(pattern, line) for pattern, line in zip(lines, seen, strict=True))


@pytest.mark.parametrize("flags", [(), ("-v",), ("-vv",)])
def test_a_run_that_is_well_is_as_long_as_one_without_parity_tests(model, flags):
    """Its output has not one line more."""
    model.write(MODEL.format(gain=1.0))
    ours = model.run(*flags).outlines
    model.write("def test_ok(): pass\ndef test_bad(): pass")
    assert len(ours) == len(model.run(*flags).outlines)


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"PYTHONIOENCODING": "ascii"}, (r"\u5165\u529b/", r"mel*\xe9")),
        ({"PYTHONIOENCODING": "cp1252"}, (r"\u5165\u529b/", "mel·é")),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, (r"\u5165\u529b/", r"mel*\xe9")),
        ({"PYTHONIOENCODING": "utf-8"}, ("入力/テンソル", "mel·é")),
    ],
)
def test_encodings_that_lack_characters(model, monkeypatch, environment, names):
    """The output goes to a file; every line is there, signs are spelt out and letters are their numbers."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "pytest", "-q", "test_model.py::test_bad"]
    with (model.path / "out.txt").open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, cwd=model.path)
    assert (done.returncode, done.stderr) == (1, b"")
    text = (model.path / "out.txt").read_bytes().decode(environment.get("PYTHONIOENCODING", "ascii"))
    assert FIRST in text
    assert "encoder (first divergence)" in text
    assert all(name in text for name in names)


SLOW = """
import pytest_audioparity.ticker as ticker
ticker._PATIENCE_S = ticker._PAUSE_S = 0
"""


def seen_in_terminal(path, *arguments):
    """Run pytest in a terminal of its own and return what was written there."""
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", *arguments]
    process = subprocess.Popen(
        command, cwd=path, stdin=end, stdout=end, stderr=end, env={**os.environ, "TERM": "xterm"}
    )
    os.close(end)
    seen = b""
    waiting = select.poll()  # `select` itself refuses descriptors from 1024 on, which a long run of tests may reach
    waiting.register(terminal)
    while waiting.poll(60_000):
        try:
            data = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        seen += data
    os.close(terminal)
    process.wait()
    return seen.decode()


def screen(text):
    """Return what is left on the screen: a line that is written over is gone."""
    rows = ESCAPE.sub("", text).replace("\r\n", "\n").split("\n")
    return [row.rpartition("\r")[2].rstrip() for row in rows]


def test_progress_is_seen_in_a_terminal_and_leaves_nothing(model):
    """While causes are looked for; without patience, so that a small test shows it."""
    (model.path / "conftest.py").write_text(SLOW)
    seen = seen_in_terminal(model.path)
    assert "why test_bad fails: encoder" in seen
    assert not [row for row in screen(seen) if "why test_bad" in row]
    assert FIRST in screen(seen)


def test_the_progress_of_a_page_leaves_nothing_either(model):
    (model.path / "conftest.py").write_text(SLOW)
    seen = seen_in_terminal(model.path, "--parity-report")
    assert "page of the run: 1 of 2" in seen
    assert not [row for row in screen(seen) if "why test_bad" in row or "page of the run" in row]
    assert FIRST in screen(seen)


@pytest.mark.parametrize("flags", [(), ("-n1",), ("-s",)])
def test_progress_is_not_seen_in_a_log(model, flags):
    """Neither in the output of CI nor in a file."""
    (model.path / "conftest.py").write_text(SLOW)
    text = model.run_apart("--parity-report", *flags).stdout.str()
    assert FIRST in text
    assert "why test_bad fails" not in text
    assert "page of the run:" not in text


def test_repetitions_are_told_in_a_terminal(model):
    """--parity-calibrate runs a test several times before it says anything."""
    model.write(MODEL.format(gain=1.0))
    (model.path / "conftest.py").write_text(SLOW)
    seen = seen_in_terminal(model.path, "--parity-calibrate=3", "-k", "test_ok")
    assert "test_model.py::test_ok: run 2 of 3" in seen
    assert not [row for row in screen(seen) if "run 2 of 3" in row]


@pytest.mark.parametrize("flag", ["--parity-mutants", "--parity-calibrate=1"])
def test_faults_are_told_in_a_terminal(model, flag):
    """Each is compared, of which there are hundreds."""
    model.write(MODEL.format(gain=1.0))
    (model.path / "conftest.py").write_text(SLOW)
    seen = seen_in_terminal(model.path, flag, "-k", "test_ok")
    assert "faults for test_model.py::test_ok: a" in seen
    assert not [row for row in screen(seen) if "faults for" in row]


def test_our_part_of_the_help_fits_80_columns(project, monkeypatch):
    """As the rest of pytest's help does."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = project.run("--help").outlines
    start = lines.index("audioparity: stages of audio models against goldens:")
    ours = lines[start : lines.index("", start)]
    assert any("--update-golden" in line for line in ours)
    assert max(map(len, ours)) <= 80
