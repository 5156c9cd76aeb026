"""The pictures of docs/report.md: they are there, small enough for a repository."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SHOWN = re.findall(r"pictures/report/[\w-]+\.png", (DOCS / "report.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_there_and_small(name):
    """Each is a PNG of less than 150 kB, and wide enough to be read."""
    data = (DOCS / name).read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) < 150_000
    assert struct.unpack(">I", data[16:20])[0] >= 720


def test_every_picture_is_shown():
    """None is left over from another version of the page."""
    assert sorted(SHOWN) == sorted(
        f"pictures/report/{path.name}" for path in (DOCS / "pictures" / "report").glob("*.png")
    )
    assert len(SHOWN) == 4
