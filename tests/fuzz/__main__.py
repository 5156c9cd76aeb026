"""Damaged files for every reader: ``python -m tests.fuzz [READER…] --count 10000 --seed 1`` from the repository's root.

Prints a line for each reader, and one for each input that did what none may; exit status 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.readers import READERS
from tests.fuzz.running import Inputs, run

# Words that stand for several readers.
_GROUPS = {
    "dump": [name for name in READERS if name.startswith("dump")],
    "weights": [name for name in READERS if name.startswith("weights")],
    "commands": [name for name, reader in READERS.items() if reader.programs],
}


def main(arguments: Iterable[str] | None = None) -> int:
    """Run what is asked for."""
    known = ", ".join(map(repr, (*READERS, *_GROUPS)))
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.splitlines()[0], epilog=f"readers: {known}"
    )
    parser.add_argument(
        "readers",
        metavar="READER",
        nargs="*",
        help=f"names, or {', '.join(_GROUPS)} for several of them; default all",
    )
    parser.add_argument("--count", type=int, default=200, help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--input", type=int, help="this one alone, with its traceback; kept where --keep says")
    parser.add_argument("--keep", type=Path, help="a folder")
    parser.add_argument("--json", action="store_true", help="a JSON document for each reader instead of text")
    given = parser.parse_args(None if arguments is None else list(arguments))
    if unknown := set(given.readers) - {*READERS, *_GROUPS}:
        parser.error(f"no reader is called {sorted(unknown)[0]!r}; there are {known}")
    if given.input is not None:
        if len(given.readers) != 1 or given.readers[0] not in READERS:
            parser.error("--input is one of one reader's: name that reader")
        return _again(given.readers[0], given.seed, given.input, given.keep)
    return _all([name for name in READERS if _wanted(name, given.readers)], given)


def _wanted(name: str, words: list[str]) -> bool:
    return not words or any(name == word or name in _GROUPS.get(word, ()) for word in words)


def _all(names: list[str], given: argparse.Namespace) -> int:
    status = 0
    for name in names:
        start = time.perf_counter()
        outcome = run(name, given.seed, given.count)
        seconds = time.perf_counter() - start
        if given.json:
            problems = [f"input {one.number}: {one.problem}" for one in outcome.defects]
            told = {"reader": name, "read": outcome.read, "refused": outcome.refused, "defects": problems}
            print(json.dumps(told), flush=True)  # noqa: T201 - its job
        else:
            told = f"{outcome.read} read, {outcome.refused} refused, {len(outcome.defects)} defects"
            print(f"{name:24}: {told}, {seconds:.1f} s", flush=True)  # noqa: T201
            for one in outcome.defects[:20]:
                print(f"  --seed {one.seed} --input {one.number}: {one.problem}", flush=True)  # noqa: T201
        status |= bool(outcome.defects)
    return status


def _again(name: str, seed: int, number: int, keep: Path | None) -> int:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        inputs = Inputs(name, seed, Path(folder).resolve())
        root, path, content = inputs.make(number)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / path.name).write_bytes(content)
        path.write_bytes(content)
        print(path.relative_to(root), len(content), "bytes", content[:300])  # noqa: T201
        inputs.reader.read(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
