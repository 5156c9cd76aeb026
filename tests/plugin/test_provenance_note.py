"""A failure says when the golden was made with something else than what runs here."""

from __future__ import annotations

import json
import platform

import numpy as np
import pytest

from pytest_audioparity.golden.file import Golden, write_golden
from tests.plugin.sources import ONE


def made_with(project, **changes):
    """Give the golden another provenance."""
    golden = Golden(project.golden())
    stages = [type(stage)(stage.meta, np.array(stage.array)) for stage in golden]
    write_golden(project.golden(), stages, settings={}, provenance={**golden.provenance, **changes})


def note(project):
    """Return what a failing comparison says of the provenance, on one line."""
    project.write(ONE.format(value=2.0))
    lines = project.run().stdout.lines
    start = next((n for n, line in enumerate(lines) if line.startswith("golden made with:")), None)
    if start is None:
        return None
    end = next(n for n in range(start, len(lines)) if lines[n].startswith("accept:"))
    return " ".join(lines[start:end])


def test_nothing_is_said_when_nothing_differs(golden):
    """A golden made here needs no note."""
    assert note(golden) is None


def test_another_version_device_and_platform_are_named(golden):
    """Each with what it was and what it is here."""
    made_with(golden, packages={"numpy": "1.0", "torch": "2.2"}, platform="Darwin-arm64", device="Apple M3")
    here = f"{platform.system()}-{platform.machine()}"
    assert note(golden) == (
        f"golden made with: numpy 1.0 (here {np.__version__}), Darwin-arm64 (here {here}), device Apple M3 (here cpu)"
    )


@pytest.mark.parametrize(
    "odd", [{"packages": 3}, {"packages": {"numpy": None}}, {"platform": ["\x1b[2J"]}, {"device": 1}]
)
def test_whatever_a_foreign_golden_says_is_shown_or_ignored(golden, odd):
    """No traceback, no control characters."""
    made_with(golden, **odd)
    assert "\x1b" not in (note(golden) or "")


def test_a_passing_test_says_nothing(golden):
    """Provenance is no part of the verdict."""
    made_with(golden, packages={"numpy": "1.0"})
    result = golden.run()
    assert result.parseoutcomes() == {"passed": 1}
    result.stdout.no_fnmatch_line("*made with*")


def test_the_difference_is_in_the_pending_document(golden):
    """For tools that read JSON."""
    made_with(golden, packages={"numpy": "1.0"})
    note(golden)
    from pytest_audioparity.golden.pending import read_pending

    pending, _ = read_pending(golden.pending())
    assert "numpy 1.0" in json.dumps(pending.result["notes"])
