"""What became of the tensors that are nowhere in the candidate: scaled, different, never trained, or missing."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.constants import familiar
from pytest_audioparity.weights.agreement import difference
from pytest_audioparity.weights.fingerprints import CLOSE
from pytest_audioparity.weights.initialisers import initialiser
from pytest_audioparity.weights.labels import is_recurrent, module_of, shared_words
from pytest_audioparity.weights.layouts import is_reshaped, layouts, likely, squeezed
from pytest_audioparity.weights.mistakes import mistakes
from pytest_audioparity.weights.pool import GRAPHS, size_of
from pytest_audioparity.weights.records import WeightMatch
from pytest_audioparity.weights.unused import codebook_of, unused_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.weights.agreement import Difference
    from pytest_audioparity.weights.pool import Pool
    from pytest_audioparity.weights.search import Found

    Array = np.ndarray[Any, Any]

# A correlation beyond so many standard errors is no chance, and one below a tenth says nothing of the same training.
_ERRORS, _UNRELATED = 5.0, 0.1
# Layouts that are measured in full for the report on a tensor that is none of them.
_LAYOUTS = 6
# Biases that ONNX keeps in one: two of every direction.
_MOST_PARTS = 4


def explained(
    reference: Pool,
    candidate: Pool,
    own: Mapping[int, int],
    found: Mapping[int, Found],
    matches: Mapping[int, WeightMatch],
) -> tuple[list[WeightMatch], list[str], set[int]]:
    """Return an entry for every tensor of the reference in its order, notes on all, and the tensors spoken of."""
    told = _Failures(reference, candidate, own, found)
    entries = [matches[place] if place in matches else told.entry(place) for place in range(reference.real)]
    entries, notes = mistakes(entries, told.ranges)
    return entries, notes, told.spoken_of


class _Failures:
    def __init__(self, reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]) -> None:
        self._reference, self._candidate, self._own, self._found = reference, candidate, own, found
        self._used = {actual for one in found.values() for actual in one.actuals}
        self._names_found = {reference.weights[place].name for place in found}
        self.spoken_of: set[int] = set()
        self._by_module: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        for weight in reference.weights:
            self._by_module[module_of(weight.name)].append(weight.shape)
        self._fits: dict[tuple[int, tuple[tuple[int, ...], ...], bool], dict[str, Any] | None] = {}
        # Name of a tensor -> its largest magnitude and correlation: what a neighbour that is random says about it.
        self.ranges: dict[str, tuple[float, float, int]] = {}

    def entry(self, place: int) -> WeightMatch:
        """Return what became of a tensor that is nowhere."""
        weight = self._reference.weights[place]
        expected = self._reference.read(place)
        other = self._own.get(place)
        is_graph = self._reference.format in GRAPHS
        unused = unused_reason(weight.name, expected, is_absent=other is None, is_graph=is_graph)
        if other is None and codebook_of(weight.name) in self._names_found:
            unused = "averages of the training; inference reads the codebook beside them"
        if unused is not None:
            if other is not None:
                self.spoken_of.add(other)
            named = None if other is None else self._candidate.weights[other].name
            return WeightMatch(weight.name, named, "fused", {"reason": unused})
        if other is not None:
            self.spoken_of.add(other)
            return self._against(place, expected, other)
        return (
            self._scaled_elsewhere(place, expected)
            or self._random_elsewhere(place, expected)
            or self._random_among(place)
            or self._missing(place)
        )

    def _against(self, place: int, expected: Array, other: int) -> WeightMatch:
        """Compare a tensor with its namesake, which it is not."""
        weight, partner = self._reference.weights[place], self._candidate.weights[other]
        actual = self._candidate.read(other)
        if actual.size != expected.size:
            detail: dict[str, Any] = {"shape": [list(expected.shape), list(actual.shape)], "reason": "another shape"}
            return WeightMatch(weight.name, partner.name, "different", detail)
        measured, detail = self._measured(expected, actual)
        if is_reshaped(expected, actual):
            reason = "reshaped, not transposed: the values are in the same order of memory under other axes"
            return WeightMatch(weight.name, partner.name, "different", {**detail, "reason": reason})
        if measured is None:
            detail["reason"] = "another shape"
            return WeightMatch(weight.name, partner.name, "different", detail)
        if measured.is_scaled:
            return WeightMatch(weight.name, partner.name, "scaled", detail | _factor(measured, expected.shape))
        self.ranges[weight.name] = (float(np.abs(actual).max()), measured.correlation or 0.0, actual.size)
        looks = self._random(place, other, measured)
        if looks is not None:
            return WeightMatch(weight.name, partner.name, "random_init", detail | looks)
        if (holds := self._holder(other, place)) is not None:
            detail["holds"] = holds
        return WeightMatch(weight.name, partner.name, "different", detail)

    def _measured(self, expected: Array, actual: Array) -> tuple[Difference | None, dict[str, Any]]:
        """Return the numbers of the layout that explains most."""
        best: Difference | None = None
        options = likely(expected, actual) or list(layouts(expected.shape, actual.shape))
        for layout in options[:_LAYOUTS]:
            one = difference(*layout.views(expected, actual))
            if best is None or abs(one.correlation or 0) > abs(best.correlation or 0) + 1e-9 or one.is_scaled:
                best = one
            if one.is_scaled:
                break
        if best is None:
            return None, {"shape": [list(expected.shape), list(actual.shape)]}
        detail: dict[str, Any] = {
            "correlation": best.correlation,
            "deviation_db": best.deviation_db,
            "level_db": best.level_db,
            "changed": best.changed,
            "of": expected.size,
        }
        if best.nonfinite:
            detail["nonfinite"] = best.nonfinite
        return best, detail

    def _random(self, place: int, other: int, measured: Difference) -> dict[str, Any] | None:
        """Return how an untrained tensor was made; None for one that has to do with the reference, or fits nothing."""
        limit = max(_UNRELATED, _ERRORS / math.sqrt(max(1, measured.count)))
        if measured.correlation is not None and abs(measured.correlation) > limit:
            return None
        looks = self._looks(place, other)
        if looks is None:
            return None
        shapes = self._shapes(place, self._candidate.weights[other].shape)
        if self._reference.fingerprint(place).is_constant and "ks" not in looks:
            return None  # one constant for another is a difference, not an initialisation
        before = initialiser(self._reference.read(place), shapes)
        if before is not None and "ks" in before:
            looks["reference"] = "looks so as well: was it drawn with another seed?"
        return looks

    def _looks(self, place: int, other: int) -> dict[str, Any] | None:
        """Return which initialiser a tensor of the candidate fits, asked once for all that it may stand for."""
        shapes = tuple(self._shapes(place, self._candidate.weights[other].shape))
        key = other, shapes, is_recurrent(self._reference.weights[place].name)
        if key not in self._fits:
            self._fits[key] = initialiser(self._candidate.read(other), shapes, is_recurrent=key[2])
        known = self._fits[key]
        return None if known is None else dict(known)

    def _shapes(self, place: int, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the shapes whose sizes an initialiser may have used: of the tensor, and of its module's others."""
        weight = self._reference.weights[place]
        return list(dict.fromkeys([shape, weight.shape, *self._by_module[module_of(weight.name)]]))

    def _holder(self, other: int, place: int) -> str | None:
        """Return the reference's tensor that a candidate's holds, where that is another one."""
        for owner, one in self._found.items():
            if owner != place and one.actuals and len(one.actuals) == 1:
                same = self._reference.fingerprint(owner) if self._is_alike(owner, other) else None
                if same is not None and same.distance(self._candidate.fingerprint(other)) < CLOSE:
                    return self._reference.weights[owner].name
        return None

    def _is_alike(self, owner: int, other: int) -> bool:
        size = size_of(self._candidate.weights[other].shape)
        is_own = self._own.get(owner) == other
        return not is_own and size_of(self._reference.weights[owner].shape) == size and size > 16

    def _scaled_elsewhere(self, place: int, expected: Array) -> WeightMatch | None:
        """Return the entry of a tensor without a namesake that the candidate holds times a factor."""
        weight, told = self._reference.weights[place], self._reference.fingerprint(place)
        if told.is_constant or told.size < 16:
            return None
        for other in self._candidate.of_size(expected.size):
            if other >= self._candidate.real or other in self._used:
                continue
            if told.distance(self._candidate.fingerprint(other), scale_free=True) > CLOSE:
                continue
            measured, detail = self._measured(expected, self._candidate.read(other))
            if measured is not None and measured.is_scaled:
                self.spoken_of.add(other)
                name = self._candidate.weights[other].name
                return WeightMatch(weight.name, name, "scaled", detail | _factor(measured, expected.shape))
        return None

    def _random_elsewhere(self, place: int, expected: Array) -> WeightMatch | None:
        """Return the entry of a tensor in whose stead an unused one of its shape looks untrained."""
        weight = self._reference.weights[place]
        shape = sorted(squeezed(weight.shape))
        options = [
            other
            for other in self._candidate.of_size(expected.size)
            if other < self._candidate.real
            and other not in self._used
            and sorted(squeezed(self._candidate.weights[other].shape)) == shape
        ]
        options.sort(key=lambda other: -shared_words(weight.name, self._candidate.weights[other].name))
        # One tensor may stand for two only where it is the sum of both.
        options.sort(key=lambda other: other in self.spoken_of)
        for other in options:
            if self._looks(place, other) is None:
                continue
            measured, detail = self._measured(expected, self._candidate.read(other))
            looks = None if measured is None else self._random(place, other, measured)
            is_taken = other in self.spoken_of and not (looks or {}).get("initialiser", "").startswith("two added")
            if looks is not None and "ks" in looks and not is_taken:
                self.spoken_of.add(other)
                return WeightMatch(
                    weight.name, self._candidate.weights[other].name, "random_init", {**detail, **looks, "by": "shape"}
                )
        return None

    def _missing(self, place: int) -> WeightMatch:
        weight = self._reference.weights[place]
        detail: dict[str, Any] = {"shape": list(weight.shape)}
        alike = [
            self._candidate.weights[other].name
            for other in self._candidate.of_size(size_of(weight.shape))
            if other < self._candidate.real and other not in self._used
        ]
        if alike:
            detail["unmatched_of_its_size"] = alike[:3]
        return WeightMatch(weight.name, None, "missing", detail)

    def _random_among(self, place: int) -> WeightMatch | None:
        """Return the entry of a vector in whose stead the candidate has several in one, untrained ones."""
        weight, size = self._reference.weights[place], size_of(self._reference.weights[place].shape)
        if len(squeezed(weight.shape)) != 1:
            return None
        for other, partner in enumerate(self._candidate.weights[: self._candidate.real]):
            parts, left = divmod(size_of(partner.shape), size)
            if other in self._used or left or not 2 <= parts <= _MOST_PARTS or len(squeezed(partner.shape)) > 1:
                continue
            looks = initialiser(self._candidate.read(other), self._shapes(place, weight.shape))
            if looks is not None and "ks" in looks:
                self.spoken_of.add(other)
                return WeightMatch(weight.name, partner.name, "random_init", {**looks, "by": "size"})
        return None


def _factor(measured: Difference, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the factor of a scaled tensor, named where it is a familiar constant."""
    assert measured.gain is not None
    said: dict[str, Any] = {"factor": measured.gain}
    if abs(measured.gain + 1) < 1e-6:
        return {**said, "constant": "-1"}
    known = familiar(measured.gain, measured.gain_error, shape)
    if known is not None:
        said["constant"] = ("-" if measured.gain < 0 else "") + known[0]
        if known[1]:
            said["hint"] = known[1]
    return said
