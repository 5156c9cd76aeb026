"""The search: which explanation, or which two together, take actual back to expected.

In this order: an explanation that leaves nothing; a place that holds all of the difference; an explanation that removes
most of it, followed by what explains the rest; and what remains is another signal, rounding, or unexplained.
"""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.diagnosis import (
    bends,
    channels,
    delays,
    filters,
    floors,
    interpolations,
    layout,
    lines,
    masks,
    mixtures,
    noise,
    orders,
    phases,
    places,
    quantised,
    rotary,
    scale,
    softmaxes,
    timing,
    values,
)
from pytest_audioparity.diagnosis.explanation import PARTIAL, explains, is_complete, length
from pytest_audioparity.diagnosis.margins import Place
from pytest_audioparity.diagnosis.problem import energy, left_by, product, restate
from pytest_audioparity.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.explanation import Explanation
    from pytest_audioparity.diagnosis.problem import Problem

# Modules with a function find(problem) that yields explanations. Movers keep values and change places, so that a gain
# may come on top; the others change values.
MOVERS = (layout, orders, timing, delays, interpolations)
CHANGERS = (scale, channels, floors, values, bends, quantised, filters, mixtures, phases, rotary, masks, softmaxes)
# Causes on top of each other that are searched for.
_DEPTH = 3
# Up to so many numbers, an explanation is one cause; with more it may be the description of a place.
_SIMPLE = 8
_MOVES_IN_TIME = ("sample_rate", "repeated_frames", "dropped_frames", "time_shift")
_MOST, _HALF = 0.9, 0.5
# Where two tables of numbers are the cause they remove this much, as all of the corpus do; of the channels of a hidden
# layer that another branch was added to, lines remove up to 93 %, since speech is loud or quiet in all of them.
_TABLE = 0.95
# What tells a function of all values from one that bends for a few of them alone, in parameters.
_BEYOND = 8.0
_PER_INDEX = ("channel_gain", "channel_offset")
# What says more of wrong channels than that they are.
_MOVED = ("reversed", "time_shift", "channel_permutation", "interleaved", "reshaped")
# A moved tensor that is not like actual by angle has nothing on top of it either.
_ALIKE = 0.5

Chain = tuple["Explanation", ...]


def explain(problem: Problem, depth: int = 1) -> list[Finding]:
    """Return findings for a problem, best explanation first."""
    best = _best(problem)
    is_plain = best is not None and sum(map(_numbers, best)) <= _SIMPLE and is_complete(problem, best[-1])
    is_certain = best is not None and is_plain and best[-1].code != "pointwise"
    place = None if is_certain else places.best(problem)
    if best is not None and is_plain and not _bends(problem, best, place) and not _is_masked(best, place):
        return _findings(problem, best) + _beneath(problem, best[-1], depth)
    # A place says more than numbers for each index, which describe it as well.
    is_little = place is not None and places.says_little(problem, place)
    if place is not None and not (is_little and best is not None and _says_more(problem, best, place)):
        return _findings(problem, (place,)) + _within(problem, place, depth)
    is_whole = best is not None and is_complete(problem, best[-1])
    # One gain and a silent place say more than gains for each index, of which some are 0.
    is_simplest = is_whole and best is not None and best[-1].code != "channel_gain"
    if depth == 1 and not is_simplest and (both := _scale_and_place(problem)):
        return both
    if best is not None and is_whole:
        return _findings(problem, best)
    if best is not None and _helps(problem, best[-1]):
        rest = _rest(problem, best[-1], depth) if depth < _DEPTH else []
        if rest or explains(problem, best[-1]) >= _least(problem, best):
            return _findings(problem, best) + rest
    return [noise.describe(problem)]


def _scale_and_place(problem: Problem) -> list[Finding]:
    """Explain by a gain or an offset that most elements have, and the place of those that are wrong otherwise."""
    for found in scale.robust(problem):
        left = left_by(problem, found.expected, found.actual)
        place = places.best(left)
        share = max(0.0, 1.0 - left.error / problem.error)
        # What grows is in no place, and a gain of 1 says nothing.
        if place is not None and place.code != "drift":
            both = [_finding(place, 1.0 - share)] + [_finding(found, share)] * (share > 0)
            return sorted(both, key=lambda finding: -(finding.explains or 0.0))
    return []


