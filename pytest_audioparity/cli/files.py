"""The commands on files: compare, inspect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.cli.terminal import FAILED, PASSED, add_examples, say, say_json, told
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    import argparse

    from pytest_audioparity.comparison.hyperparameters import SettingResult
    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.records import StageTensor
    from pytest_audioparity.results import ParityResult


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `compare`."""
    parser.description = (
        "Compare the stages of two files, paired by name: .safetensors, .npz, .npy, .wav, .flac, "
        "raw numbers (.f32 ...) with a .json beside them, or folders of such files; "
        "of two goldens that both hold settings, these as well, exactly."
    )
    parser.add_argument("expected", metavar="EXPECTED", type=Path, help="the reference: a golden or any tensor file")
    parser.add_argument("actual", metavar="ACTUAL", type=Path, help="the file to judge")
    for flag, text in (
        ("--tol-db", "largest deviation in dB (default 0.01)"),
        ("--tol-peak-db", "largest deviation of one element in dB (default 100 times --tol-db)"),
        ("--min-snr-db", "smallest signal-to-error ratio in dB"),
        ("--atol", "every element: |actual - expected| <= atol + rtol*|expected|"),
        ("--rtol", "see --atol"),
        ("--min-match", "smallest share of equal codes, 0 to 1 (default 1)"),
        ("--min-stoi", "of stages declared as waveforms: smallest intelligibility, 0 to 1"),
        ("--min-estoi", "the same, extended intelligibility"),
        ("--min-pesq-wb", "the same, wide-band PESQ, 1 to 5"),
        ("--min-pesq-nb", "the same, narrow-band PESQ, 1 to 5"),
    ):
        parser.add_argument(flag, type=float, metavar="X", help=text)
    parser.add_argument("--words", metavar="kept|any", help="whether waveforms must keep their words (default kept)")
    parser.add_argument("--precision", metavar="P", help="fp32, fp16, bf16 or int8: presets of --tol-db")
    parser.add_argument("--dtype", metavar="same|any", help="whether dtypes must agree (default same)")
    parser.add_argument("--only", metavar="GLOB", action="append", help="compare only stages like this; repeatable")
    for flag, metavar, text in (
        ("--rename", "A=B", "ACTUAL's tensor A is EXPECTED's stage B; repeatable"),
        ("--axes", "GLOB=AXES", "axes of ACTUAL's stages, such as mel=BTC, where the file declares none; repeatable"),
    ):
        parser.add_argument(flag, metavar=metavar, action="append", default=[], help=text)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    add_examples(
        parser,
        "compare golden/tests/test_tts/test_tts.safetensors port.npz",
        "compare reference.npz port.npz --tol-db 0.1 --axes 'mel=BTC'",
        "compare torch.safetensors swift.safetensors --rename h=mel",
    )
    parser.set_defaults(run=_compare)


