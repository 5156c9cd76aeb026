"""How often the diagnosis names the true cause first: ``python -m tests.faults.confusion`` from the repository's root.

Every fault of every stage of the corpus is judged with the default tolerance of 0.01 dB. One that passes there is
judged once more with a third of its own deviation, as a test with a tight tolerance would, and counted as `unseen`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.structure import kind_of
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.faults import VOCABULARY, Compound, Fault, compounds_of, faults_of
from pytest_audioparity.records import KINDS, StageTensor, Tolerance
from pytest_audioparity.results import StageResult
from tests.faults import corpus, large
from tests.faults.ports import port_faults

# With --fast, this many faults per code and stage.
_FAST = 1
NOTHING = "(none)"


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure: see the command's help."""

    seed: int = 0
    codes: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    stages: str = ""
    limit: int | None = None
    fast: bool = False
    mode: str = "faults"


@dataclass(frozen=True, slots=True)
class Case:
    """One judged fault. `index` is its place among the faults of its stage and code."""

    stage: str
    codes: tuple[str, ...]
    also: tuple[str, ...]
    name: str
    index: int
    detected: bool
    found: tuple[str, ...]
    deviation_db: float | None
    seconds: float

    @property
    def first(self) -> str:
        """The first finding's code."""
        return self.found[0] if self.found else NOTHING

    @property
    def right(self) -> bool:
        """Whether the first finding is a true one."""
        return self.first in (*self.codes, *self.also)


def judged(
    expected: StageTensor, actual: StageTensor | None, others: Sequence[StageTensor] = ()
) -> tuple[bool, StageResult]:
    """Judge with the default tolerance; what passes is judged again with a third of what it needs."""
    tolerance = layered([], expected.meta.name)
    if actual is not None and actual.meta.name != expected.meta.name:
        return True, check_stage(None, actual, tolerance)
    result = check_stage(expected, actual, tolerance, others=others)
    if not result.passed or not result.smallest_tol_db:
        return not result.passed, result
    return False, check_stage(expected, actual, tightened(tolerance, result.smallest_tol_db / 3), others=others)


def tightened(tolerance: Tolerance, tol_db: float) -> Tolerance:
    """Return a tolerance with another limit, and the peak's limit that follows from it."""
    return replace(tolerance, tol_db=tol_db, tol_peak_db=100 * tol_db)


def stages_of(options: Options) -> tuple[StageTensor, ...]:
    """Return the stages that are judged."""
    return large.stages() if options.mode == "large" else corpus.stages()


def cases_of(position: int, options: Options) -> list[Case]:
    """Judge all that is asked for of one stage of the corpus."""
    stage = stages_of(options)[position]
    counts: Counter[tuple[str, ...]] = Counter()
    cases = []
    for fault in _faults(stage, options):
        codes = fault.codes if isinstance(fault, Compound) else (fault.code,)
        counts[codes] += 1
        if options.fast and counts[codes] > _FAST:
            continue
        start = time.perf_counter()
        detected, result = judged(stage, fault.stage, corpus.others_of(stage))
        seconds = time.perf_counter() - start
        found = tuple(finding.code for finding in result.findings)
        also = () if isinstance(fault, Compound) else fault.also
        index = counts[codes] - 1
        cases.append(
            Case(stage.meta.name, codes, also, fault.name, index, detected, found, result.deviation_db, seconds)
        )
    return cases


def _faults(stage: StageTensor, options: Options) -> Iterator[Fault | Compound]:
    # Every stage has a stream of its own, so that a case is the same whatever else is measured.
    rng = np.random.default_rng([options.seed, zlib.crc32(stage.meta.name.encode())])
    if options.mode == "compounds":
        yield from compounds_of(stage, rng=rng)
    elif options.mode == "healthy":
        for index, healthy in enumerate(corpus.healthy_of(stage, rng)):
            # Of rounding, the right thing to say is nothing, or its name.
            yield Fault("rounding", f"healthy variant {index}", healthy, also=(NOTHING,))
    else:
        yield from faults_of(stage, rng=rng, codes=options.codes, others=corpus.others_of(stage))


def reproduce(stage: str, code: str, index: int, seed: int = 0) -> tuple[StageTensor, Fault]:
    """Return a stage and one fault of it, as a line of the misses names them."""
    options = Options(seed=seed, codes=(code,), mode="large" if stage.startswith("large/") else "faults")
    healthy = next(s for s in stages_of(options) if s.meta.name == stage)
    return healthy, next(f for i, f in enumerate(_faults(healthy, options)) if i == index and isinstance(f, Fault))


def measure(options: Options, processes: int = 2) -> list[Case]:
    """Judge the corpus in a pool of processes; the order of the result is that of the corpus."""
    positions = [i for i, stage in enumerate(stages_of(options)) if _wanted(stage, options)]
    jobs = [(position, options) for position in positions]
    if processes == 1:
        found = [cases_of(*job) for job in jobs]
    else:
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            found = pool.starmap(cases_of, jobs, chunksize=1)
    cases = [case for some in found for case in some]
    return cases[: options.limit]


