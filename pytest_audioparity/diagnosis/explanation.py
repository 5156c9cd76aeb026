"""One way to get actual from expected, and how well it fits.

Explanations compete by description length (Rissanen 1978; for a Gaussian residual it equals BIC up to a constant): the
nats that it takes to write down actual when expected and the explanation are known,

    L = n/2 · ln(residual²/n + floor²) + k/2 · ln n.

So an explanation with k parameters has to remove error enough to pay for them, and of two that remove all of it the
simpler one wins. Residuals below the floor, a part of what the tolerance allows, count as removed: what rounding does
there is not told apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_audioparity.diagnosis.problem import Problem, squared

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    Array = np.ndarray[Any, Any]

# What is left when an explanation counts as complete: 1 % of the squared error.
COMPLETE = 0.99
# An explanation that removes less than half of the squared error does not explain it.
PARTIAL = 0.5
# The part of a stage that an exact explanation has to cover: a shift leaves out some frames at one end.
COVERED = 0.7


@dataclass(frozen=True, slots=True)
class Explanation:
    """One way to get actual from expected, applied.

    Attributes
    ----------
    code : of the finding
    message : what it says, without the share
    parameters : how many numbers it took from the data
    expected, actual : the two sides after it, of one shape; smaller than the problem where it leaves out a part
    detail : its numbers
    left : sum of squared differences that it leaves; by default that of the two sides
    """

    code: str
    message: str
    parameters: float
    expected: Array
    actual: Array
    detail: Mapping[str, Any] = field(default_factory=dict)
    left: float = -1.0

    def __post_init__(self) -> None:
        """Measure what is left, once."""
        if self.left < 0:
            object.__setattr__(self, "left", squared(self.expected, self.actual))


def in_units_of_actual(problem: Problem, left: float, side: str) -> float:
    """Return what an explanation of one side leaves, as if it had been of actual, so that both directions compare.

    From an actual that does not vary nothing is explained.
    """
    e, a = problem.variances
    if side != "expected" or e <= 0:
        return left
    return left * a / e if a > 0 else math.inf


def explains(problem: Problem, explanation: Explanation) -> float:
    """Return the share of the squared error that an explanation removes, 0 to 1; what it leaves out, it leaves."""
    if problem.error <= 0:
        return 0.0
    outside = 1.0 - explanation.actual.size / problem.size
    return min(1.0, max(0.0, 1.0 - explanation.left / problem.error - outside))


def length(problem: Problem, explanation: Explanation | None) -> float:
    """Return the description length in nats; of None, that of the difference as it is."""
    n, per_element = problem.size, problem.error / problem.size
    null = math.log(per_element + problem.floor**2)
    if explanation is None:
        return n / 2 * null
    inside = explanation.actual.size
    left = math.log(explanation.left / max(inside, 1) + problem.floor**2)
    return inside / 2 * left + (n - inside) / 2 * null + explanation.parameters / 2 * math.log(n)


def is_complete(problem: Problem, explanation: Explanation) -> bool:
    """Whether an explanation leaves nothing worth a further one."""
    inside = max(explanation.actual.size, 1)
    is_exact = math.sqrt(explanation.left / inside) <= problem.floor and inside >= COVERED * problem.size
    return is_exact or explains(problem, explanation) >= COMPLETE
