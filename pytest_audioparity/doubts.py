"""What keeps the stages of a test from counting, or from becoming a golden, beside their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Doubts:
    """Doubts about one test. Of each kind the first counts.

    Parameters
    ----------
    force : whether an objection keeps no update back

    Attributes
    ----------
    objection : why these stages should not become the golden, although they could: the audio has lost its words
    """

    def __init__(self, *, force: bool = False) -> None:
        self.force = force
        self.objection: str | None = None
        self._misuse: str | None = None
        self._announced: list[str] = []
        self._refused: str | None = None

    @property
    def failure(self) -> str | None:
        """Why the test fails, whatever its numbers say."""
        return self._misuse or next(iter(self._announced), None)

    @property
    def refusal(self) -> str | None:
        """Why these stages cannot become the golden in this run."""
        return self._refused or (None if self.force else self.objection)

    @property
    def are_none(self) -> bool:
        """Whether nobody has doubted that these stages may become the golden."""
        return self._refused is None and self.objection is None

    def misused(self, problem: str) -> None:
        """Remember a mistake, so that a test which swallows the exception still fails and updates nothing."""
        self._misuse = self._misuse or problem

    def announce(self, problem: str) -> Callable[[], None]:
        """Take note of what fails the test unless something follows; the function that is returned says that it has."""
        self._announced.append(problem)
        return lambda: self._announced.remove(problem)

    def refuse(self, reason: str, *, forcible: bool = True) -> None:
        """Keep these stages from becoming the golden, by what is known of them beside their numbers.

        Parameters
        ----------
        reason : in one line
        forcible : whether `--force-golden` overrides it, as it does what audio sounds like
        """
        if forcible:
            self.objection = self.objection or reason
        else:
            self._refused = self._refused or reason
