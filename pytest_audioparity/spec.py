"""What a test asks for: its parity marks and the project's ini options as one record. Needs no numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.tolerances import (
    SCORES,
    STAGES_KEYWORD,
    TOLERANCE_KEYWORDS,
    layered,
    matches,
    problem_with,
    problem_with_stages,
)
from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.names import golden_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_audioparity.records import Tolerance


def _golden_name(value: Any) -> bool:
    if value is None:
        return True
    try:
        return isinstance(value, str) and golden_path(Path(), value) is not None
    except GoldenError:
        return False


def _globs(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and all(isinstance(g, str) and g for g in value))


MARK_KEYWORDS = {
    **TOLERANCE_KEYWORDS,
    **STAGES_KEYWORD,
    "golden": ("a path below the golden directory such as 'tests/test_decoder/test_decoder'", _golden_name),
    "port": ("True or False", lambda v: isinstance(v, bool)),
    "only": ("a list of stage globs or None", _globs),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """Resolved marks of one test.

    `layers` are tolerance keywords, the project's first, the test's last. `must_match` are the globs that the test's
    own marks name; each has to mean a stage, since a misspelt one would leave a stage uncompared, or too loosely.
    `must_hear` are the scores that they limit, with the glob that says of which stages; each has to mean a waveform.
    """

    layers: tuple[Mapping[str, Any], ...] = ()
    golden: str | None = None
    port: bool = False
    only: tuple[str, ...] | None = None
    must_match: tuple[str, ...] = ()
    must_hear: tuple[tuple[str, str], ...] = ()

    def covers(self, stage: str) -> bool:
        """Whether a stage is compared at all."""
        return self.only is None or any(matches(stage, glob) for glob in self.only)

    def tolerance(self, stage: str, overrides: Mapping[str, Any] | None = None) -> Tolerance:
        """Resolve what one stage is allowed."""
        return layered((*self.layers, overrides or {}), stage)


def mark_problem(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """Say in one sentence what is wrong with the arguments of a parity mark, or return None."""
    if args:
        return f"takes keywords only, such as parity(tol_db=0.1), not {args[0]!r}"
    return problem_with(kwargs, MARK_KEYWORDS) or problem_with_stages(kwargs)


def resolve(project: Mapping[str, Any], marks: Sequence[Mapping[str, Any]], *, own: int = 0) -> Spec:
    """Merge the marks of a test over the project's defaults: per keyword the closest mark wins.

    Parameters
    ----------
    project : tolerance keywords of the ini options
    marks : keyword arguments of the marks, the closest first
    own : how many of them are the test's own; those of a class or module need not fit each of their tests
    """
    merged: dict[str, Any] = {}
    for kwargs in reversed(marks):
        merged.update(kwargs)
    only = merged.get("only")
    must_match = [glob for kwargs in marks[:own] for key in ("only", "stages") for glob in kwargs.get(key) or ()]
    return Spec(
        layers=(project, merged),
        golden=merged.get("golden"),
        port=merged.get("port", False),
        only=None if only is None else tuple(only),
        must_match=tuple(must_match),
        must_hear=tuple(pair for kwargs in marks[:own] for pair in _scores(kwargs)),
    )


def _scores(kwargs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the scores that a mark limits, each with the glob of its stages."""
    for glob, keywords in (("*", kwargs), *(kwargs.get("stages") or {}).items()):
        yield from ((glob, keyword) for keyword in SCORES if keywords.get(keyword) is not None)
