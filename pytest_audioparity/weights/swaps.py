"""Tensors whose contents stand under each other's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.weights.layouts import squeezed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.weights.pool import Pool
    from pytest_audioparity.weights.search import Found


def swapped(
    reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]
) -> dict[int, dict[str, Any]]:
    """Return the tensors of the reference that were exchanged among themselves, with what their name holds now.

    A swap is certain where it closes: every one of the tensors is there, under the name of another of them. Names that
    are only shifted, as when layers are numbered otherwise, do not close.
    """
    owner = {other: place for place, other in own.items()}
    goes: dict[int, int] = {}
    for place, one in found.items():
        if len(one.actuals) != 1 or own.get(place) in (None, one.actuals[0]):
            continue
        other = owner.get(one.actuals[0])
        shapes = (reference.weights[p].shape for p in (place, place if other is None else other))
        if other is not None and len({tuple(sorted(squeezed(shape))) for shape in shapes}) == 1:
            goes[place] = other
    comes = {other: place for place, other in goes.items()}
    told = {}
    for place in goes:
        seen, at = [place], goes[place]
        while at in goes and at not in seen:
            seen.append(at)
            at = goes[at]
        if at == place and len(seen) > 1:
            told[place] = {
                "name_holds": reference.weights[comes[place]].name,
                "is_under": candidate.weights[found[place].actuals[0]].name,
            }
    return told
