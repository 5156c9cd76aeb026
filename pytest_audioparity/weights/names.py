"""Names of weights: each once, and of characters that can be written."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_audioparity.weights.records import Weight


def uniquely_named(weights: Iterable[Weight]) -> tuple[Weight, ...]:
    """Return weights whose later namesakes have a number behind their name, as in ``bias (2)``."""
    seen: Counter[str] = Counter()
    taken: set[str] = set()
    named = []
    for weight in weights:
        name = plain = weight.name.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be printed
        while name in taken:
            seen[plain] += 1
            name = f"{plain} ({seen[plain] + 1})"
        taken.add(name)
        named.append(weight if name == weight.name else replace(weight, name=name))
    return tuple(named)
