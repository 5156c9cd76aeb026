"""docs/ci.md names every key of a run's record and every property of a JUnit file, and none that does not exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from markdown_it import MarkdownIt

from pytest_audioparity.api import compare
from pytest_audioparity.report.json import compact
from pytest_audioparity.report.properties import properties
from pytest_audioparity.runs import RunRecord, document

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
# Of a test only in some runs.
SOMETIMES = {"job", "removed", "mutants", "calibration"}


def tables():
    """Return what the first column of each table has in backticks, by the heading of that column."""
    found, heading = {}, None
    tokens = MarkdownIt("commonmark").enable("table").parse(PAGE.read_text(encoding="utf-8"))
    for before, row, token in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if before.type == "tr_open" and row.type == "th_open":
            heading = token.content
            found[heading] = set()
        elif before.type == "tr_open" and row.type == "td_open":
            found[heading].update(re.findall(r"`([^`]+)`", token.content))
    return found


def test_the_keys_of_a_record_are_documented():
    """Those that the document has, no more and no less."""
    assert tables()["key"] == set(document(RunRecord(id="x", started="")))


def test_the_keys_of_a_test_are_documented(project):
    """Those of a test that failed, in a run that was audited too."""
    project.write("def test_model(stages): stages['mel'] = np.arange(9.0)")
    project.run("--update-golden")
    project.run("--parity-mutants")
    (audited,) = json.loads((project.path / ".audioparity" / "run.json").read_text())["tests"]
    project.write("def test_model(stages): stages['mel'] = np.arange(9.0) * 2")
    project.run("--parity-calibrate=2")
    (failed,) = json.loads((project.path / ".audioparity" / "run.json").read_text())["tests"]
    assert set(audited) | set(failed) | SOMETIMES == tables()["key of a test"]
    assert not SOMETIMES & (set(audited) & set(failed))


def test_the_properties_are_documented():
    """Every one that a test can have."""
    x = np.arange(9.0)
    numbers = [compact(compare({"x": a}, {"x": a + 1}).stages[0]) for a in (x, x.astype(int))]
    more = {
        "first_divergence": "x",
        "second_jump": {"stage": "y"},
        "finding": {"code": "offset"},
        "verdict": "fail",
        "outcome": "failed",
    }
    names = set()
    for stage in numbers:
        stage |= {"own_deviation_db": 1.0, "audio": "garbled"}
        names |= {name for name, _ in properties({"stages": [stage], "golden": "x", **more})}
    told = {name.removeprefix("audioparity").lstrip(".") for name in tables()["property"]}
    assert {name.removeprefix("audioparity.") for name in names} == told
