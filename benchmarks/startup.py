"""What the plugin costs a project that has it installed and does not use it, beside what others cost."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.environments import OURS, is_installed, make_environment, shorten_record
from benchmarks.pytest_process import children_seconds, count_instructions, make_root, run_python
from benchmarks.sizes import Sizes
from benchmarks.tables import milliseconds, note, ratio, section, table
from benchmarks.timing import measure

_BARE = "bare pytest"
_SHORT = f"{OURS}, if it named its start-up modules only"
_PLUGINS = {
    _BARE: (),
    OURS: (OURS,),
    _SHORT: (OURS,),
    "syrupy": ("syrupy",),
    "pytest-regressions": ("pytest-regressions", "pytest-datadir"),
    "pytest-torch": ("pytest-torch",),
}
# Without `site`, Python sees nothing but its own library and the folder that PYTHONPATH names.
_START = ("-S", "-m", "pytest", "-q", "-p", "no:cacheprovider")
_LIST_MODULES = "import sys, pytest; pytest.main(['-q']); print('loaded', *sorted(sys.modules))"
_HEAVY = {"numpy", "torch", "safetensors", "onnxruntime", "mlx"}


def run(sizes: Sizes) -> str:
    """Compare starts of pytest in an empty folder, with one plugin each and without any."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        make_root(root)
        places = _make_environments(Path(name))
        rounds = measure(
            {title: partial(run_python, root, _START, places[title]) for title in places},
            rounds=sizes.start_rounds,
            clock=children_seconds,
        )
        counts = {title: _count(root, places[title], sizes) for title in places}
        modules = _loaded(root, places[OURS]) - _loaded(root, places[_BARE])
    rows = [
        (
            title,
            milliseconds(rounds.median(title)),
            milliseconds(rounds.added(title, _BARE)),
            ratio(rounds.ratio(title, _BARE)),
            _added(counts[title], counts[_BARE]),
        )
        for title in places
    ]
    left_out = [title for title in _PLUGINS if title not in places]
    return section(
        "startup: `python -m pytest` in an empty folder, each plugin alone",
        table(("", "CPU ms", "added ms", "ratio", "added million instructions"), rows),
        note(_verdict(modules)),
        note(f"not installed and left out: {', '.join(left_out)}") if left_out else "",
    )


def _make_environments(folder: Path) -> dict[str, dict[str, str]]:
    """Return per row what makes Python see that plugin only."""
    made = {}
    for index, (title, plugins) in enumerate(_PLUGINS.items()):
        if all(map(is_installed, plugins)):
            place = folder / str(index)
            make_environment(place, *plugins)
            if title == _SHORT:
                shorten_record(place)
            made[title] = {"PYTHONPATH": str(place), "PYTHONHASHSEED": "0"}
    return made


def _count(root: Path, environment: dict[str, str], sizes: Sizes) -> int | None:
    if not sizes.counts_instructions or shutil.which("valgrind") is None:
        return None
    return count_instructions(root, _START, environment)


def _added(count: int | None, base: int | None) -> str:
    return "–" if count is None or base is None else f"{(count - base) / 1e6:.1f}"


def _loaded(folder: Path, environment: dict[str, str]) -> set[str]:
    output = run_python(folder, ("-S", "-c", _LIST_MODULES), environment)
    return set(output.rpartition("loaded ")[2].split())


def _verdict(modules: set[str]) -> str:
    ours = sorted(name for name in modules if name.partition(".")[0] == "pytest_audioparity")
    if not ours:
        raise RuntimeError("the plugin was not loaded: install the package first, pip install -e .")
    if heavy := sorted(_HEAVY & modules):
        raise RuntimeError(f"the unused plugin loads {', '.join(heavy)}")
    others = sorted(modules - set(ours))
    return f"modules that only our plugin loads: {', '.join(ours)}, and {', '.join(others) or 'no others'}"
