"""The command that writes a golden's inputs for programs of other languages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.cli.store import chosen
from pytest_audioparity.cli.terminal import PASSED, add_examples, say, say_json
from pytest_audioparity.errors import StageError
from pytest_audioparity.report.numbers import counted, size_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_audioparity.project import Project
    from pytest_audioparity.records import StageTensor

_SCHEMA = 1
_FORMATS = ("safetensors", "npz", "f32")


def add_export(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `export`."""
    parser.description = (
        "Write the inputs of goldens, noise included, so that a port in any language can be given the same numbers: "
        "what tests recorded with stages.input, or what --stage names; all stages of a golden that marks no inputs."
    )
    parser.add_argument("names", metavar="NAME", nargs="+", help="a golden's name or path, a folder of them, or a glob")
    parser.add_argument("--stage", metavar="GLOB", action="append", default=[], help="such stages; repeatable")
    parser.add_argument(
        "--out",
        metavar="PATH",
        type=Path,
        help="a file, or a folder; of several goldens, the folder of their files (default: NAME.inputs.FORMAT here)",
    )
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        help="f32 is a folder of raw numbers, of whatever type, with a .json each "
        "(default: as --out ends, or safetensors)",
    )
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--store", metavar="URL", help="where tensors are (default: ini audioparity_golden_store)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    add_examples(
        parser,
        "golden export tests/test_tts/test_tts",
        "golden export 'tests/*' --stage 'noise*' --out inputs --format f32",
    )
    parser.set_defaults(run=export)


def export(parsed: argparse.Namespace) -> int:
    """Write the inputs of some goldens, each of which can be opened before anything is written."""
    from pytest_audioparity.adapters.exports import WRITERS, inputs_of
    from pytest_audioparity.golden.names import name_of
    from pytest_audioparity.golden.shelf import Shelf, open_golden
    from pytest_audioparity.project import find_project

    project = find_project(Path.cwd(), root=parsed.root, golden_dir=parsed.golden_dir, store=parsed.store)
    shelf = Shelf(store=project.store, cache=project.cache)
    paths, form = chosen(parsed.names, project), _format(parsed)
    targets = _targets([name_of(path, project.golden_dir) for path in paths], parsed.out, form)
    for target in targets.values():
        _check(target, project, force=parsed.force)
    found = [inputs_of(open_golden(path, shelf), parsed.stage) for path in paths]
    told = []
    for (name, target), (stages, is_marked) in zip(targets.items(), found, strict=True):
        WRITERS[form](target, stages)
        told.append(_document(name, target, stages, is_marked=is_marked))
        if not parsed.json:
            say(_text(name, target, stages, is_marked=is_marked))
    if parsed.json:
        say_json({"schema": _SCHEMA, "format": form, "exported": told})
    return PASSED


def _format(parsed: argparse.Namespace) -> str:
    ending = "" if parsed.out is None else parsed.out.suffix.removeprefix(".")
    if parsed.format is not None and ending in _FORMATS and ending != parsed.format:
        raise StageError(f"--out {parsed.out} ends in .{ending}, but --format is {parsed.format}")
    return str(parsed.format or (ending if ending in _FORMATS else "safetensors"))


def _targets(names: Sequence[str], out: Path | None, form: str) -> dict[str, Path]:
    """Return where the stages of each golden are written."""
    suffix = "" if form == "f32" else f".{form}"
    if len(names) > 1:
        if out is None or (suffix and out.suffix == suffix):
            raise StageError(f"{counted(len(names), 'golden')} are meant; give a folder for them: --out DIR")
        return {name: out / f"{name}{suffix}" for name in names}
    (name,) = names
    default = Path(f"{name.rpartition('/')[2]}.inputs{suffix}")
    if out is None:
        return {name: default}
    return {name: out if not suffix or out.suffix == suffix else out / default}


def _check(target: Path, project: Project, *, force: bool) -> None:
    """Refuse to write among the goldens, of which it would be taken for one, or over what is there."""
    if target.resolve().is_relative_to(project.golden_dir.resolve()):
        raise StageError(f"{target} lies among the goldens; give another place with --out")
    is_empty = target.is_dir() and not any(target.iterdir())
    if os.path.lexists(target) and not is_empty and not force:
        raise StageError(f"{target} is there already; give another --out, or --force to replace it")


def _document(name: str, target: Path, stages: Sequence[StageTensor], *, is_marked: bool) -> dict[str, object]:
    size = sum(stage.array.nbytes for stage in stages)
    names = [stage.meta.name for stage in stages]
    return {"golden": name, "path": str(target), "stages": names, "marked": is_marked, "bytes": size}


def _text(name: str, target: Path, stages: Sequence[StageTensor], *, is_marked: bool) -> str:
    size = size_text(sum(stage.array.nbytes for stage in stages))
    listed = ", ".join(stage.meta.name for stage in stages)
    note = "" if is_marked else (
        f"\n{name} marks no inputs, so these are all of its stages; "
        f"record inputs with stages.input(name, value), or pick stages with --stage"
    )  # fmt: skip
    return f"exported {counted(len(stages), 'stage')} of {name} ({size}) to {target}: {listed}{note}"
