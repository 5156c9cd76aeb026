"""Where the difference is when all else is right: edges, channels, seams, repeated frames, spikes, and since when.

A place is evidence only when the rest is clean: within what the tolerance allows, although there is signal there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.bursts import bursts
from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.margins import (
    CLEANER,
    SHARE,
    Place,
    density,
    gain_there,
    held_by,
    margin_from_end_to_end,
    margin_of,
    stays_clean,
)
from pytest_audioparity.diagnosis.onsets import diverges, drift
from pytest_audioparity.diagnosis.problem import Problem, rows_of
from pytest_audioparity.diagnosis.seams import seams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.margins import Margin

    Array = np.ndarray[Any, Any]

# Share of an axis that is still "a few" of it, or a part where it is in one piece, and of its frames that is an edge.
_FEW, _PART, _EDGE, _LAST = 0.34, 0.75, 0.15, 0.04
# Share of the indices in a row that are wrong where all are made by what is.
_FULL = 0.9
_MOST_SPIKES = 0.005
# Share of a region's elements that have to be wrong for it to be the region that is wrong.
_DENSE = 0.2
# Share of the codes of a region that are wrong where it holds more than a few of an axis, and of what is no silence.
_MOSTLY = 0.5


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield the places that hold the error: those that say most first."""
    shape, labels = problem.expected.shape, problem.labels
    margins = {axis: margin_of(problem, axis) for axis, n in enumerate(shape) if n > 1 and labels[axis] != "part"}
    time = {axis: margin_from_end_to_end(problem, axis) for axis in problem.time_axes if axis in margins}
    for margin in time.values():
        yield from _edges(problem, margin)
    for axis, margin in margins.items():
        if problem.labels[axis] != "T":
            yield from _channels(problem, axis, margin)
    for axis, margin in time.items():
        patterns = [*seams(problem, axis, margins[axis]), *_frozen(problem, axis, margins[axis])]
        # From end to end some channels are looked at, in the part all: what is wrong there before refutes it.
        for found in diverges(problem, margin):
            before = margins[axis].error[: max(0, found.detail["from"] - margins[axis].start)]
            if before.sum() <= (1 - SHARE) * problem.error:
                patterns.append(found)
        # Places without a pattern; along an axis without a name they are indices like others.
        if not patterns and problem.labels[axis] == "T":
            patterns += bursts(problem, axis, margins[axis], margin)
        yield from patterns
    yield from _spikes(problem)
    for margin in time.values():
        yield from drift(problem, margin)


def best(problem: Problem) -> Explanation | None:
    """Return the place that says most: one that a value fills, else the smallest, and single elements if none is."""
    found = list(find(problem))
    patterns = ("edges", "seams", "repeated_frames", "diverges_from")
    in_time = {place.detail["axis"] for place in found if place.code in patterns}
    regions = [
        place
        for place in found
        if isinstance(place, Place)
        # Along an axis without a name, a pattern of time says more than a list of indices.
        and not (place.code == "channels" and place.detail["axis"] in in_time)
    ]
    spikes = next((place for place in found if place.code == "spikes" and not isinstance(place, Place)), None)
    smallest = min(regions, key=lambda place: (not place.is_filled, place.parameters), default=None)
    if spikes is not None and (smallest is None or not _is_meant(problem, smallest)):
        return spikes
    return smallest or next(iter(found), None)


