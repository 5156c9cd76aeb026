"""The command `score`: two audio files, or two folders paired by file name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.cli.terminal import FAILED, PASSED, Progress, add_examples, say_json, say_wrapped
from pytest_audioparity.cli.words import (
    add_words,
    refuse_words,
    words_document,
    words_line,
    words_lines,
    words_of_files,
    words_of_folders,
    words_pass,
)
from pytest_audioparity.errors import AudioparityError, StageError
from pytest_audioparity.report.plain_text import cells, padded

if TYPE_CHECKING:
    import argparse

    from pytest_audioparity.audio import Item

_SCHEMA = 1
# As in audio.records, which loads numpy with its package.
_ACCEPTABLE = ("garbled", "wrong_content", "misaligned", "clipped", "degraded", "level_changed", "ok")


def add_score(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `score`."""
    parser.description = (
        "Say whether audio is still speech: intelligibility, quality, alignment, level, and a verdict. "
        "Folders are scored on all cores, and nothing twice: scores are kept."
    )
    parser.add_argument("reference", metavar="REF", type=Path, help="an audio file, or a folder of them")
    parser.add_argument("estimate", metavar="EST", type=Path, help="the file or folder to judge, paired by file name")
    parser.add_argument(
        "--accept",
        metavar="VERDICT",
        type=lambda text: text.replace(" ", "_"),
        choices=_ACCEPTABLE,
        default="ok",
        help="the worst verdict that passes (default ok)",
    )
    parser.add_argument("--no-pesq", action="store_true", help="leave out PESQ, which takes the most time")
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="score anew what was scored before, and keep nothing (scores are kept in .audioparity/cache/scores)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    add_words(parser)
    add_examples(
        parser,
        "score reference.wav decoded.wav",
        "score references/ decoded/ --accept degraded --json",
        "score reference.wav decoded.wav --asr --transcript 'hello world'",
    )
    parser.set_defaults(run=_score)


def _score(parsed: argparse.Namespace) -> int:
    for path in (parsed.reference, parsed.estimate):
        if not path.exists():
            raise StageError(f"{path} does not exist")
    if parsed.reference.is_dir() != parsed.estimate.is_dir():
        raise StageError("give two files or two folders")
    refuse_words(parsed)
    return _folders(parsed) if parsed.reference.is_dir() else _files(parsed)


def _files(parsed: argparse.Namespace) -> int:
    from pytest_audioparity.audio.files import score_files
    from pytest_audioparity.audio.report import document, render
    from pytest_audioparity.report.json import plain

    result = score_files(parsed.reference, parsed.estimate, pesq=not parsed.no_pesq, cache=_cache(parsed))
    words = words_of_files(parsed)
    if parsed.json:
        say_json({"schema": _SCHEMA, **plain(document(result)), **words_document(words)})
    else:
        say_wrapped(render(result, f"{parsed.estimate}") + words_line(words))
    return PASSED if result.is_at_least(parsed.accept) and words_pass([words], parsed.max_wer) else FAILED


def _folders(parsed: argparse.Namespace) -> int:
    from pytest_audioparity.audio.files import score_folders

    progress = Progress()
    try:
        scored = score_folders(
            parsed.reference,
            parsed.estimate,
            pesq=not parsed.no_pesq,
            done=progress.counted,
            cache=_cache(parsed),
        )
    finally:
        progress.end()
    items = list(scored.values())
    words = words_of_folders(parsed, [item.name for item in items if item.result is not None])
    passed = [item.result is not None and item.result.is_at_least(parsed.accept) for item in items]
    summary = _summary(items, sum(passed))
    if parsed.json:
        say_json(
            {
                "schema": _SCHEMA,
                "items": [
                    {"name": file, **_document(item), **words_document(words.get(item.name))}
                    for file, item in scored.items()
                ],
                "summary": summary,
            }
        )
    else:
        say_wrapped("\n".join([*_table(items), "", *words_lines(words), _total(summary)]))
    return PASSED if all(passed) and words_pass(words.values(), parsed.max_wer) else FAILED


def _cache(parsed: argparse.Namespace) -> Path | None:
    """Return the folder of scores of the project, or None: not wanted, or not to be had (scoring needs no project)."""
    from pytest_audioparity.project import find_project

    if parsed.no_cache:
        return None
    try:
        workspace = find_project(Path.cwd()).workspace
        workspace.ensure()
    except (AudioparityError, OSError):
        return None
    return workspace.scores


def _verdict(item: Item) -> str:
    return "not_measured" if item.result is None else item.result.verdict


def _document(item: Item) -> dict[str, Any]:
    from pytest_audioparity.audio.report import document
    from pytest_audioparity.report.json import plain

    if item.result is None:
        return {"verdict": _verdict(item), "problem": item.problem}
    return {**plain(document(item.result))}


def _summary(items: list[Item], passed: int) -> dict[str, Any]:
    """Count verdicts, and average the numbers over the items that have them."""
    import math

    values: dict[str, list[float]] = {}
    for item in items:
        for name, measure in item.result.measures.items() if item.result else ():
            if measure.value is not None and math.isfinite(measure.value):
                values.setdefault(name, []).append(measure.value)
    means = {name: sum(some) / len(some) for name, some in values.items()}
    verdicts = dict(Counter(_verdict(item) for item in items).most_common())
    return {"items": len(items), "passed": passed, "verdicts": verdicts, "means": means}


def _table(items: list[Item]) -> list[str]:
    width = min(40, max(cells(item.name) for item in items))
    lines = [f"{'':<{width}}  estoi  pesq_wb  level dB  verdict"]
    for item in items:
        if item.result is None:
            lines.append(f"{padded(item.name, width)}  {item.problem}")
            continue
        numbers = (item.result.estoi, item.result.pesq_wb, item.result.level_db)
        texts = ("-" if value is None else f"{value:.2f}" for value in numbers)
        row = "{:>5}  {:>7}  {:>8}".format(*texts)
        told = item.result.findings[0].message if item.result.findings else ""
        lines.append(
            f"{padded(item.name, width)}  {row}  {item.result.verdict.replace('_', ' ')}{': ' if told else ''}{told}"
        )
    return lines


def _total(summary: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in summary["verdicts"].items())
    return f"{summary['passed']} of {summary['items']} pass: {verdicts}"
