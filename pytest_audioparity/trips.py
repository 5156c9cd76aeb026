"""What a test sends through its codec: whether anything has to be sent, and what became of each round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from pytest_audioparity.roundtrip.records import RoundtripResult


class Trips:
    """The round trips of one test, in the order they were made."""

    def __init__(self) -> None:
        self._results: list[RoundtripResult] = []
        self._are_expected = False
        self._closed = False

    @property
    def results(self) -> tuple[RoundtripResult, ...]:
        """What became of each."""
        return tuple(self._results)

    @property
    def failed(self) -> list[str]:
        """The names of the checks that failed."""
        return [check.name for result in self._results for check in result.failed]

    @property
    def are_missing(self) -> bool:
        """Whether something had to go through a codec and nothing has."""
        return self._are_expected and not self._results

    def expect(self) -> None:
        """Take note that something has to go through a codec."""
        self._are_expected = True

    def begin(self, name: str) -> None:
        """Check that a round trip can be made.

        Raises
        ------
        StageError : one of its name was made before, or the test was judged before
        """
        if self._closed:
            raise StageError("a round trip comes after its test was judged; make it before the test returns")
        if name in [other.name for other in self._results]:
            raise StageError("a second round trip of one test needs a name: roundtrip(..., name='at 24 kHz')")

    def take(self, result: RoundtripResult) -> None:
        """Keep what became of a round trip."""
        self._results.append(result)

    def close(self) -> None:
        """Let no more begin: what comes after the judgement would be judged by nobody."""
        self._closed = True
