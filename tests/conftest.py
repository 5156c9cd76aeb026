"""What the whole suite shares: a clean environment, and an account of every skip.

A skipped test that nobody sees is a defect. Tests that need an optional runtime call ``needs("torch")``; what that left
out is said in one line at the end, and where everything is installed (``--no-skips``, as CI runs it) any skip fails
the run.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path

import hypothesis
import pytest

# Seconds of a machine that does other things too say nothing about a test; and what lines only failing examples run is
# not worth the minutes that it takes to find out.
hypothesis.settings.register_profile(
    "busy",
    deadline=None,
    # The same examples each time: a change fails for what it changes. Other examples are those of "thorough".
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
)
# 20 times as many examples, others each time, after a change of the kernel: make properties
hypothesis.settings.register_profile(
    "thorough", hypothesis.settings.get_profile("busy"), max_examples=2000, derandomize=False
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "busy"))

HOW = {"torch": "make test TORCH=1", "moshi": "make test TORCH=1", "moshi_mlx": "make test", "rustymimi": "make test"}
HOW |= dict.fromkeys(("resemblyzer", "silero_vad", "hibari"), "make test")
HOW |= dict.fromkeys(("pytest_regressions", "syrupy", "pytest_torch", "polygraphy"), "make test")
HOW |= dict.fromkeys(("mypy", "basedpyright"), "make test")
HOW |= {"mkdocs": "make test", "nox": "make lint"}
HOW["chromium"] = "apt-get install chromium"
# What whole files of tests import.
OPTIONAL = ("fsspec", "lameenc", "lc3", "markdown_it", "mlx", "onnx", "onnxruntime", "torch", "yaml")
_LEFT_OUT = "left out for lack of "
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail when a test is skipped")


def pytest_configure(config: pytest.Config) -> None:
    # Our tests update goldens of their own, also in fixtures of a whole session; whether CI allows that is tested where
    # it matters. And what they let fail is nothing for the summary of a real job.
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        os.environ.pop(name, None)
    # Programs that tests start read what is compiled and write nothing: their sources are rewritten within a second,
    # which the time in a .pyc does not tell apart. Whoever runs the tests compiles the package for all of them.
    if not config.getoption("numprocesses", None):
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    """Skip a file that imports an optional package which is not installed, as `needs` skips a test."""
    report = yield
    missing = _MISSING.findall(str(report.longrepr)) if report.failed else ()
    if missing and missing[-1] in OPTIONAL and importlib.util.find_spec(missing[-1]) is None:
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: {_LEFT_OUT}{missing[-1]}")
    return report


@pytest.fixture(scope="session")
def needs():
    """Skip a test whose optional package is not installed, so that the summary can say what was left out."""

    def check(package: str) -> None:
        beside = Path(sys.prefix) / "peers" / package  # alternatives, of which some are plugins that load themselves
        if importlib.util.find_spec(package) is None and not beside.exists():
            pytest.skip(f"{_LEFT_OUT}{package}")

    return check


@pytest.fixture(scope="session")
def needs_program():
    """Return where a program lies that goes by one of some names, or skip as `needs` does, with the first of them."""

    def find(*names: str) -> str:
        found = next(filter(None, map(shutil.which, names)), None)
        return found or pytest.skip(f"{_LEFT_OUT}{names[0]}")

    return find


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()) if report.longrepr]
    for package in sorted({r.partition(_LEFT_OUT)[2] for r in reasons if _LEFT_OUT in r}):
        count = sum(reason.endswith(_LEFT_OUT + package) for reason in reasons)
        how = HOW.get(package, f"pip install {package}")
        terminalreporter.write_line(f"{count} tests {_LEFT_OUT}{package}; to run them: {how}")
    if any("tests/docs/test_pages.py" in report.nodeid for report in terminalreporter.stats.get("passed", ())):
        from tests.docs.blocks import not_run

        terminalreporter.write_line(not_run())
    if terminalreporter.config.getoption("--no-skips") and reasons:
        terminalreporter.write_line(f"--no-skips: {len(reasons)} tests were skipped, which fails this run", red=True)
