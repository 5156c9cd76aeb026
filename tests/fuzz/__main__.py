"""Damaged files for every reader: ``python -m tests.fuzz [READER…] --count 10000 --seed 1`` from the repository's root.

Prints a line for each reader, and one for each input that did what none may; exit status 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.readers import READERS
from tests.fuzz.running import Inputs, run

# Beginnings of names that stand for several readers.
_GROUPS = {"dump", "weights", "run ", "golden "}


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=f"readers: {', '.join(READERS)}")
    parser.add_argument(
        "readers",
        metavar="READER",
        nargs="*",
        help="names, or 'dump', 'weights', 'run ', 'golden ' for all of these; default all",
    )
    parser.add_argument("--count", type=int, default=200, help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--input", type=int, help="this one alone, with its traceback; kept where --keep says")
    parser.add_argument("--keep", type=Path, help="a folder")
    parser.add_argument("--json", action="store_true", help="a JSON document for each reader instead of text")
    given = parser.parse_args()
    names = [
        name
        for name in READERS
        if not given.readers or name in given.readers or name.startswith(tuple(_GROUPS & set(given.readers)))
    ]
    if given.input is not None:
        return _again(names[0], given.seed, given.input, given.keep)
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
