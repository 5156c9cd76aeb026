"""The hooks that follow a test, registered when the first parity test is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_audioparity.phases import annotate, settle
from pytest_audioparity.session import arrange
from pytest_audioparity.trial import is_judged

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Check that no golden has two owners. Not earlier: --lf and --ff choose and sort after all other plugins."""
    arrange(session.config, session.items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Write the golden of a test that passed in every phase."""
    result = yield
    if is_judged(item):
        settle(item)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report carry what the summary will say, also from a pytest-xdist worker."""
    report = yield
    if is_judged(item):
        annotate(item, call, report)
    return report
