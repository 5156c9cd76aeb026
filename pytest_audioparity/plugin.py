"""pytest's side: hooks and fixtures, thin.

pytest imports this module on every start in an environment that has the package, so it imports nothing of ours at the
top but `options`; the rest is imported when the first parity test is met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_audioparity.options import MARKERS, add_options, is_configured

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_audioparity.stages import Stages

_MARKS = ("parity", "codec_roundtrip")
# Tells a test that asked for the fixture by request.getfixturevalue, which its list of fixtures does not show.
_RECORDS = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our flags and ini options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks; refuse updates in CI and wrong ini options while pytest can still say so in one line."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if config.getoption("--update-golden"):
        from pytest_audioparity.updates import refuse_in_ci

        refuse_in_ci(config)
    if is_configured(config):
        from pytest_audioparity.session import run_of

        run_of(config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a wrong mark into a collection error that names the test."""
    report = yield
    if not report.passed:
        return report
    marked = [node for node in report.result if isinstance(node, pytest.Item) and _is_ours(node)]
    if not marked:
        return report
    from pytest_audioparity.session import problems_of

    problems = problems_of(marked)
    if not problems:
        return report
    return pytest.CollectReport(report.nodeid, "failed", "\n".join(problems), [])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check that no golden has two owners; the fixture alone counts as the mark."""
    if any(map(_is_ours, items)):
        from pytest_audioparity.session import arrange

        arrange(config, items)


@pytest.fixture
def stages(request: pytest.FixtureRequest) -> Stages:
    """Record the stages of a model; they are compared with the test's golden when the test ends."""
    from pytest_audioparity.session import stages_for

    request.node.stash[_RECORDS] = True
    return stages_for(request.node)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge the stages once the test function has returned."""
    result = yield
    if _is_ours(item):
        from pytest_audioparity.session import conclude

        conclude(item)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Write the golden of a test that passed in every phase."""
    result = yield
    if _is_ours(item):
        from pytest_audioparity.session import settle

        settle(item)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report carry what the summary will say, also from a pytest-xdist worker."""
    report = yield
    if _is_ours(item):
        from pytest_audioparity.session import annotate

        annotate(item, call, report)
    return report


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
    """Show a test whose golden was written as updated (U), once its teardown has passed too."""
    ours = getattr(report, "audioparity", None)
    if not ours or not report.passed:
        return None
    return ("", "", "") if report.when == "call" else ("updated", "U", "UPDATED")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the goldens that were written."""
    if not config.getoption("--update-golden"):
        return
    from pytest_audioparity.updates import summary_lines

    lines = summary_lines(report for reports in terminalreporter.stats.values() for report in reports)
    if lines:
        terminalreporter.write_sep("=", "goldens")
        for line in lines:
            terminalreporter.write_line(line)


def _is_ours(item: pytest.Item) -> bool:
    if "stages" in getattr(item, "fixturenames", ()) or _RECORDS in item.stash:
        return True
    return any(item.get_closest_marker(name) is not None for name in _MARKS)
