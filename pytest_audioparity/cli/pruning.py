"""The command that deletes goldens which no test owns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.cli.terminal import FAILED, PASSED, ask, is_interactive, say, say_json
from pytest_audioparity.report.numbers import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.project import Project
    from pytest_audioparity.review.pruning import Prunable

_SCHEMA = 1


def prune(parsed: argparse.Namespace) -> int:
    """Delete what nobody owns."""
    from pytest_audioparity.checkout import changed_file
    from pytest_audioparity.project import find_project
    from pytest_audioparity.review.pruning import delete, find_prunable
    from pytest_audioparity.runs import read_run

    project = find_project(Path.cwd(), root=parsed.root, golden_dir=parsed.golden_dir)
    record = read_run(project.workspace.run_file)
    if not record.complete:
        return _say_partial(parsed, record.reasons)
    if (file := changed_file(record, project.root)) is not None:
        return _say_changed(parsed, file)
    prunable = find_prunable(record, project)
    if not parsed.json:
        say("\n".join(_prunable_lines(prunable, project)))
    if parsed.dry_run:
        return _pruned(parsed, prunable, project, [], dry=True)
    if (
        prunable.paths
        and is_interactive()
        and not (parsed.yes or parsed.json)
        and not ask(f"delete {counted(len(prunable.paths), 'file')}?")
    ):
        say("nothing was changed")
        return FAILED
    return _pruned(parsed, prunable, project, list(delete(prunable, project)), dry=not prunable.paths)


def _say_partial(parsed: argparse.Namespace, reasons: Sequence[str]) -> int:
    """Say why nothing is deleted: the run may not have seen every owner."""
    if parsed.json:
        say_json(_document(complete=False, reasons=reasons))
    else:
        say("nothing is deleted: the last run does not tell that it saw every test", error=True)
        for reason in reasons:
            say(f"  {reason}", error=True)
        say("run all tests, as in: pytest", error=True)
    return FAILED


def _say_changed(parsed: argparse.Namespace, file: str) -> int:
    """Say why nothing is deleted: a test that is there now may own what none owned when the run was made."""
    reason = f"tests changed since that run ({file}): run pytest again"
    if parsed.json:
        say_json(_document(complete=True, reasons=[reason]))
    else:
        say(f"nothing is deleted: {reason}", error=True)
    return FAILED


def _document(*, complete: bool, reasons: Sequence[str] = (), **lists: Sequence[str]) -> dict[str, object]:
    """Return the one form of the JSON document; `reasons` say why nothing was looked for."""
    empty: dict[str, Sequence[str]] = {"found": [], "deleted": [], "kept": [], "failed": []}
    return {"schema": _SCHEMA, "complete": complete, "reasons": list(reasons), **empty, **lists}


def _prunable_lines(prunable: Prunable, project: Project) -> Iterator[str]:
    for path, _ in prunable.orphans:
        yield f"orphan {_shown(path, project)}"
    for path in prunable.unfinished:
        yield f"left by a write that was killed {_shown(path, project)}"
    for path in prunable.pending:
        yield f"pending of a test that is gone {_shown(path, project)}"
    for text in prunable.kept:
        yield f"kept {text}"
    if not prunable.paths:
        yield "nothing to delete"


def _pruned(
    parsed: argparse.Namespace,
    prunable: Prunable,
    project: Project,
    results: Sequence[tuple[Path, str | None]],
    *,
    dry: bool,
) -> int:
    failed = [f"{_shown(path, project)}: {problem}" for path, problem in results if problem is not None]
    deleted = [_shown(path, project) for path, problem in results if problem is None]
    if parsed.json:
        found = [_shown(path, project) for path in prunable.paths]
        say_json(_document(complete=True, found=found, deleted=deleted, kept=list(prunable.kept), failed=failed))
    elif not dry:
        say(f"deleted {counted(len(deleted), 'file')}")
        for text in failed:
            say(f"not deleted {text}", error=True)
    return FAILED if failed else PASSED


def _shown(path: Path, project: Project) -> str:
    from pytest_audioparity.golden.names import shown_path

    return shown_path(path, project.root).as_posix()
