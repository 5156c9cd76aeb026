"""The commands that move tensors of goldens to and from a store."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.cli.terminal import FAILED, PASSED, Progress, say, say_json
from pytest_audioparity.errors import AudioparityError, GoldenError
from pytest_audioparity.report.numbers import counted, size_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from pytest_audioparity.golden.transfer import Transfer
    from pytest_audioparity.project import Project

_SCHEMA = 1


def push(parsed: argparse.Namespace) -> int:
    """Upload what the store lacks."""
    from pytest_audioparity.golden import transfer

    return _move(parsed, transfer.push, "pushed")


def pull(parsed: argparse.Namespace) -> int:
    """Download what the cache lacks."""
    from pytest_audioparity.golden import transfer

    return _move(parsed, transfer.pull, "pulled")


def _move(parsed: argparse.Namespace, move: Callable[..., Transfer], past: str) -> int:
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.golden.store import shown_url
    from pytest_audioparity.golden.transfer import Transfer
    from pytest_audioparity.project import find_project

    project = find_project(Path.cwd(), root=parsed.root, golden_dir=parsed.golden_dir, store=parsed.store)
    if project.store is None:
        raise AudioparityError("there is no store: set the ini option audioparity_golden_store, or give --store URL")
    goldens = chosen(parsed.names, project)
    progress = Progress()
    try:
        done = move(goldens, Shelf(store=project.store, cache=project.cache), progress)
    except GoldenError as error:
        progress.end()
        if parsed.json:
            say_json(_document(Transfer(shown_url(project.store), 0, 0, 0, 0, 0), problem=str(error)))
        else:
            say(str(error), error=True)
        return FAILED
    progress.end()
    if parsed.json:
        say_json(_document(done))
        return PASSED
    tensors = f"{counted(done.moved, 'tensor')} ({size_text(done.moved_bytes)})"
    there = f", {done.present} ({size_text(done.present_bytes)}) were there already" if done.present else ""
    say(f"{past} {tensors} of {counted(done.goldens, 'golden')}{there}: {done.store}")
    return PASSED


def _document(done: Transfer, *, problem: str | None = None) -> dict[str, object]:
    return {"schema": _SCHEMA, **{key: getattr(done, key) for key in done.__dataclass_fields__}, "problem": problem}


def chosen(names: Sequence[str], project: Project) -> list[Path]:
    """Return the goldens that some names mean, those in it for a folder, all without a name.

    Raises
    ------
    AudioparityError : a name means none; the message has the nearest that means one
    """
    from pytest_audioparity.comparison.tolerances import nearest
    from pytest_audioparity.golden.names import SUFFIX, name_of, shown_path
    from pytest_audioparity.golden.shelf import find_goldens

    goldens = {path: name_of(path, project.golden_dir) for path in find_goldens(project.golden_dir)}
    chosen: dict[Path, None] = {}
    for name in names:
        keys = {
            path: {short, f"{short}{SUFFIX}", str(path), shown_path(path, project.root).as_posix()}
            for path, short in goldens.items()
        }
        meant = {name.rstrip("/"), os.path.normpath(Path.cwd() / name)} if name else set()
        found = [
            path
            for path, known in keys.items()
            if meant & known
            or any(fnmatchcase(key, name) or key.startswith(tuple(f"{one}/" for one in meant)) for key in known)
        ]
        if not found:
            near = nearest(name, goldens.values())
            raise AudioparityError(f"{name!r} matches no golden" + (f"; did you mean {near!r}?" if near else ""))
        chosen.update(dict.fromkeys(found))
    return list(chosen) if names else list(goldens)
