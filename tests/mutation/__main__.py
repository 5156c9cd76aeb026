"""Mutation testing of what decides and what writes: ``python -m tests.mutation [MODULE…]``.

Each mutant of a module of `modules.toml` is judged by that module's tests, in a copy of the repository. Those that
survive must be in `survivors.toml` with the reason why no test should kill them; any other fails the run. What was
killed is remembered in build/mutation and not tried again until --fresh, so a run can be broken off.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import tomllib

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.trial import KILLED, SURVIVED, TIMED_OUT, Bench, Outcome

ROOT = Path(__file__).parents[2]
PACKAGE = "pytest_audioparity"
MODULES = Path(__file__).with_name("modules.toml")
SURVIVORS = Path(__file__).with_name("survivors.toml")
MEMORY = ROOT / "build" / "mutation"
# What a module's own tests take of a processor is measured once per run, then told to every worker.
_BASELINE_SECONDS = 240.0

_bench: Bench


def main() -> int:
    options = _options()
    known = tomllib.loads(MODULES.read_text())
    chosen = [name for name in known if not options.modules or any(name.startswith(m) for m in options.modules)]
    if not chosen:
        return _say(f"no module like {', '.join(options.modules)}; there are: {', '.join(known)}") or 2
    # One thread per process: the workers are as many as there are to be.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.nice(5)
    shared = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="mutation-", dir=shared if shared.is_dir() else None)
    _end_when_told_to(folder)
    new = 0
    try:
        with multiprocessing.Pool(options.jobs, _start, (folder,)) as pool:
            for name in chosen:
                new += _module(pool, name, known[name], options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if new else 0


def _end_when_told_to(folder: str) -> None:
    """Let an interrupt end this process, its workers and their trials, and remove what they left.

    A pool does not end by itself then: it makes new workers for those that the same signal has ended.
    """
    main = os.getpid()

    def end(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if os.getpid() != main:
            sys.exit(1)  # the trial that is under way ends on the way out
        workers = multiprocessing.active_children()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(timeout=5)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="mutation testing of the core")
    parser.add_argument("modules", nargs="*", help="how the paths of modules begin, such as comparison/ (default: all)")
    parser.add_argument("--sample", type=float, default=1.0, help="share of the mutants to try, 0 to 1")
    parser.add_argument("--jobs", type=int, default=2, help="mutants that are tried at once")
    parser.add_argument("--fresh", action="store_true", help="try those again that were killed before")
    parser.add_argument("--justified", action="store_true", help="try those again that survivors.toml lists")
    parser.add_argument("--quick", action="store_true", help="leave the slow tests out")
    return parser.parse_args()


def _module(pool: Any, name: str, tests: dict[str, list[str]], options: argparse.Namespace) -> int:
    """Try the mutants of one module, say what became of them; return how many survived without a reason."""
    path = ROOT / PACKAGE / name
    all_of_them = list(mutants(f"{PACKAGE}/{name}", path.read_text()))
    drawn = [mutant for mutant in all_of_them if mutant.lot < options.sample]
    reasons, memory = _reasons(name), _Memory(name, fresh=options.fresh)
    left = [
        mutant
        for mutant in drawn
        if memory.verdict(mutant) not in (KILLED, TIMED_OUT) and (options.justified or mutant.said not in reasons)
    ]
    groups = [[f"tests/{test}" for test in tests[group]] for group in ("quick", "slow")]
    groups = [group for group in groups[: 1 if options.quick else 2] if group]
    if left:
        stages = [(group, pool.apply(_baseline, (group,))) for group in groups]
        _say(f"{name}: {len(left)} mutants; tests take {', '.join(f'{cpu:.1f} s' for _, cpu in stages)} of a processor")
        for mutant, outcome in pool.imap_unordered(_judge, [(mutant, stages) for mutant in left]):
            memory.keep(mutant, outcome)
            if outcome.verdict != KILLED:
                _say(f"  {outcome.verdict} in {outcome.seconds:.0f} s: {mutant.said} (line {mutant.line})")
    verdicts = Counter(memory.verdict(mutant) or "justified" for mutant in drawn)
    alive = [mutant for mutant in drawn if memory.verdict(mutant) in (SURVIVED, None)]
    new = [mutant for mutant in alive if mutant.said not in reasons]
    _say(
        f"| `{name}` | {len(all_of_them)} | {len(drawn)} | {verdicts[KILLED]} | {verdicts[TIMED_OUT]} "
        f"| {len(alive)} | {len(new)} |"
    )
    for mutant in new:
        _say(f"  without a reason: {mutant.said} (line {mutant.line})")
    return len(new)


def _reasons(name: str) -> dict[str, str]:
    listed = tomllib.loads(SURVIVORS.read_text()) if SURVIVORS.exists() else {}
    return {change: entry["why"] for entry in listed.get(name, ()) for change in entry["changes"]}


class _Memory:
    """What became of the mutants of a module, kept from run to run; a line for each."""

    def __init__(self, name: str, *, fresh: bool) -> None:
        MEMORY.mkdir(parents=True, exist_ok=True)
        self._path = MEMORY / f"{name.removesuffix('.py').replace('/', '.')}.jsonl"
        if fresh:
            self._path.unlink(missing_ok=True)
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self._verdicts = {entry["key"]: entry["verdict"] for entry in map(json.loads, lines)}

    def verdict(self, mutant: Mutant) -> str | None:
        return self._verdicts.get(mutant.key)

    def keep(self, mutant: Mutant, outcome: Outcome) -> None:
        self._verdicts[mutant.key] = outcome.verdict
        with self._path.open("a") as file:
            entry = {"key": mutant.key, "verdict": outcome.verdict, "seconds": round(outcome.seconds, 1)}
            file.write(json.dumps(entry) + "\n")


def _start(folder: str) -> None:
    global _bench
    if signal.getsignal(signal.SIGTERM) == signal.SIG_IGN:
        os._exit(1)  # the pool made this worker for one that was ended; its copy of the repository would stay behind
    _bench = Bench(ROOT, Path(folder, str(os.getpid())))


def _baseline(tests: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome = _bench.run(tests, cpu_seconds=_BASELINE_SECONDS)
    if outcome.verdict != SURVIVED:
        raise RuntimeError(f"{' '.join(tests)} do not pass without a mutant:\n{outcome.output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _judge(job: tuple[Mutant, list[tuple[list[str], float]]]) -> tuple[Mutant, Outcome]:
    mutant, stages = job
    return mutant, _bench.judge(mutant, stages)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
