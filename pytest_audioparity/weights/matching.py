"""The comparison of two weight files: every tensor of the reference is found in the candidate, or said not to be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pytest_audioparity.weights.agreement import Agreement, agreement
from pytest_audioparity.weights.batchnorm import batch_norms
from pytest_audioparity.weights.conventions import judged
from pytest_audioparity.weights.extras import extras
from pytest_audioparity.weights.failures import explained
from pytest_audioparity.weights.folds import foldings, single_folds
from pytest_audioparity.weights.labels import own_partners
from pytest_audioparity.weights.layouts import squeezed
from pytest_audioparity.weights.pool import Pool, bytes_of, size_of
from pytest_audioparity.weights.precision import within
from pytest_audioparity.weights.records import WeightMatch, WeightsResult
from pytest_audioparity.weights.search import LEAST_EVIDENCE, Found, find_part, find_whole, larger, part_of, seek
from pytest_audioparity.weights.swaps import swapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_audioparity.keywords import WeightStatus
    from pytest_audioparity.weights.folds import Folding
    from pytest_audioparity.weights.records import WeightFile
    from pytest_audioparity.weights.rows import Known

    Array = np.ndarray[Any, Any]
    Progress = Callable[[str, int, int], None]


# Pairs of tensors of which one is looked for in the other, at half a millisecond each: a file in which everything is
# different would take its square. Joined projections of a hundred layers need a tenth of it.
_MOST_PAIRS = 20_000
_OTHER_VALUES = "under its own name the candidate holds other values"
_NOT_ALL = "there are too many tensors without a match to look for each inside all larger ones; the first were"


def compare_files(
    reference: WeightFile,
    candidate: WeightFile,
    *,
    precision: str | None = None,
    progress: Progress | None = None,
) -> WeightsResult:
    """Match the tensors of two files by content and judge each.

    Parameters
    ----------
    reference, candidate : as `open_weights` returns them
    precision : fp32, fp16, bf16 or int8: what casts and quantisation are held to; None accepts any
    progress : called with the name of a tensor, the bytes that are done and those there are
    """
    matching = Matching(reference, candidate, progress)
    found = matching.found()
    matches = _matches(matching, found, precision)
    used = {place for one in found.values() for place in one.actuals}
    entries, notes, partners = explained(matching.reference, matching.candidate, matching.own, found, matches)
    for place in _left_names(matching, found):
        elsewhere = matching.candidate.weights[found[place].actuals[0]].name
        notes.append(f"{matching.reference.weights[place].name} was found as {elsewhere}; {_OTHER_VALUES}")
    extra, more = extras(matching.reference, matching.candidate, used | partners)
    return WeightsResult(
        reference,
        candidate,
        tuple(entries),
        tuple(extra),
        (*reference.notes, *candidate.notes, *notes, *more, *matching.notes),
    )


class Matching:
    """What is known of two files so far.

    Parameters
    ----------
    reference, candidate : the files
    progress : told of each tensor
    """

    def __init__(self, reference: WeightFile, candidate: WeightFile, progress: Progress | None) -> None:
        self.reference = Pool(reference)
        self.candidate = Pool(candidate, single_folds(candidate.weights))
        self.own = own_partners(self.reference.names(), self.candidate.names())
        self._found: dict[int, Found] = {}
        self._progress = progress
        self._total = sum(map(bytes_of, reference.weights))
        self._done = 0
        self._pairs_left = _MOST_PAIRS

    def found(self) -> dict[int, Found]:
        """Return where each tensor of the reference is, without those that are nowhere."""
        self._by_name()
        self._by_content()
        self._in_larger()
        for folding in foldings(self.reference.weights):
            self._fold(folding)
        for folding in batch_norms(self.reference, self.candidate, self.open()):
            self._fold(folding)
        self._by_parts()
        return self._found

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not looked for."""
        return (_NOT_ALL,) if self._pairs_left < 0 else ()

    def open(self) -> list[int]:
        """Return the reference's tensors that have no place yet."""
        return [place for place in range(self.reference.real) if place not in self._found]

    def _by_name(self) -> None:
        """Try each tensor against its namesake first: right for most, and certain where contents are equal."""
        for place in range(self.reference.real):
            other, weight = self.own.get(place), self.reference.weights[place]
            if other is not None and size_of(self.candidate.weights[other].shape) == size_of(weight.shape):
                self._note(place, find_whole(self.reference.read(place), self.candidate, [other]))
            if place in self._found:
                self._tell(place)

    def _by_content(self) -> None:
        for place in self.open():
            size = size_of(self.reference.weights[place].shape)
            told = self.reference.fingerprint(place)
            if told.is_constant or size < LEAST_EVIDENCE:
                self._note(place, self._by_little(place))
            else:
                self._note(place, seek(self.reference.read(place), self.candidate, told=told, in_larger=False))
            self._tell(place)

    def _in_larger(self) -> None:
        """Look for tensors that are a part of a larger one: Q in a joined projection."""
        taken = self._taken()
        for place in self._open_for_parts():
            expected, known = self.reference.read(place), self.reference.known(place)
            # A joined tensor is none of the reference's own, so it comes first.
            places = sorted(larger(expected, self.candidate), key=taken.__contains__)
            self._note(place, find_part(expected, self.candidate, self._affordable(places), known=known))

    def _open_for_parts(self) -> list[int]:
        """Return what may be found in parts, those first that have no namesake of their size, as what is joined has."""
        places = [place for place in self.open() if size_of(self.reference.weights[place].shape) >= LEAST_EVIDENCE]
        places = [place for place in places if not self.reference.fingerprint(place).is_constant]
        return sorted(places, key=self._has_namesake)

    def _has_namesake(self, place: int) -> bool:
        other, size = self.own.get(place), size_of(self.reference.weights[place].shape)
        return other is not None and size_of(self.candidate.weights[other].shape) == size

    def _affordable(self, places: Iterable[int]) -> Iterator[int]:
        """Yield tensors to look at as long as the time for that lasts."""
        for place in places:
            self._pairs_left -= 1
            if self._pairs_left < 0:
                return
            yield place

    def _taken(self) -> set[int]:
        return {actual for one in self._found.values() for actual in one.actuals}

    def _by_little(self, place: int) -> Found | None:
        """Find a tensor whose values are too few or too plain to say where they come from: its name decides."""
        weight, told = self.reference.weights[place], self.reference.fingerprint(place)
        other = self.own.get(place)
        if other is not None and size_of(self.candidate.weights[other].shape) == told.size:
            return None
        shape = squeezed(weight.shape)
        taken = self._taken()
        places = [
            other
            for other in self.candidate.of_size(told.size)
            if sorted(squeezed(self.candidate.weights[other].shape)) == sorted(shape)
        ]
        # Of equal ones, those that nothing was found in: then in the order of the file.
        places.sort(key=lambda other: other in taken)
        return find_whole(self.reference.read(place), self.candidate, places)

    def _fold(self, folding: Folding) -> None:
        """Look for what a folding makes, all of its pieces, unless all it is made of has been found."""
        if all(place in self._found for place in folding.sources):
            return
        pieces = []
        for piece in folding.pieces:
            one = seek(piece.compute(), self.candidate, noise=piece.noise)
            if one is None:
                return
            pieces.append(one)
        actuals = tuple(dict.fromkeys(actual for one in pieces for actual in one.actuals))
        first = pieces[0]
        others = [self.reference.weights[place].name for place in folding.sources]
        detail = {**folding.detail, "from": others, **first.detail}
        if first.agreement.dtype == "float32":  # what is computed in float64 is always rounded
            detail.pop("dtype", None)
        for place in folding.sources:
            if place not in self._found:
                self._found[place] = replace(first, actuals=actuals, status="fused", detail=detail)

    def _by_parts(self) -> None:
        """Look for tensors that the candidate holds in several: Q, K and V of one projection."""
        taken = self._taken()
        left = [other for other in range(self.candidate.real) if other not in taken]
        for place in self._open_for_parts():
            expected, known = self.reference.read(place), self.reference.known(place)
            self._note(place, _split(expected, self.candidate, self._affordable(left), known))

    def _note(self, place: int, found: Found | None) -> None:
        if found is not None:
            self._found[place] = found

    def _tell(self, place: int) -> None:
        weight = self.reference.weights[place]
        self._done += bytes_of(weight)
        if self._progress is not None:
            self._progress(weight.name, self._done, self._total)


