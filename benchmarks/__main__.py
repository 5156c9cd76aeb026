"""Run benchmarks and print their tables: ``python -m benchmarks [--quick] [NAME ...]``."""

from __future__ import annotations

import argparse
import importlib
import platform
from importlib.metadata import PackageNotFoundError, version

from benchmarks.sizes import FULL, QUICK, Sizes
from benchmarks.tables import note, table

# Name -> module; each has `run(sizes) -> str`. They are imported one at a time, so that none pays for another's peers.
BENCHMARKS = {
    name: f"benchmarks.{name}"
    for name in (
        "startup",
        "per_test",
        "workers",
        "kernel",
        "files",
        "golden",
        "large_golden",
        "updating",
        "scoring",
        "weights",
        "soak",
    )
}
# It takes hours: only by its name, or small.
_LONG = "soak"
_PACKAGES = ("pytest-audioparity", "pytest", "numpy", "safetensors", "torch", "pesq", "pystoi")


def main() -> None:
    """Read the arguments and run what they name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default all but {_LONG}")
    parser.add_argument("--quick", action="store_true", help="small and few: shows that they run, measures nothing")
    parser.add_argument("--mb", type=int, metavar="N", help="size of the large arrays and files (default 200)")
    parser.add_argument("--tests", type=int, metavar="N", help="failing tests of the soak (default 2000)")
    parser.add_argument("--stage-mb", type=float, metavar="X", help="stages of each of them (default 5)")
    parsed = parser.parse_args()
    if unknown := [name for name in parsed.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    sizes: Sizes = QUICK if parsed.quick else FULL
    if parsed.mb is not None:
        sizes = sizes.with_large(parsed.mb)
    sizes = sizes.with_soak(parsed.tests or sizes.soak_tests, parsed.stage_mb or sizes.soak_mb)
    print(_machine())
    if parsed.quick:
        print("\n" + note("--quick: too small and too few to mean anything"))
    for name in parsed.names or [name for name in BENCHMARKS if parsed.quick or name != _LONG]:
        print("\n" + importlib.import_module(BENCHMARKS[name]).run(sizes), flush=True)


def _machine() -> str:
    from pytest_audioparity.audio.pool import core_count

    rows = [("Python", platform.python_version())]
    for package in _PACKAGES:
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            rows.append((package, "not installed: left out"))
    rows.append(("processor", f"{platform.machine()}, {core_count()} cores, {platform.system()}"))
    return table(("", "version"), rows)


if __name__ == "__main__":
    main()
