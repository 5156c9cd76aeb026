"""What a test says of many stages at once, of a model or a file: other names, and declarations by glob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.tolerances import matches, nearest, unmatched
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import DECLARED

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXAMPLES = {
    "rename": "{'decoder.out': 'mel'}",
    "axes": "{'*': 'BCT'}",
    "declare": "{'mel': {'kind': 'log_spectrum', 'unit': 'ln'}}",
}


@dataclass(frozen=True, slots=True)
class Declaring:
    """Other names for stages, and declarations.

    Attributes
    ----------
    rename : from the names that things have in their model or file to names of stages
    said : pairs of a glob of stage names and what it declares; of two globs that match a stage the last counts
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    said: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    @classmethod
    def of(
        cls,
        rename: Mapping[str, str] | None,
        axes: Mapping[str, str] | None,
        declare: Mapping[str, Mapping[str, Any]] | None,
    ) -> Declaring:
        """Put together what a call was given.

        Raises
        ------
        StageError : something is no dictionary, or `declare` holds a keyword that declares nothing
        """
        for keyword, given in (("rename", rename), ("axes", axes), ("declare", declare)):
            if not isinstance(given, Mapping | None):
                raise StageError(f"{keyword}={given!r} is no dictionary, such as {_EXAMPLES[keyword]}")
        said: list[tuple[str, Mapping[str, Any]]] = [
            (glob, {"axes": letters}) for glob, letters in (axes or {}).items()
        ]
        for glob, values in (declare or {}).items():
            if not hasattr(values, "items"):
                raise StageError(f"declare[{glob!r}]={values!r} is no dictionary of {', '.join(DECLARED)}")
            for name in values:
                if name not in DECLARED:
                    near = nearest(str(name), DECLARED)
                    hint = f"did you mean {near!r}?" if near else f"it takes {', '.join(DECLARED)}"
                    raise StageError(f"declare[{glob!r}]: unknown keyword {name!r}, {hint}")
            said.append((glob, values))
        return cls(rename or {}, tuple(said))

    def declared(self, stage: str) -> dict[str, Any]:
        """Return what is declared of a stage: every name in `records.DECLARED`, None where nothing is."""
        values: dict[str, Any] = dict.fromkeys(DECLARED)
        for glob, said in self.said:
            if matches(stage, glob):
                values.update(said)
        return values

    def unused(self, stages: Iterable[str]) -> str | None:
        """Say which glob matches none of the stages, or return None."""
        return unmatched((glob for glob, _ in self.said), stages)