def _split(expected: Array, candidate: Pool, places: Iterable[int], known: Known) -> Found | None:
    """Return the tensors of the candidate that together hold one of the reference, each row once."""
    parts: dict[tuple[Any, ...], list[tuple[int, Any, Agreement]]] = {}
    for place in places:
        shape = candidate.weights[place].shape
        if not 0 < size_of(shape) < expected.size or len(squeezed(shape)) > len(squeezed(expected.shape)):
            continue
        for small, large, order, _ in part_of(candidate.read(place), expected, candidate.known(place), known):
            taken = large.take(order.index, axis=order.axis)
            relation = agreement(taken, small, stored=candidate.weights[place].stored)
            there = parts.setdefault((order.axis, large.shape), [])
            # A copy of another piece is no piece.
            if relation is not None and not any(np.isin(one.index, order.index).any() for _, one, _ in there):
                there.append((place, order.turned(), relation))
                break
    for (axis, shape), some in parts.items():
        rows = sorted(int(row) for _, order, _ in some for row in order.index)
        if rows == list(range(shape[axis])):
            relation = max((one for _, _, one in some), key=lambda one: one.kind != "same")
            detail = {**relation.detail, "split": [candidate.weights[place].name for place, _, _ in some]}
            orders = tuple(order for _, order, _ in some)
            return Found(tuple(place for place, _, _ in some), "fused", relation, detail, None, orders)
    return None


