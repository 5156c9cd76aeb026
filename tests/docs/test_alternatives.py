"""The table against the alternatives says what came of running them, each on the same stages with the same faults."""

from __future__ import annotations

import importlib.metadata
import re
import sys

import pytest

from tests.docs.alternatives.trials import PEERS, TOOLS, Trial, try_tool
from tests.docs.blocks import ROOT

PAGE = ROOT / "docs" / "alternatives.md"
SIGNS = {True: "yes", False: "no", None: "–"}


def names_first(trial: Trial) -> bool:
    """Whether the report of the chain names the stage with the fault, and before what follows from it."""
    said = "\n".join(line for line in trial.said["chain"].splitlines() if not re.search(r"z_in|PASSED", line))
    found = re.search(r"y_mid|a_out", said)
    return found is not None and found[0] == "y_mid"


def is_stable(trial: Trial) -> bool | None:
    """Whether the package says so in its own metadata; None where it says nothing."""
    package = {"assert_allclose": "numpy"}.get(trial.tool, trial.tool)
    found = importlib.metadata.metadata(package).get_all("Classifier") or ()
    status = [line for line in found if line.startswith("Development Status")]
    return any("5 -" in line or "6 -" in line for line in status) if status else None


# What is claimed -> what it is read from.
ROWS = {
    "names the first stage that diverged": names_first,
    "names the cause: a gain of 1.5": lambda t: re.search(r"1\.5 \* expected", t.said["chain"]) is not None,
    "a stage at 1e-9 that doubled fails": lambda t: t.fails("quiet"),
    "NaN on both sides fails": lambda t: t.fails("nan"),
    "float32 in place of float64 fails": lambda t: t.fails("dtype"),
    "missing, extra and renamed stages fail": lambda t: t.fails("missing", "extra", "renamed"),
    "one wrong number among 5000 fails": lambda t: t.fails("large"),
    "says that speech lost its words": lambda t: "words are lost" in t.said.get("words", ""),
    "a difference in the last bit of float32 passes": lambda t: t.passes("rounding"),
    "parameters of one test are kept apart": lambda t: t.passes("parameters[1]", "parameters[2]"),
    "an update spares a test that failed before its comparison": lambda t: t.keeps("early"),
    "an update spares a test that failed after it": lambda t: t.keeps("late"),
    "stores text and lists": lambda t: t.passes("text"),
    "declares itself stable": is_stable,
}

# What the page says that others have and we have not: the package, and the class or function.
ELSEWHERE = (
    ("pytest_regressions", "NumericRegressionFixture"),
    ("pytest_regressions", "DataFrameRegressionFixture"),
    ("pytest_regressions", "ImageRegressionFixture"),
    ("pytest_torch", "localize_divergence"),
    ("pytest_torch", "assert_batch_invariant"),
    ("polygraphy", "TrtRunner"),
    ("polygraphy/tools/debug", "Reduce"),
)


def table():
    """Return the page's table: tool -> claim -> cell, notes left out."""
    lines = [line for line in PAGE.read_text().partition("## In one table")[2].splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip().strip("*`") for cell in line.strip("|").split("|")] for line in lines)
    return {tool: {row[0]: row[place].rstrip("¹²³ ") for row in rows} for place, tool in enumerate(head) if place}


def test_the_table_has_these_tools_and_these_claims():
    """No column and no row of the page goes unchecked."""
    assert list(table()) == list(TOOLS)
    assert [list(column) for column in table().values()] == [list(ROWS)] * len(TOOLS)


@pytest.mark.parametrize("tool", TOOLS)
def test_the_column_of_a_tool_says_what_it_does(needs, tool, tmp_path, monkeypatch):
    """Every cell is what came of the run, of our own column too."""
    needs(TOOLS[tool].needs)
    if TOOLS[tool].package is not None:
        needs(TOOLS[tool].package)
    monkeypatch.setattr(sys, "path", [*sys.path, str(PEERS)])
    trial = try_tool(tool, tmp_path)
    assert {claim: SIGNS[found(trial)] for claim, found in ROWS.items()} == table()[tool]


@pytest.mark.parametrize(("package", "name"), ELSEWHERE)
def test_others_have_what_the_page_says(needs, package, name):
    """Where the page calls others better, the thing exists. It is read, not imported: those plugins load themselves."""
    needs(package)
    sources = (path.read_text() for path in (PEERS / package).rglob("*.py"))
    assert any(re.search(rf"^(class|def) {name}\b", source, re.MULTILINE) for source in sources)
