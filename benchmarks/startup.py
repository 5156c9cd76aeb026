"""What the plugin costs a project that has it installed and does not use it."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.pytest_process import ARGUMENTS, PYTEST, WITHOUT_PLUGIN, children_seconds, make_root, run_python
from benchmarks.sizes import Sizes
from benchmarks.tables import milliseconds, note, ratio, section, table
from benchmarks.timing import measure

_LIST_MODULES = "import sys, pytest; pytest.main(sys.argv[1:]); print('loaded', *sorted(sys.modules))"


def run(sizes: Sizes) -> str:
    """Compare bare pytest starts in an empty folder, with the plugin and without."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_root(folder)
        rounds = measure(
            {
                "plugin blocked": partial(run_python, folder, (*PYTEST, *WITHOUT_PLUGIN)),
                "plugin loaded, unused": partial(run_python, folder, PYTEST),
            },
            rounds=sizes.start_rounds,
            clock=children_seconds,
        )
        modules = _loaded(folder, ()) - _loaded(folder, WITHOUT_PLUGIN)
    base = rounds.names[0]
    rows = [
        (
            name,
            milliseconds(rounds.median(name)),
            milliseconds(rounds.added(name, base)),
            ratio(rounds.ratio(name, base)),
        )
        for name in rounds.names
    ]
    return section(
        "startup: `python -m pytest` in an empty folder, without other plugins",
        table(("", "CPU ms", "added ms", "ratio"), rows),
        note(_verdict(modules)),
    )


def _loaded(folder: Path, arguments: tuple[str, ...]) -> set[str]:
    output = run_python(folder, ("-c", _LIST_MODULES, *ARGUMENTS, *arguments))
    return set(output.rpartition("loaded ")[2].split())


def _verdict(modules: set[str]) -> str:
    ours = sorted(name for name in modules if name.partition(".")[0] == "pytest_audioparity")
    if not ours:
        raise RuntimeError("the plugin was not loaded: install the package first, pip install -e .")
    heavy = sorted({"numpy", "torch", "safetensors", "onnxruntime", "mlx"} & modules)
    if heavy:
        raise RuntimeError(f"the unused plugin loads {', '.join(heavy)}")
    others = len(modules) - len(ours)
    return f"modules that only the plugin loads: {', '.join(ours)}, and {others} others; numpy is not among them"