def _rest(problem: Problem, found: Explanation, depth: int) -> list[Finding]:
    """Explain what an explanation leaves, where its two sides can be compared further."""
    left = left_by(problem, found.expected, found.actual)
    if left.error == 0:
        return []
    # What is left may be in the units of the other side, as where a logarithm is undone.
    share = min(left.error / problem.error, 1.0 - explains(problem, found))
    further = [f for f in explain(left, depth + 1) if f.code not in ("unexplained", "uncorrelated", "rounding")]
    return [replace(f, explains=None if f.explains is None else f.explains * share) for f in further]


def _beneath(problem: Problem, found: Explanation, depth: int) -> list[Finding]:
    """Explain what is left by an explanation of nearly everything, if it alone exceeds the tolerance and is plain."""
    if depth >= _DEPTH or math.sqrt(found.left / max(found.actual.size, 1)) <= problem.allowed:
        return []
    share = found.left / problem.error
    return [f for f in _rest(problem, found, depth) if f.explains is not None and f.explains >= _MOST * share]


def _within(problem: Problem, place: Explanation, depth: int) -> list[Finding]:
    """Explain what is wrong in some channels, if that explains nearly all of it."""
    if not isinstance(place, Place) or place.code != "channels" or depth >= _DEPTH or problem.is_codes:
        return []
    e, a = place.there()
    found = explain(restate(e, a, problem.labels, problem.meta, problem.allowed, problem.origin), _DEPTH)
    return [f for f in found if f.explains is not None and f.explains >= _MOST and f.code in _MOVED]


def _best(problem: Problem) -> Chain | None:
    """Return the explanation, or the pair of a move and a scale, with the shortest description.

    A description is shorter by a little wherever noise is larger in some places than in others, which it is. So what
    has more parameters must at least halve what is left by what has fewer.
    """
    best, shortest = None, length(problem, None)
    for chain in sorted(_candidates(problem, shortest), key=_parameters):
        nats = _chain_length(problem, chain)
        is_simpler = best is None or _parameters(chain) <= _parameters(best)
        if best is not None and _only_fits_better(problem, chain, best):
            continue
        if nats < shortest and (is_simpler or _left(problem, chain) <= _HALF * _left(problem, best)):
            best, shortest = chain, nats
    return best


def _only_fits_better(problem: Problem, chain: Chain, best: Chain) -> bool:
    """Whether a line for each index leaves something as well, where a few numbers leave next to nothing."""
    is_line = all(link.code in _PER_INDEX for link in chain) and len(chain) > 1
    is_plain = sum(map(_numbers, best)) <= _SIMPLE and is_complete(problem, best[-1])
    return is_line and is_plain and math.sqrt(chain[-1].left / problem.size) > problem.floor


def _candidates(problem: Problem, longest: float) -> list[Chain]:
    """Return the chains among which the choice is made.

    The others cannot be chosen, since they do not shorten the description or an earlier one beats them by every measure
    of the choice. They are dropped as they come: all of them together hold fifty times the sample.
    """
    kept: list[tuple[tuple[float, float, float], Chain]] = []
    for chain in _chains(problem):
        measures = _parameters(chain), _chain_length(problem, chain), _left(problem, chain)
        if measures[1] < longest and not any(all(map(operator.le, other, measures)) for other, _ in kept):
            kept.append((measures, chain))
    return [chain for _, chain in kept]


def _parameters(chain: Chain) -> float:
    return sum(link.parameters for link in chain)


def _left(problem: Problem, chain: Chain | None) -> float:
    """Return the mean square that a chain leaves, where a residual below the floor counts as that."""
    assert chain is not None
    return chain[-1].left / max(chain[-1].actual.size, 1) + problem.floor**2


def _chain_length(problem: Problem, chain: Chain) -> float:
    last = chain[-1]
    return length(problem, replace(last, parameters=_parameters(chain)))


def _chains(problem: Problem) -> Iterator[Chain]:
    for changer in CHANGERS:
        for found in changer.find(problem):
            if noise.says_something(problem, found):
                yield (found,)
    yield from (pair for pair in lines.find(problem) if noise.says_something(problem, pair[-1]))
    for mover in MOVERS:
        for found in mover.find(problem):
            if noise.says_something(problem, found):
                yield (found,)
            if problem.is_codes or is_complete(problem, found) or not _alike(found):
                continue
            left = left_by(problem, found.expected, found.actual)
            for further in (*scale.find(left), *floors.lines(left)):
                if noise.says_something(problem, further):
                    yield (found, further)


