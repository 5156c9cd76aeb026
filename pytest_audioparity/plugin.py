"""pytest's side: hooks and fixtures, thin.

pytest imports this module on every start in an environment that has the package, so it imports nothing of ours at the
top but `options`; the rest is imported when the first parity test is met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.options import MARKERS, add_options

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_audioparity.stages import Stages

_MARKS = ("parity", "codec_roundtrip")
_CHANGE = pytest.StashKey[dict[str, Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our flags and ini options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks; refuse updates in CI."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if config.getoption("--update-golden"):
        from pytest_audioparity.session import refuse_in_ci

        refuse_in_ci(config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a wrong mark into a collection error that names the test."""
    report = yield
    if not report.passed:
        return report
    marked = [node for node in report.result if isinstance(node, pytest.Item) and _is_ours(node)]
    if not marked:
        return report
    from pytest_audioparity.session import problem_of

    problems = [problem for item in marked if (problem := problem_of(item)) is not None]
    if not problems:
        return report
    return pytest.CollectReport(report.nodeid, "failed", "\n".join(problems), [])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check that no golden has two owners; the fixture alone counts as the mark."""
    ours = [item for item in items if _is_ours(item)]
    if not ours:
        return
    from pytest_audioparity.session import arrange

    arrange(config, items)


@pytest.fixture
def stages(request: pytest.FixtureRequest) -> Stages:
    """Record the stages of a model; they are compared with the test's golden when the test ends."""
    from pytest_audioparity.session import stages_for

    return stages_for(request.node)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Judge the stages once the test function has returned."""
    if not _is_ours(item):
        return (yield)
    from pytest_audioparity.errors import AudioparityError
    from pytest_audioparity.session import as_failure, conclude

    try:
        yield
    except AudioparityError as error:
        raise as_failure(item, error) from None
    conclude(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Write the golden of a test that passed in every phase."""
    if not _is_ours(item):
        return (yield)
    from pytest_audioparity.errors import AudioparityError
    from pytest_audioparity.session import as_failure, forget, write_planned

    try:
        yield
        if (change := write_planned(item)) is not None:
            item.stash[_CHANGE] = change
    except AudioparityError as error:
        raise as_failure(item, error) from None
    finally:
        forget(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report carry what the summary will say, also from a pytest-xdist worker."""
    report = yield
    if report.passed and report.when in ("call", "teardown") and _is_ours(item):
        from pytest_audioparity.session import REPORT_KEY, is_planned

        if report.when == "call" and is_planned(item):
            setattr(report, REPORT_KEY, {"planned": True})
        elif report.when == "teardown" and _CHANGE in item.stash:
            setattr(report, REPORT_KEY, item.stash[_CHANGE])
            del item.stash[_CHANGE]
    return report


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
    """Show a test whose golden is being written as updated (U)."""
    if report.when == "call" and report.passed and "planned" in getattr(report, "audioparity", ()):
        return "updated", "U", "UPDATED"
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the goldens that were written."""
    if not config.getoption("--update-golden"):
        return
    from pytest_audioparity.session import summary_lines

    lines = summary_lines(report for reports in terminalreporter.stats.values() for report in reports)
    if lines:
        terminalreporter.section("goldens")
        for line in lines:
            terminalreporter.write_line(line)


def _is_ours(item: pytest.Item) -> bool:
    return "stages" in getattr(item, "fixturenames", ()) or any(item.get_closest_marker(name) for name in _MARKS)
