"""The section "goldens" at the end of the output: what was done, what waits, and nothing when all is well."""

from __future__ import annotations

import re

import pytest

from pytest_audioparity.runs import Orphan, RunRecord
from pytest_audioparity.summary import summary_lines

WORKERS = [(), ("-n2",)]
SOURCE = """
def test_a(stages): stages["mel"] = np.full(9, {value}); stages["wave"] = np.full(9, 1.0)
def test_b(stages): stages["mel"] = np.full(9, {value})
def test_c(stages): stages["mel"] = np.full(9, 1.0)
"""


@pytest.fixture
def model(project):
    """Write a project two of whose three goldens no longer pass."""
    project.change(SOURCE.format(value=1.0), SOURCE.format(value=2.0))
    return project


def section(project, *arguments):
    """Return the lines of the section, and the letters of the tests."""
    result = (project.run_apart if "-n2" in arguments else project.run)(*arguments)
    lines = result.outlines
    letters = "".join(sorted(match[1] for line in lines if (match := re.match(r"(?:\S+\.py )?([A-Za-z.]+) +\[", line))))
    start = next((number for number, line in enumerate(lines) if re.fullmatch("=+ goldens =+", line)), None)
    if start is None:
        return [], letters
    rest = lines[start + 1 :]
    return rest[: next(number for number, line in enumerate(rest) if line.startswith("="))], letters


@pytest.mark.parametrize("flags", WORKERS)
def test_what_was_created(project, flags):
    """A new golden is a line with its size and the number of its stages."""
    project.write("def test_a(stages): stages['mel'] = np.zeros(3000); stages['x'] = 1.0")
    lines, letters = section(project, "--update-golden", *flags)
    assert letters == "U"
    (line,) = lines
    assert re.fullmatch(r"created golden/test_model/test_a\.safetensors \(2\d\.\d kB, 2 stages\)", line)


@pytest.mark.parametrize("flags", WORKERS)
def test_what_was_updated(model, flags):
    """A golden that changed is a line with both sizes, and one for each of its stages that changed."""
    lines, letters = section(model, "--update-golden", *flags)
    assert sorted(letters) == sorted("UU.")
    assert [re.sub(r"\d\.\d kB", "S", line) for line in lines] == [
        "updated golden/test_model/test_a.safetensors (S -> S)",
        "  mel: old -> new 6.02 dB",
        "updated golden/test_model/test_b.safetensors (S -> S)",
        "  mel: old -> new 6.02 dB",
    ]


@pytest.mark.parametrize("flags", WORKERS)
def test_what_would_be_written(model, flags):
    """A plan lists the same, has a letter of its own and says that it fails the run."""
    model.golden("test_model/test_c").unlink()
    lines, letters = section(model, "--golden-plan", *flags)
    assert letters == "WWW"
    assert [line.partition(" (")[0] for line in lines if not line.startswith("  ")] == [
        "would update golden/test_model/test_a.safetensors",
        "would update golden/test_model/test_b.safetensors",
        "would create golden/test_model/test_c.safetensors",
        "3 goldens would be written",
        "3 tests left what they obtained; review: audioparity golden pending",
    ]


def test_a_plan_in_words(model):
    """Verbose output has a word for it, and the totals count it."""
    result = model.run("-v", "--golden-plan")
    result.stdout.fnmatch_lines(["*::test_a WOULD UPDATE*"])
    assert result.parseoutcomes() == {"planned": 2, "passed": 1}


@pytest.mark.parametrize("flags", WORKERS)
def test_what_waits_for_review_is_one_line(model, flags):
    """However many tests fail."""
    lines, _ = section(model, *flags)
    assert lines == ["2 tests left what they obtained; review: audioparity golden pending"]
    lines, _ = section(model, "-k", "test_b", *flags)
    assert lines == ["1 test left what it obtained; review: audioparity golden pending"]


@pytest.mark.parametrize("arguments", [(), ("-q",), ("-v",), ("-n2",), ("--update-golden",), ("--golden-plan",)])
def test_nothing_is_said_when_all_is_well(model, arguments):
    """Every golden passes: no section."""
    model.write(SOURCE.format(value=1.0))
    assert section(model, *arguments)[0] == []


@pytest.mark.parametrize("arguments", [("--no-summary",), ("-p", "no:terminal")])
def test_no_summary_is_no_section(model, arguments):
    """The section goes with the rest of the summary."""
    assert section(model, "--update-golden", *arguments)[0] == []