def _is_meant(problem: Problem, place: Place) -> bool:
    """Whether a place is what is wrong, and not single elements of it: many are, or most that can be seen to be.

    Most of a sparse layer is zero, and much of a log-mel at its floor, on both sides.
    """
    touched = _touched(problem)
    middle = np.partition(problem.expected.ravel(), problem.size // 2)[problem.size // 2]
    e, a = place.there()
    seen = 1.0 - float(((e == middle) & (a == middle)).mean()) if e.size else 1.0
    return touched >= _DENSE * place.parameters or touched >= _MOSTLY * seen * place.parameters


def _touched(problem: Problem) -> int:
    """Return how many elements differ by more than the rounding of most."""
    difference = np.abs(problem.actual - problem.expected)
    return int((difference > max(30 * float(np.median(difference)), 1e-3 * float(difference.max()))).sum())


def _spikes(problem: Problem) -> Iterator[Explanation]:
    error = ((problem.actual - problem.expected) ** 2).ravel()
    few = max(4, int(_MOST_SPIKES * error.size))
    if error.size < 16:
        return
    order = np.argpartition(error, -few)[-few:]
    order = order[np.argsort(error[order])[::-1]]
    held = np.cumsum(error[order])
    count = int(np.searchsorted(held, SHARE * problem.error)) + 1
    if count > few or problem.error - held[count - 1] > error.size * (CLEANER**2) * error[order[0]]:
        return
    if _is_relative(problem, error, order[:count]):
        return
    first = np.unravel_index(int(np.sort(order[:count])[0]), problem.expected.shape)
    index = [problem.at(label, int(i)) for label, i in zip(problem.labels, first, strict=True)]
    at = " ".join(f"{label}={i}" for label, i in zip(problem.labels, index, strict=True))
    of = f"{error.size} that were looked at" if problem.origin else str(error.size)
    message = (
        f"{count} single element{'s' if count > 1 else ''} of {of} hold{'s' if count == 1 else ''} the "
        f"difference, the first at {at}; check for glitches, races and uninitialised memory"
    )
    left = float(problem.error - held[count - 1])
    yield Explanation(
        "spikes",
        message,
        2 * count,
        problem.expected,
        problem.actual,
        {"count": count, "first": index},
        left,
    )


def _is_relative(problem: Problem, error: Array, chosen: Array) -> bool:
    """Whether some are about as wrong as all others beside their sizes, as the few large ones of probabilities are."""
    if problem.meta.kind in ("log_spectrum", "codes"):
        return False  # a value of 0 is none of silence there
    signal = (problem.expected**2).ravel()
    inside, loud = float(error[chosen].sum()), float(signal[chosen].sum())
    outside, quiet = max(0.0, float(error.sum()) - inside), float(signal.sum()) - loud
    return CLEANER**2 * inside * quiet < outside * loud


# In the first frames alone a stream shows what the one before it has left behind.
_BEFORE = ", and whether a stream begins with the state of the one before"


def _edges(problem: Problem, margin: Margin) -> Iterator[Explanation]:
    n = margin.wrong.size
    wrong = np.flatnonzero(margin.wrong)
    if not 0 < wrong.size < n or n < 6:
        return
    inner = np.flatnonzero(~margin.wrong)
    # The longest clean stretch divides the first wrong frames from the last ones.
    runs = np.split(inner, np.flatnonzero(np.diff(inner) > 1) + 1)
    longest = max(runs, key=len)
    first, last = int(longest[0]), n - 1 - int(longest[-1])
    # A wrong end is an edge only if it is short; a long one is where things went wrong and stayed so.
    if first + last == 0 or first > max(_EDGE * n, min(4, n // 3)) or last > max(_LAST * n, min(4, n // 3)):
        return
    if (first and margin.start) or (last and margin.start + n < margin.length):
        return  # the ends of a part are not those of the stage
    chosen = np.ones(n, bool)
    chosen[first : n - last] = False
    if not margin.holds(chosen):
        return
    parts = [f"the {word} {count}" for word, count in (("first", first), ("last", last)) if count]
    message = (
        f"only {' and '.join(parts)} of {margin.length} along {margin.label} differ; check padding (zero, reflect, "
        f"replicate), centring, and causal against symmetric convolution{_BEFORE if not last else ''}"
    )
    yield held_by(problem, "edges", message, {"first": first, "last": last}, margin, chosen)


def _channels(problem: Problem, axis: int, margin: Margin) -> Iterator[Explanation]:
    wrong = np.flatnonzero(margin.wrong)
    n = margin.wrong.size
    if not 0 < wrong.size < n or margin.is_rounding or not margin.holds(margin.wrong):
        return
    # As the half of a bidirectional layer, indices in a row are one part of a layer, also where they are many.
    is_part = wrong.size > _FULL * (wrong[-1] - wrong[0] + 1)
    most = _PART if is_part else _FEW
    # Values may be right by chance, codes are not: one codebook that agrees says that those behind it do not.
    are_codes = problem.is_codes and density(problem, axis, margin.wrong) >= _MOSTLY
    if wrong.size > max(1, most * n) and not are_codes:
        return
    if n == problem.size and margin.label != "C":
        return  # of a vector without channels these are single elements
    if not stays_clean(problem, axis, margin, margin.wrong, np.isin(np.arange(margin.length), margin.start + wrong)):
        return  # all are wrong elsewhere
    indices = [margin.at(i) for i in wrong[:256]]
    shown = ", ".join(map(str, indices[:8])) + (" ..." if wrong.size > 8 else "")
    if is_part and wrong.size > 8:
        shown = f"{margin.at(wrong[0])} to {margin.at(wrong[-1])}"
    whole = f"{margin.length} along {margin.label}"
    place = (
        f"index {shown} of {whole} differs" if wrong.size == 1 else f"{wrong.size} of {whole} differ (indices {shown})"
    )
    found = held_by(problem, "channels", "", {"indices": indices}, margin, margin.wrong)
    message = (
        f"only {place}{gain_there(problem, found)}; check the weights that make these, and slices that are one short"
    )
    yield replace(found, message=message)


def says_little(problem: Problem, place: Explanation) -> bool:
    """Whether a place says from where on, where, or in most of its indices, something is wrong, but not what."""
    is_most = place.code == "channels" and place.parameters > max(_FEW * problem.size, 1)
    is_burst = place.code == "spikes" and isinstance(place, Place)
    is_wide = place.code == "seams" and 2 * place.detail["width"] > place.detail["period"]
    return is_most or is_burst or is_wide or place.code in ("diverges_from", "drift")


def _frozen(problem: Problem, axis: int, margin: Margin) -> Iterator[Explanation]:
    """Wrong frames that hold what came before them: the last frame, or as many frames as are wrong."""
    wrong = np.flatnonzero(margin.wrong)
    n = margin.wrong.size
    if not 0 < wrong.size <= n // 2 or wrong[0] == 0 or not margin.holds(margin.wrong):
        return
    a = rows_of(problem.actual, axis)
    e = rows_of(problem.expected, axis)
    runs = np.split(wrong, np.flatnonzero(np.diff(wrong) > 1) + 1)
    if not a[wrong].any():
        return  # zeros stand there, and what they repeat is silence
    held = missed = 0.0
    for run in runs[:256]:
        first, count = int(run[0]), run.size
        before = [a[first - 1 : first]] + ([a[first - count : first]] if first >= count else [])
        error = min(float(((a[first : first + count] - rows) ** 2).sum()) for rows in before)
        held += error
        missed += float(((a[first : first + count] - e[first : first + count]) ** 2).sum())
    if held > 0.02 * missed:
        return
    at = [margin.at(run[0]) for run in runs[:256]]
    frames = f"{runs[0].size} frame{'s' if runs[0].size > 1 else ''}"
    message = (
        f"actual repeats what it had before for {frames} from {margin.label}={at[0]} on"
        f"{f', and {len(runs) - 1} times more' if len(runs) > 1 else ''}; check buffers that are emitted twice, "
        "and concealment"
    )
    detail = {"at": at, "frames": int(runs[0].size)}
    yield held_by(problem, "repeated_frames", message, detail, margin, margin.wrong)