def _alike(found: Explanation) -> bool:
    power = energy(found.expected.ravel()) * energy(found.actual.ravel())
    return power > 0 and product(found.expected, found.actual) ** 2 > _ALIKE**2 * power


def _numbers(found: Explanation) -> float:
    """Return how many numbers an explanation takes; those per index may describe a place, even when few differ."""
    return _SIMPLE + 1 if found.code in _PER_INDEX or _is_mixture(found) else found.parameters


def _is_mixture(found: Explanation) -> bool:
    return found.code == "filtered" and "side" not in found.detail


def _least(problem: Problem, chain: Chain) -> float:
    """Return the share that an explanation removes at least where what it leaves has no cause.

    Numbers per index, and filters, take off a part of any difference: its means, or what is smooth of it. So do lags of
    channels (those of flipped kernels), and a function that was read off the data, unless it says what actual is, up to
    little beside actual itself.
    """
    if not problem.is_codes and any(link.code == "delay_pattern" for link in chain):
        return _MOST
    is_read_off = chain[-1].code == "pointwise" and chain[-1].parameters > _SIMPLE
    if is_read_off and chain[-1].left > (1 - _MOST) * problem.variances[1]:
        return _MOST
    # A mixture of channels was found to explain what no gain does.
    if not any(link.code in (*_PER_INDEX, "filtered") and not _is_mixture(link) for link in chain):
        return 0.0
    return _TABLE if len(chain) > 1 else _MOST


def _bends(problem: Problem, chain: Chain, place: Explanation | None) -> bool:
    """Whether a function of all values bends for a few elements alone, which are glitches then."""
    if place is None or place.code != "spikes" or isinstance(place, Place):
        return False
    return _chain_length(problem, chain) >= length(problem, place) - _BEYOND * math.log(problem.size)


def _is_masked(chain: Chain, place: Explanation | None) -> bool:
    """Whether a mask is nothing but a place that one value fills: its first frame, or its channels, say more."""
    return masks.is_mask(chain[-1]) and isinstance(place, Place) and place.is_filled


def _says_more(problem: Problem, chain: Chain, place: Explanation) -> bool:
    """Whether an explanation removes so much that a place which only says from where on is not needed.

    Values at other times are wrong from the first move on; that is what a move is, whatever else is on top of it. Codes
    are equal at any lag by chance too, a third of few tokens.
    """
    moves = chain[0].code in _MOVES_IN_TIME and not (problem.is_codes and chain[0].code == "time_shift")
    if moves and _helps(problem, chain[-1]) and _chain_length(problem, chain) < _length_beside(problem, place):
        return True
    if _is_masked(chain, place):
        return False
    # Numbers of their own at all times describe a place in time, but none that is everywhere.
    is_place = chain[-1].code in (*_PER_INDEX, "drift") and place.code != "drift"
    # Codebooks that come late, each by a frame more, leave no small part of a clip out.
    return not is_place and (explains(problem, chain[-1]) >= _MOST or is_complete(problem, chain[-1]))


def _length_beside(problem: Problem, place: Explanation) -> float:
    """Return the description length of a place of which nothing is known, beside a rest that is right."""
    inside = min(place.parameters, problem.size - 1)
    outside = problem.size - inside
    known = math.log(place.left / outside + problem.floor**2)
    unknown = math.log(problem.error / max(inside, 1) + problem.floor**2)
    return outside / 2 * known + inside / 2 * unknown


def _helps(problem: Problem, found: Explanation) -> bool:
    """Whether an explanation removes half of the difference; of what runs faster, half of that which expected has."""
    known = found.actual.size / problem.size if found.code == "sample_rate" else 1.0
    return explains(problem, found) >= PARTIAL * known


def _findings(problem: Problem, chain: Chain) -> list[Finding]:
    """Turn a chain into findings whose shares add up to what it explains as a whole."""
    together = explains(problem, chain[-1])
    if len(chain) == 1:
        return [_finding(chain[0], together)]
    first = min(together, max(explains(problem, chain[0]), together / 2))
    return [_finding(chain[0], first), _finding(chain[1], together - first)]


def _finding(found: Explanation, share: float) -> Finding:
    return Finding(found.code, found.message, explains=share, detail=found.detail)