def test_a_refusal_is_said_where_an_update_was_asked_for(model):
    """It is news only then."""
    model.write("@pytest.mark.xfail\ndef test_a(stages): stages['mel'] = np.full(9, 2.0)")
    refused = "not updated: test_model.py::test_a: this test is expected to fail (xfail), so its output is no reference"
    assert refused not in section(model)[0]
    assert refused not in section(model, "--update-golden-missing")[0]
    assert refused in section(model, "--update-golden")[0]
    model.golden("test_model/test_a").unlink()
    assert refused in section(model, "--update-golden-missing")[0]


def record(*tests, **fields):
    return RunRecord(id="1", started="", broken=(), tests=tests, **fields)


def of_variant(test, deviation_db=0.4321):
    stage = None if deviation_db is None else "mel"
    variant = {"name": "cuda", "stage": stage, "deviation_db": deviation_db}
    return {"test": test, "golden": "test_x/a", "verdict": "pass", "outcome": "passed", "variant": variant}


def test_a_variant_is_said_with_its_distance():
    """A variant that drifts away from the golden of the others is seen."""
    tests = of_variant("t.py::a"), of_variant("t.py::b", None), of_variant("t.py::c", 0.0), of_variant("t.py::d", 4e-4)
    lines = summary_lines(record(*tests))
    assert lines == [
        "t.py::a uses golden/test_x/a@cuda.safetensors, 0.4321 dB ('mel') from the shared golden",
        "t.py::b uses golden/test_x/a@cuda.safetensors",
        "t.py::c uses golden/test_x/a@cuda.safetensors, 0 dB ('mel') from the shared golden",
        "t.py::d uses golden/test_x/a@cuda.safetensors, 4.0e-4 dB ('mel') from the shared golden",
    ]


def test_long_lists_that_are_no_news_are_cut():
    """Ten variants are shown, all with -v."""
    variants = record(*(of_variant(f"t.py::{number:02}") for number in range(12)))
    lines = summary_lines(variants)
    assert len(lines) == 11
    assert lines[-1] == "... and 2 more like these (-v shows all)"
    assert len(summary_lines(variants, show_all=True)) == 12


@pytest.mark.parametrize(
    ("golden_dir", "shown"), [("golden", "golden/a/b"), (".", "a/b"), ("/elsewhere/golden", "/elsewhere/golden/a/b")]
)
def test_orphans_are_shown_by_their_path(golden_dir, shown):
    """The path is what the user has on disk."""
    (line,) = summary_lines(record(golden_dir=golden_dir, orphans=(Orphan("a/b", ""),)))
    assert line == f"orphan {shown}.safetensors (no collected test owns it); delete with: audioparity golden prune"


def test_a_warning_is_said_once():
    """The same trouble of many tests is one line."""
    tests = ({"test": name, "golden": "x", "warning": "disk full"} for name in "ab")
    assert summary_lines(record(*tests), warnings=["no record"]) == ["warning: no record", "warning: disk full"]


def test_ports_of_a_golden_that_changes_are_not_called_refused(model):
    """They were not run, as pytest says itself."""
    port = "@parity(port=True, golden='test_model/test_a')\ndef test_port(stages): stages['mel'] = np.full(9, 2.0)"
    model.write(SOURCE.format(value=2.0) + port)
    lines, letters = section(model, "--update-golden")
    assert letters == "UU.s"
    assert not any(line.startswith("not updated") for line in lines)


def test_no_name_reaches_the_terminal_as_it_is():
    """Names and provenance come from files that others made; what the terminal would obey is written out."""
    evil = "x\x1b[2J\u202e\n"
    change = {"planned": False, "created": False, "golden": evil, "stages": [(evil, evil)]}
    change |= {"size_bytes": 1, "size_before": 1}
    tests = (
        {"test": evil, "golden": "x", "change": change, "warning": evil, "refused": evil},
        {"test": evil, "golden": evil, "variant": {"name": evil, "stage": evil, "deviation_db": 1.0}},
    )
    run = record(*tests, golden_dir=evil, orphans=(Orphan(evil, ""),))
    lines = summary_lines(run, asked=[evil], warnings=[evil])
    assert len(lines) == 6
    assert all(line.isprintable() and r"x\x1b[2J\u202e\n" in line for line in lines)
