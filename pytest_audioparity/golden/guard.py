"""Saving a golden must not undo what somebody else saved meanwhile: another run, or a checkout of another commit."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.atomic import folder_lock
from pytest_audioparity.golden.document import sorted_json
from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.tensorbytes import raw_bytes
from pytest_audioparity.tensorfile import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.records import StageTensor


class AlreadyThereError(Exception):
    """What was to be saved is what somebody else has saved already."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


@contextlib.contextmanager
def unchanged(
    path: Path,
    forms: Sequence[Path],
    *,
    since: Golden | None,
    stages: Sequence[StageTensor],
    settings: Mapping[str, Any],
    reopen: Callable[[], Golden],
) -> Iterator[None]:
    """Hold the folder of a golden while it is replaced, if it still is what it was; then remove its other form.

    Parameters
    ----------
    path : the golden, for messages
    forms : the file that is written, and then the one that it takes the place of in another form
    since : the golden as it was opened, or None if there was none
    stages, settings : what is to be saved
    reopen : opens what is there now

    Raises
    ------
    AlreadyThereError : that is there already
    GoldenError : something else was changed (`cause` changed), or the other form cannot be removed (unwritable)
    """
    new, old = forms
    with folder_lock(new.parent):
        if not _is_same_file(forms, since):
            _check_content(path, since if since is not None and since.path in forms else None, stages, settings, reopen)
        yield
        try:
            old.unlink(missing_ok=True)
        except OSError as error:
            problem = f"is saved as {new}, but {old} could not be removed: {error.strerror or error}; delete that"
            raise GoldenError(f"golden {path} {problem}", cause="unwritable") from None


def _is_same_file(forms: Sequence[Path], since: Golden | None) -> bool:
    """Whether the file that was opened is the only one there; or, if none was, whether there still is none."""
    there = [form for form in forms if _status(form) is not None]
    if since is None or since.path not in forms:
        return not there
    return there == [since.path] and _status(since.path) == since.identity


def _status(file: Path) -> tuple[int, ...] | None:
    try:
        return identity(file.stat())
    except OSError:
        return None


def _check_content(
    path: Path,
    since: Golden | None,
    stages: Sequence[StageTensor],
    settings: Mapping[str, Any],
    reopen: Callable[[], Golden],
) -> None:
    """Compare what is there now with what was there, and with what is to be saved."""
    changed = GoldenError(
        f"golden {path} was changed by someone else while this test ran; run it again", cause="changed"
    )
    try:
        now = reopen()
        found = content_of(now)
    except GoldenError as error:
        if error.cause == "missing" and since is None:  # what was in the way is no file, which the writing will say
            return
        raise changed from None
    if since is not None and found == content_of(since):
        return
    if found == _content(stages, settings):
        raise AlreadyThereError(now.size_bytes)
    raise changed


def content_of(golden: Golden) -> tuple[Any, ...]:
    """Return what counts of a golden, its provenance apart, to be compared with that of another; nothing is fetched."""
    described = [
        (stage.meta, stage.array.dtype.name, stage.array.shape, golden.hash_of(stage.meta.name))
        for stage in golden.outlines
    ]
    return described, json.dumps(golden.settings, sort_keys=True)


def _content(stages: Sequence[StageTensor], settings: Mapping[str, Any]) -> tuple[Any, ...]:
    described = [
        (stage.meta, stage.array.dtype.name, stage.array.shape, content_hash(raw_bytes(stage.array)))
        for stage in stages
    ]
    return described, json.dumps(sorted_json(settings))
