"""Tensors that only the candidate has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.weights.fingerprints import CLOSE
from pytest_audioparity.weights.pool import GRAPHS, size_of
from pytest_audioparity.weights.search import find_whole

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_audioparity.weights.pool import Pool


def extras(reference: Pool, candidate: Pool, used: Collection[int]) -> tuple[list[str], list[str]]:
    """Return the names of the tensors that match none of the reference, and notes on those that are not listed.

    Constants of a graph that are no weights (shapes, scalars, initial states of zeros) are counted instead, and so are
    copies of tensors that were matched already.
    """
    names, constants, copies = [], 0, 0
    for place, weight in enumerate(candidate.weights[: candidate.real]):
        if place in used:
            continue
        if candidate.format in GRAPHS and (
            size_of(weight.shape) <= 1
            or weight.dtype.startswith(("int", "uint", "bool"))
            or candidate.fingerprint(place).rms == 0
        ):
            constants += 1
        elif _is_copy(reference, candidate, place):
            copies += 1
        else:
            names.append(weight.name)
    notes = []
    if constants:
        notes.append(f"the candidate's graph holds {constants} constants that are no weights (shapes, scalars, zeros)")
    if copies:
        notes.append(f"the candidate holds {copies} copies of tensors that were matched")
    return names, notes


def _is_copy(reference: Pool, candidate: Pool, place: int) -> bool:
    told = candidate.fingerprint(place)
    for other in reference.of_size(told.size):
        is_near = reference.fingerprint(other).distance(told) <= CLOSE
        if is_near and find_whole(reference.read(other), candidate, [place]) is not None:
            return True
    return False