def measure_ports() -> list[Case]:
    """Judge the faults that wrong computations made."""
    cases = []
    for index, (stage, fault) in enumerate(port_faults()):
        start = time.perf_counter()
        detected, result = judged(stage, fault.stage)
        seconds = time.perf_counter() - start
        found = tuple(finding.code for finding in result.findings)
        codes = (fault.code,)
        cases.append(
            Case(stage.meta.name, codes, fault.also, fault.name, index, detected, found, result.deviation_db, seconds)
        )
    return cases


def _wanted(stage: StageTensor, options: Options) -> bool:
    kind = kind_of(stage.meta, stage.array)
    return options.stages in stage.meta.name and (options.kinds is None or kind in options.kinds)


def report(cases: list[Case], options: Options, *, matrix: bool = False, misses: int = 60) -> Iterator[str]:
    """Write markdown: a row per cause, the total, the misses with what reproduces them."""
    by_code: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_code["+".join(case.codes)].append(case)
    yield "| true cause | cases | unseen at 0.01 dB | first right | share | otherwise first |"
    yield "|---|--:|--:|--:|--:|---|"
    for code in sorted(by_code, key=_place):
        yield _row(code, by_code[code])
    yield _row("**all**", cases, others=0)
    if cases:
        slow = np.array([case.seconds for case in cases]) * 1000
        yield f"\nper case: median {np.median(slow):.1f} ms, 99 % {np.percentile(slow, 99):.1f} ms"
    if matrix:
        yield from ("", *_matrix(by_code))
    wrong = [case for case in cases if not case.right]
    yield f"\n{len(wrong)} misses; `reproduce(stage, code, index, seed={options.seed})` makes one again\n"
    for case in wrong[:misses]:
        deviation = "-" if case.deviation_db is None else f"{case.deviation_db:.4g} dB"
        found = ", ".join(case.found[:3]) or NOTHING
        yield f"- {case.stage!r}, {'+'.join(case.codes)!r}, {case.index}: {case.name} ({deviation}) → {found}"
    if len(wrong) > misses:
        yield f"- … and {len(wrong) - misses} more (--misses N)"


def _place(code: str) -> tuple[int, str]:
    first = code.split("+")[0]
    return (VOCABULARY.index(first) if first in VOCABULARY else len(VOCABULARY), code)


def _row(code: str, cases: list[Case], others: int = 4) -> str:
    right = sum(case.right for case in cases)
    unseen = sum(not case.detected for case in cases)
    wrong = Counter(case.first for case in cases if not case.right).most_common(others)
    text = ", ".join(f"{first} {count}" for first, count in wrong)
    return f"| {code} | {len(cases)} | {unseen} | {right} | {right / max(1, len(cases)):.1%} | {text} |"


def _matrix(by_code: dict[str, list[Case]]) -> Iterator[str]:
    columns = sorted({case.first for cases in by_code.values() for case in cases}, key=_place)
    yield "| true \\ first | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for code in sorted(by_code, key=_place):
        counts = Counter(case.first for case in by_code[code])
        yield f"| {code} | " + " | ".join(str(counts[column] or "") for column in columns) + " |"


def _listed(
    parser: argparse.ArgumentParser, given: str | None, known: Sequence[str], what: str
) -> tuple[str, ...] | None:
    """Split at commas; a name that there is not ends the command."""
    if given is None:
        return None
    names = tuple(given.split(","))
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no {what} is called {unknown[0]!r}; there are {', '.join(known)}")
    return names


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.confusion", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--codes", help="only these causes, separated by commas")
    parser.add_argument("--kind", help="only stages of these kinds, separated by commas")
    parser.add_argument("--stage", default="", help="only stages whose name contains this")
    parser.add_argument("--limit", type=int, help="report no more than this many cases")
    parser.add_argument("--fast", action="store_true", help="one fault per cause and stage")
    parser.add_argument("--compounds", action="store_true", help="two faults at a time")
    parser.add_argument("--healthy", action="store_true", help="healthy variants, judged as if their rounding mattered")
    parser.add_argument("--large", action="store_true", help="faults of stages too large to be looked at whole")
    parser.add_argument("--ports", action="store_true", help="faults made by computing wrongly, about 35")
    parser.add_argument("--matrix", action="store_true", help="the whole confusion matrix too")
    parser.add_argument("--misses", type=int, default=60, help="how many misses to list")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(None if arguments is None else list(arguments))
    options = Options(
        seed=given.seed,
        codes=_listed(parser, given.codes, VOCABULARY, "cause"),
        kinds=_listed(parser, given.kind, KINDS, "kind"),
        stages=given.stage,
        limit=given.limit,
        fast=given.fast,
        mode=next((mode for mode in ("compounds", "healthy", "large") if getattr(given, mode)), "faults"),
    )
    if not given.ports and not any(_wanted(stage, options) for stage in stages_of(options)):
        begin = ", ".join(dict.fromkeys(stage.meta.name.partition("/")[0] for stage in stages_of(options)))
        parser.error(f"no stage of such a kind has {given.stage!r} in its name; names begin with {begin}")
    cases = measure_ports() if given.ports else measure(options, given.processes)
    for line in report(cases, options, matrix=given.matrix, misses=given.misses):
        print(line)  # noqa: T201 - its job


if __name__ == "__main__":
    main()
