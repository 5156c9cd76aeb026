"""The node id of a test as it is in every run: goldens are named after it, and records of runs are compared by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def test_id(item: pytest.Item) -> str:
    """Return the node id of a test without the group that ``pytest-xdist --dist loadgroup`` appends to it.

    Newer versions of pytest hide that suffix; in the others, tests would have other goldens with that option.
    """
    if not item.config.getoption("loadgroup", False):
        return item.nodeid
    groups = {
        str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))
        for mark in item.iter_markers("xdist_group")
    }
    return item.nodeid.removesuffix(f"@{'_'.join(sorted(groups))}") if groups else item.nodeid
