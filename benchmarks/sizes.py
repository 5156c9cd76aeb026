"""How much each benchmark measures: in full, and just enough to show that it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

# From here on, arrays and files are measured as often as with --quick.
_VERY_LARGE_MB = 1000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes and repetitions.

    Parameters
    ----------
    large_mb : megabytes (10^6 bytes) of each large array or file
    small_mb : megabytes of a golden as a TTS test has it
    rounds : how often every candidate of a comparison runs
    small_rounds : the same for what takes milliseconds
    suite_rounds : the same for pytest runs of a whole suite
    start_rounds : the same for bare starts of pytest, which differ by less than their noise
    counts_instructions : whether those starts are also counted, which takes ten seconds each
    clips, many_rounds : how many clips of 5 s are scored together, and how often
    soak_tests, soak_mb : how many tests fail, and megabytes of the stages of each
    goldens : how many small goldens are written in one run
    tests : two sizes of a generated suite; the cost of a test is the slope between them
    shared_tests : how many tests two processes share
    """

    large_mb: int
    small_mb: int
    rounds: int
    small_rounds: int
    suite_rounds: int
    start_rounds: int
    counts_instructions: bool
    clips: int
    many_rounds: int
    soak_tests: int
    soak_mb: float
    goldens: int
    tests: tuple[int, int]
    shared_tests: int

    def with_large(self, megabytes: int) -> Sizes:
        """Return the same with large arrays of another size; very large ones are measured less often."""
        return replace(self, large_mb=megabytes, rounds=self.rounds if megabytes < _VERY_LARGE_MB else QUICK.rounds)

    def with_soak(self, tests: int, megabytes: float) -> Sizes:
        """Return the same with another number of failing tests, and stages of another size."""
        return replace(self, soak_tests=tests, soak_mb=megabytes)


FULL = Sizes(
    large_mb=200,
    small_mb=2,
    rounds=11,
    small_rounds=101,
    suite_rounds=15,
    start_rounds=31,
    counts_instructions=True,
    clips=200,
    many_rounds=3,
    soak_tests=2000,
    soak_mb=5,
    goldens=1000,
    tests=(30, 330),
    shared_tests=5000,
)
QUICK = Sizes(
    large_mb=8,
    small_mb=2,
    rounds=3,
    small_rounds=5,
    suite_rounds=1,
    start_rounds=3,
    counts_instructions=False,
    clips=4,
    many_rounds=1,
    soak_tests=10,
    soak_mb=0.1,
    goldens=20,
    tests=(5, 25),
    shared_tests=20,
)