def add_inspect(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `inspect`."""
    parser.description = "Show the stages of a file: shape, dtype, range, declarations, provenance."
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    add_examples(
        parser,
        "inspect golden/tests/test_tts/test_tts.safetensors",
        "inspect dump.npz --json",
    )
    parser.set_defaults(run=_inspect)


def _compare(parsed: argparse.Namespace) -> int:
    result = _compared(parsed)
    if parsed.json:
        from pytest_audioparity.report.json import document

        say_json(document(result))
    else:
        from pytest_audioparity.report.terminal import render

        say(render(result))
    return PASSED if result.passed else FAILED


def _compared(parsed: argparse.Namespace) -> ParityResult:
    from pytest_audioparity.check import check_stage, result_of
    from pytest_audioparity.comparison.tolerances import SCORES, TOLERANCE_KEYWORDS, problem_with, unheard, unmatched
    from pytest_audioparity.spec import Spec

    given = {key: getattr(parsed, key, None) for key in TOLERANCE_KEYWORDS}
    keywords = {key: value for key, value in given.items() if value is not None}
    if (problem := problem_with(keywords)) is not None:
        raise StageError(problem)
    spec = Spec(layers=(keywords,), only=tuple(parsed.only) if parsed.only else None)
    expected, actual = _both_sides(parsed)
    if (problem := unmatched(parsed.only or (), {**expected, **actual})) is not None:
        raise StageError(f"--only {problem}")
    waveforms = [stage.meta.name for stage in (*expected.values(), *actual.values()) if stage.meta.kind == "waveform"]
    if (problem := unheard([("*", keyword) for keyword in SCORES if keyword in keywords], waveforms)) is not None:
        raise StageError(f"--{problem.replace('_', '-', 2).replace('=', '', 1)}")
    results = {
        name: check_stage(expected.get(name), actual.get(name), spec.tolerance(name), others=expected.values())
        for name in told([name for name in {**expected, **actual} if spec.covers(name)], "comparing")
    }
    settings, notes = _settings(parsed.expected, parsed.actual)
    return result_of(
        results,
        expected_order=expected,
        actual_order=actual,
        title=f"{parsed.expected} : {parsed.actual}",
        notes=notes,
        settings=settings,
    )


def _settings(expected: Path, actual: Path) -> tuple[tuple[SettingResult, ...], tuple[tuple[str, str], ...]]:
    """Compare the hyper-parameters of two files, or note that only one has any: a dump may have no way to tell them."""
    from pytest_audioparity.comparison.hyperparameters import compare_settings

    old, new = _held_settings(expected), _held_settings(actual)
    if old and new:
        return compare_settings(old, new), ()
    names = ", ".join(sorted({**old, **new}))
    return (), (("settings", f"{names}: not compared, {'actual' if old else 'expected'} has none"),) if names else ()


def _held_settings(path: Path) -> dict[str, Any]:
    from pytest_audioparity.comparison.hyperparameters import plain_settings

    golden = _golden(path)
    try:
        return {} if golden is None else plain_settings(golden.settings)
    except StageError as error:
        raise StageError(f"{path}: {error}") from None


def _golden(path: Path) -> Golden | None:
    """Open a file of the format of goldens once more, for what it says beside its stages; None for any other."""
    from pytest_audioparity.golden.file import Golden

    return Golden(path) if path.suffix.lower() == ".safetensors" else None


def _both_sides(parsed: argparse.Namespace) -> tuple[dict[str, StageTensor], dict[str, StageTensor]]:
    """Read both files. Two files of one tensor without a name, as .npy and .wav, pair whatever they are called."""
    from pytest_audioparity.adapters.dumps import NAMELESS, load

    rename = dict(_pair("--rename", text) for text in parsed.rename)
    expected = load(parsed.expected)
    if not rename and {path.suffix.lower() for path in (parsed.expected, parsed.actual)} <= set(NAMELESS):
        rename = {load(parsed.actual)[0].meta.name: expected[0].meta.name}
    actual = load(parsed.actual, rename, dict(_pair("--axes", text) for text in parsed.axes))
    return {stage.meta.name: stage for stage in expected}, {stage.meta.name: stage for stage in actual}


def _pair(flag: str, text: str) -> tuple[str, str]:
    left, equals, right = text.rpartition("=")
    if not (left and equals and right):
        raise StageError(f"{flag} {text!r} is not of the form A=B")
    return left, right


def _inspect(parsed: argparse.Namespace) -> int:
    from pytest_audioparity.adapters.dumps import load
    from pytest_audioparity.comparison.kinds import describe
    from pytest_audioparity.report.inspect import as_json, as_text

    stages = load(parsed.file)
    by_name = {stage.meta.name: stage for stage in stages}
    described = [(by_name[name].meta, describe(by_name[name].array)) for name in told(list(by_name), "reading")]
    golden = _golden(parsed.file)
    settings, provenance = ({}, {}) if golden is None else (golden.settings, golden.provenance)
    if parsed.json:
        say_json(as_json(described, settings, provenance))
    else:
        say(as_text(str(parsed.file), described, settings, provenance))
    return PASSED
