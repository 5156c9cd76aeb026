"""pytest's side: hooks and fixtures, thin.

pytest imports this module on every start in an environment that has the package, so it imports nothing of ours at the
top but `options`, and has few hooks; the rest is imported and registered when the first parity test is met.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.options import MARKERS, add_options, is_configured

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_audioparity.audio.recognition import Recogniser
    from pytest_audioparity.recorder import Recorder
    from pytest_audioparity.roundtrip.fixture import Roundtrip
    from pytest_audioparity.stages import Stages

_MARKS = ("parity", "codec_roundtrip")
# As in identity, which is imported when a test may have one of them.
_FIXTURES = ("stages", "roundtrip")
_UPDATES = ("--update-golden", "--update-golden-missing", "--golden-plan", "--force-golden")
# Tells a test that asked for the fixture by request.getfixturevalue, which its list of fixtures does not show.
_RECORDS = pytest.StashKey[bool]()
# What became of the collection of every file, and of whatever else was skipped or failed, by node id. It is noted from
# the start, since the file with the first parity test need not be the first.
_OUTCOMES = pytest.StashKey[dict[str, set[str]]]()
# What was found in each, as pytest's own list: a test may turn out to be ours only when it runs.
_FOUND = pytest.StashKey[list[Any]]()
# When this process had not read any test file yet.
_BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our flags and ini options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks; refuse updates in CI and wrong ini options while pytest can still say so in one line."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    config.stash[_OUTCOMES], config.stash[_FOUND], config.stash[_BEGAN] = {}, [], time.time()
    if any(map(config.getoption, _UPDATES)):
        from pytest_audioparity.updates import refuse_in_ci

        refuse_in_ci(config)
        _record(config)
    if is_configured(config):
        from pytest_audioparity.session import run_of

        run_of(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Record the run in the process that starts the workers of pytest-xdist: it sees no test before it has run."""
    _record(node.config).share_run(node)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a wrong mark into a collection error that names the test."""
    report = yield
    report = _checked(collector, report)
    collector.config.stash[_FOUND].append(report.result or ())
    if isinstance(collector, pytest.File) or not report.passed:
        collector.config.stash[_OUTCOMES].setdefault(collector.nodeid, set()).add(report.outcome)
    return report


def _checked(collector: pytest.Collector, report: pytest.CollectReport) -> pytest.CollectReport:
    if not report.passed:
        return report
    marked = [node for node in report.result if isinstance(node, pytest.Item) and _is_ours(node)]
    if not marked:
        return report
    _judge(collector.config)
    from pytest_audioparity.session import problems_of

    problems = problems_of(marked)
    if not problems:
        _record(collector.config).collected.add(marked)
        return report
    return pytest.CollectReport(report.nodeid, "failed", "\n".join(problems), [])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Follow parity tests that other plugins added; the fixture alone counts as the mark."""
    if any(map(_is_ours, items)):
        _judge(config)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Record a run that met no parity test, where an earlier one did: those that are gone may have left goldens."""
    config = session.config
    if config.pluginmanager.has_plugin("audioparity-recorder") or hasattr(config, "workerinput"):
        return
    if (config.rootpath / ".audioparity" / "run.json").exists():
        _record(config).pytest_sessionfinish(session)


@pytest.fixture
def stages(request: pytest.FixtureRequest) -> Stages:
    """Record the stages of a model; all are compared with the test's golden when the test ends.
    stages["mel"] = mel                       the short form
    stages.record("mel", mel, kind="log_spectrum", unit="ln", axes="BCT")
    h = stages.step("encoder", encoder, x)    runs encoder(x), records the result
    with stages.torch(model): model(x)        all modules; also stages.mlx and stages.onnx
    stages.load("dump.safetensors")           what another program wrote; stages.run starts it
    The type to annotate with is pytest_audioparity.Stages. Write the golden with pytest --update-golden.
    """
    from pytest_audioparity.trial import stages_for

    _judge(request.config)
    request.node.stash[_RECORDS] = True
    return stages_for(request.node)


@pytest.fixture
def roundtrip(request: pytest.FixtureRequest) -> Generator[Roundtrip, None, None]:
    """Send speech through a codec and judge what comes back, when the test ends.
    roundtrip(encode=codec.encode, decode=codec.decode, sample_rate=24_000,
              decode_stream=codec.decode_chunks, fresh=make_codec)
    The type to annotate with is pytest_audioparity.Roundtrip; thresholds are keywords of the mark codec_roundtrip.
    """
    from pytest_audioparity.trial import roundtrip_for

    _judge(request.config)
    request.node.stash[_RECORDS] = True
    yield from roundtrip_for(request)


@pytest.fixture(scope="session")
def recogniser() -> Recogniser:
    """Recognise speech, for max_wer of a round trip: recogniser(samples, sample_rate) returns text.
    The default is pocketsphinx, which knows English. Override the fixture in conftest.py to bring your own; the type
    to annotate with is pytest_audioparity.Recogniser.
    """
    from pytest_audioparity.trial import default_recogniser_or_failure

    return default_recogniser_or_failure()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge the stages once the test function has returned.

    This hook cannot wait in `hooks`: a test may ask for the fixture when it is already running.
    """
    result = yield
    if _RECORDS in item.stash or _is_ours(item):
        from pytest_audioparity.phases import conclude

        conclude(item)
    return result


def _is_ours(item: pytest.Item) -> bool:
    if any(item.get_closest_marker(name) for name in _MARKS):
        return True
    if not any(name in getattr(item, "fixturenames", ()) for name in _FIXTURES):
        return False
    from pytest_audioparity.identity import records

    return records(item)


def _judge(config: pytest.Config) -> None:
    """Register the hooks that follow a test, which a project without parity tests does not pay for."""
    from pytest_audioparity import hooks

    if not config.pluginmanager.is_registered(hooks):
        config.pluginmanager.register(hooks, "audioparity-hooks")
        _record(config)
        if config.getoption("--parity-calibrate"):
            from pytest_audioparity import repeating

            config.pluginmanager.register(repeating, "audioparity-repeating")


def _record(config: pytest.Config) -> Recorder:
    """Register, unless it is, what records the run, and return it."""
    from pytest_audioparity.recorder import NAME, Recorder

    recorder: Recorder | None = config.pluginmanager.get_plugin(NAME)
    if recorder is None:
        recorder = Recorder(config, config.stash[_OUTCOMES], config.stash[_FOUND], config.stash[_BEGAN])
        config.pluginmanager.register(recorder, NAME)
        if os.environ.get("GITHUB_ACTIONS") == "true" and not hasattr(config, "workerinput"):
            from pytest_audioparity import announcer

            config.pluginmanager.register(announcer.Announcer(config, recorder), announcer.NAME)
    return recorder
