"""What was obtained and waits for a decision: what a failing test leaves, to be looked at, accepted or rejected.

One file per test, a golden of format 1 whose stages are those that differ, and whose settings are all that the test
declared, so that every reader of goldens reads it; a second entry of its metadata says which golden it would change
and how, and what the report said.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import AudioparityError, GoldenError
from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.golden.names import SUFFIX
from pytest_audioparity.golden.revision import fingerprint, setting_fingerprint
from pytest_audioparity.tensorfile import parse_json

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from pytest_audioparity.records import StageTensor

SCHEMA = 1
METADATA_KEY = "audioparity_pending"
ADDED, CHANGED, REMOVED = "added", "changed", "removed"
# Why what a port obtained cannot be accepted.
IS_PORT = "this test is a port and never writes a golden"
_WAY_OUT = dict.fromkeys(
    ("damaged", "altered", "lfs_pointer", "link", "newer_format", "missing"), "run the test again, or delete the file"
)


@dataclass(frozen=True, slots=True)
class Change:
    """One stage or hyper-parameter of a golden that accepting would change.

    Attributes
    ----------
    name : the stage or hyper-parameter
    change : added, changed or removed
    text : how, in one phrase, such as ``old -> new 1.46 dB``
    was : `state_of` the golden it was compared with; what is something else by now is not overwritten
    is_setting : whether it is a hyper-parameter
    """

    name: str
    change: str
    text: str
    was: str | None
    is_setting: bool = False

    @property
    def has_tensor(self) -> bool:
        """Whether a pending file holds a tensor for it."""
        return not (self.is_setting or self.change == REMOVED)

    @property
    def label(self) -> str:
        """What it is called in a list of changes."""
        return f"setting {self.name}" if self.is_setting else self.name

    @property
    def subject(self) -> str:
        """What it is called in a sentence."""
        return f"{'setting' if self.is_setting else 'stage'} {self.name!r}"


@dataclass(frozen=True, slots=True)
class Pending:
    """What one test obtained where its golden has something else, or nothing.

    Attributes
    ----------
    test : node id
    golden : the golden that accepting writes: a name below the golden directory, with its variant
    base : the golden it was compared with, which is another one when a variant is to be made
    golden_dir : the golden directory of that run, relative to the root directory where it lies below it
    refused : why it cannot be accepted, or None
    forcible : whether it can be accepted all the same, by force and with a reason
    run : id of the run that left it
    obtained : time in UTC, ISO 8601
    order : the stages that the test recorded, in data-flow order
    changes : what accepting would change
    result : the result as a JSON document (see `report.json`)
    report : the result as it was shown
    settings, provenance : as in a golden
    """

    test: str
    golden: str
    base: str
    golden_dir: str
    refused: str | None
    run: str
    obtained: str
    order: tuple[str, ...]
    changes: tuple[Change, ...]
    result: Mapping[str, Any]
    report: str
    forcible: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def without(self, decided: Container[Change]) -> Pending:
        """Return what is left when some changes are decided."""
        return replace(self, changes=tuple(change for change in self.changes if change not in decided))


def state_of(golden: Golden | None, change: Change) -> str | None:
    """Return the fingerprint of what a golden has where a change is to be made, or None where it has nothing.

    That of a pending file, which is a golden too, is what accepting makes of it.

    Raises
    ------
    GoldenError : the stage was altered
    """
    if golden is None:
        return None
    if change.is_setting:
        return setting_fingerprint(golden.settings, change.name)
    return fingerprint(golden.read(change.name)) if change.name in golden else None


def stages_left(pending: Pending, obtained: Golden) -> list[StageTensor]:
    """Return the stages of a pending file that its changes still need."""
    return [obtained.read(change.name) for change in pending.changes if change.has_tensor]


def write_pending(path: Path, pending: Pending, stages: Sequence[StageTensor]) -> None:
    """Write a pending file, atomically.

    Parameters
    ----------
    path : `golden_path` below the folder of pending files, by `golden_name` of the node id
    pending : what is said of the stages
    stages : those that are added or changed

    Raises
    ------
    GoldenError : the file system refused
    """
    said = {key: value for key, value in asdict(pending).items() if key not in ("settings", "provenance")}
    text = json.dumps({"schema": SCHEMA, **said}, ensure_ascii=False, allow_nan=False)
    write_golden(
        path, stages, settings=pending.settings, provenance=pending.provenance, more={METADATA_KEY: text}, durable=False
    )


def read_pending(path: Path) -> tuple[Pending, Golden]:
    """Read a pending file: what is said of its stages, and the stages.

    Raises
    ------
    GoldenError : see its `cause`
    """
    obtained = Golden(path, way_out=_WAY_OUT)
    try:
        said = parse_json(obtained.metadata[METADATA_KEY])
        schema = said.pop("schema")
        if schema != SCHEMA:
            raise AudioparityError(f"it has schema {schema}, this version reads {SCHEMA}")
        changes = tuple(Change(**change) for change in said.pop("changes"))
        said["order"] = tuple(said["order"])
        pending = Pending(**said, changes=changes, settings=obtained.settings, provenance=obtained.provenance)
        _check(pending, obtained)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        problem = f"{path} is no pending file that can be used: {error or type(error).__name__}; {_WAY_OUT['damaged']}"
        raise GoldenError(problem, cause="damaged") from None
    return pending, obtained


def _check(pending: Pending, obtained: Golden) -> None:
    """Refuse a file whose parts do not fit; it may come from another machine."""
    texts = (pending.test, pending.golden_dir, pending.run, pending.obtained, pending.report)
    names = [(change.is_setting, change.name) for change in pending.changes]
    kept = [change.name for change in pending.changes if change.has_tensor]
    if not all(isinstance(text, str) for text in (*texts, *pending.order, *(name for _, name in names))):
        raise AudioparityError("a text is none")
    fields = ((pending.refused, str | None), (pending.forcible, bool), (pending.result, dict))
    if not all(isinstance(value, kind) for value, kind in fields):
        raise AudioparityError("a field has another type")
    if any(change.change not in (ADDED, CHANGED, REMOVED) for change in pending.changes):
        raise AudioparityError("a change is of an unknown kind")
    if len(set(names)) != len(names) or sorted(kept) != sorted(stage.name for stage in obtained.stages):
        raise AudioparityError("it lists other stages than it holds")
    if any((c.name in pending.settings) == (c.change == REMOVED) for c in pending.changes if c.is_setting):
        raise AudioparityError("it lists other settings than it holds")


def find_pending(folder: Path) -> list[Path]:
    """Return whatever bears the name of a pending file below a folder, in the order of the names.

    A folder of such a name is among them: whoever reads it says that it is no golden.

    Raises
    ------
    OSError : the file system refused
    """
    found = []
    for parent, folders, files in os.walk(folder, onerror=_unless_gone):
        named = (name for name in folders + files if name.endswith(SUFFIX) and not name.startswith("."))
        found += [Path(parent, name) for name in named]
    return sorted(found)


def _unless_gone(error: OSError) -> None:
    """Raise what a folder says that cannot be listed, but for one that went meanwhile: what was in it is decided."""
    if not isinstance(error, FileNotFoundError):
        raise error


def remove_pending(folder: Path, path: Path) -> None:
    """Delete a pending file, if there is one, and the folders that it leaves empty.

    Raises
    ------
    OSError : the file system refused
    """
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for parent in path.parents:
            if parent == folder or folder not in parent.parents:
                break
            parent.rmdir()