def _left_names(matching: Matching, found: dict[int, Found]) -> dict[int, bool]:
    """Return the tensors under whose name the candidate holds values that the reference does not have at all.

    The tensor itself is elsewhere, and the value says whether one who loads by names gets the others instead: layers
    that are numbered otherwise leave a name too, but stand under those of other layers; the averaged weights of a
    training file are all under their whole names behind another word.
    """
    used = {actual for one in found.values() for actual in one.actuals}
    named, left = set(matching.own.values()), {}
    at_home = {one.actuals[0] for place, one in found.items() if matching.own.get(place) == one.actuals[0]}
    for place, one in found.items():
        other, weight = matching.own.get(place), matching.reference.weights[place]
        if other is None or other in used or matching.candidate.weights[other].shape != weight.shape:
            continue
        is_behind = matching.candidate.weights[one.actuals[0]].name.endswith(f".{weight.name}")
        is_exact = matching.candidate.weights[other].name == weight.name
        left[place] = (one.actuals[0] not in named or one.actuals[0] in at_home) and (is_exact or not is_behind)
    return left


def _matches(matching: Matching, found: dict[int, Found], precision: str | None) -> dict[int, WeightMatch]:
    """Return the entries of the tensors that were found, judged by what converters may do."""
    exchanged = swapped(matching.reference, matching.candidate, matching.own, found)
    verdicts = judged(matching.reference, matching.candidate, matching.own, found)
    left = _left_names(matching, found)
    entries = {}
    for place, one in found.items():
        name = matching.reference.weights[place].name
        status, detail = verdicts[place]
        if place in exchanged:
            status, detail = "swapped", {**detail, **exchanged[place]}
        elif left.get(place):
            status, detail = "different", {**detail, "reason": _OTHER_VALUES}
        elif (problem := within(one.agreement, precision)) is not None:
            status, detail = "different", {**detail, "reason": problem}
        matched = " + ".join(matching.candidate.weights[actual].name for actual in one.actuals) or None
        entries[place] = WeightMatch(name, matched, cast("WeightStatus", status), detail)
    return entries
