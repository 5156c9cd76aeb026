"""Tensors whose contents stand under each other's names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_audioparity.weights.labels import is_recurrent
from pytest_audioparity.weights.layouts import squeezed
from pytest_audioparity.weights.numbering import renumbered
from pytest_audioparity.weights.pool import size_of
from pytest_audioparity.weights.renames import misplaced
from pytest_audioparity.weights.roles import contradiction, have_directions, runs_backwards
from pytest_audioparity.weights.search import LEAST_EVIDENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.weights.pool import Pool
    from pytest_audioparity.weights.search import Found


def swapped(
    reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]
) -> dict[int, dict[str, Any]]:
    """Return the tensors of the reference that were exchanged among themselves, with what their name holds now.

    A swap is certain where it closes: every one of the tensors is there, under the name of another of them. Names that
    are only shifted, as when layers are numbered otherwise, do not close. Where the candidate has names of its own,
    the other tensors tell which one of them is meant.
    """
    owner = {other: place for place, other in own.items()}
    goes: dict[int, int] = {}
    for place, one in found.items():
        if len(one.actuals) != 1 or own.get(place) in (None, one.actuals[0]):
            continue
        other = owner.get(one.actuals[0])
        if other is not None and _have_one_shape(reference, place, other):
            goes[place] = other
    told = {}
    for place, before in _rings(goes).items():
        told[place] = {
            "name_holds": reference.weights[before].name,
            "is_under": candidate.weights[found[place].actuals[0]].name,
        }
    return (
        _contradicted(reference, candidate, found)
        | _renumbered(reference, candidate, own, found)
        | told
        | _swapped_and_renamed(reference, candidate, own, found)
    )


def _contradicted(reference: Pool, candidate: Pool, found: Mapping[int, Found]) -> dict[int, dict[str, Any]]:
    """Return the tensors that stand under a word for another part of their layer, which stands under theirs."""
    have_both = have_directions(reference.names()) and have_directions(candidate.names())
    said = {}
    for place, one in found.items():
        names = reference.weights[place].name, candidate.weights[one.actuals[0]].name
        parts = contradiction(*names)
        if parts is None and have_both and is_recurrent(names[0]):
            ways = ["backwards" if runs_backwards(name) else "forwards" for name in names]
            parts = None if ways[0] == ways[1] else (ways[0], ways[1])
        if parts is not None and _is_telling(reference, place):
            said[place] = parts
    counts = Counter(reference.fingerprint(place) for place in range(reference.real)) if said else Counter()
    there = {before for before, _ in said.values()}
    return {
        place: {
            "is_under": candidate.weights[found[place].actuals[0]].name,
            "belongs_under": f"a name for {before}, not {after}",
            "by": "the words of both names",
        }
        for place, (before, after) in said.items()
        if after in there and counts[reference.fingerprint(place)] == 1
    }


def _renumbered(
    reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]
) -> dict[int, dict[str, Any]]:
    """Return the tensors whose layers stand in another order than the reference's."""
    together: dict[tuple[int, ...], list[int]] = {}
    for place in sorted(found):
        if _is_telling(reference, place):
            together.setdefault(found[place].actuals, []).append(place)
    first = {places[0]: actuals for actuals, places in together.items()}
    names = {place: (reference.weights[place].name, candidate.weights[at[0]].name) for place, at in first.items()}
    shapes = {place: squeezed(reference.weights[place].shape) for place in first}
    goes = {
        place: other
        for place, other in renumbered(names, shapes).items()
        if own.get(place) != first[place][0] and reference.fingerprint(place) != reference.fingerprint(other)
    }
    return {
        every: {
            "is_under": names[place][1],
            "belongs_under": names[other][1],
            "by": "the numbers of the other layers",
        }
        for place, other in goes.items()
        for every in together[first[place]]
    }


def _swapped_and_renamed(
    reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]
) -> dict[int, dict[str, Any]]:
    if all(place in own for place in found):
        return {}
    holds = Counter(actual for one in found.values() for actual in one.actuals)
    renamed = {}
    for place, one in found.items():
        is_alone = len(one.actuals) == 1 and holds[one.actuals[0]] == 1
        if is_alone and (place in own or _is_telling(reference, place)):
            name = candidate.weights[one.actuals[0]].name
            renamed[place] = reference.weights[place].name, name
    goes = {
        place: other
        for place, other in misplaced(renamed).items()
        if place not in own
        and _have_one_shape(reference, place, other)
        and reference.fingerprint(place) != reference.fingerprint(other)
    }
    return {
        place: {
            "is_under": renamed[place][1],
            "belongs_under": renamed[goes[place]][1],
            "by": "the names of the other tensors",
        }
        for place in _rings(goes)
    }


def _is_telling(pool: Pool, place: int) -> bool:
    """Whether a tensor is found by its values alone: few or equal ones are found anywhere."""
    return size_of(pool.weights[place].shape) >= LEAST_EVIDENCE and not pool.fingerprint(place).is_constant


def _have_one_shape(pool: Pool, one: int, other: int) -> bool:
    first, second = (sorted(squeezed(pool.weights[place].shape)) for place in (one, other))
    return first == second


def _rings(goes: Mapping[int, int]) -> dict[int, int]:
    """Return the tensors that lead back to themselves, each with the one that leads to it."""
    comes = {other: place for place, other in goes.items()}
    rings = {}
    for place in goes:
        seen, at = [place], goes[place]
        while at in goes and at not in seen:
            seen.append(at)
            at = goes[at]
        if at == place and len(seen) > 1:
            rings[place] = comes[place]
    return rings
