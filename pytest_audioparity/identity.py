"""Which tests are ours, and the id of a test as it is in every run: goldens and records are named after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

# The fixtures that record: stages, and what went through a codec.
FIXTURES = ("stages", "roundtrip")
_PLUGIN = "pytest_audioparity.plugin"


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


def records(item: pytest.Item) -> bool:
    """Whether a test takes a fixture that records, and that is ours: projects have fixtures and parameters of the name.

    A fixture of the project that takes ours under the same name, to wrap it, is ours.
    """
    taken = getattr(item, "fixturenames", ())
    return any(name in taken and _is_ours(item, name) for name in FIXTURES)


def _is_ours(item: pytest.Item, name: str) -> bool:
    known = getattr(item, "_fixtureinfo", None)
    definitions = () if known is None else known.name2fixturedefs.get(name, ())
    for definition in reversed(definitions):
        if getattr(definition.func, "__module__", None) == _PLUGIN:
            return True
        if name not in definition.argnames:
            return False
    return known is None
