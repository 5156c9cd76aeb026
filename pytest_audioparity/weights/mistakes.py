"""The converter's likely mistake, from which tensors were never trained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.weights.initialisers import LEAST_UNIFORM
from pytest_audioparity.weights.labels import module_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_audioparity.weights.records import WeightMatch

# A few values of the same range correlate by chance, but not so much.
_UNRELATED = 0.9


def mistakes(
    entries: Sequence[WeightMatch], ranges: Mapping[str, tuple[float, float, int]]
) -> tuple[list[WeightMatch], list[str]]:
    """Return the entries, small tensors judged with their module, and what the random ones have in common.

    Parameters
    ----------
    entries : one for each tensor of the reference
    ranges : of the candidate's tensors that are different: largest magnitude, correlation and number of values
    """
    told = _with_their_module(entries, ranges)
    random = [entry.name for entry in told if entry.status == "random_init" and "ks" in entry.detail]
    return told, [_mistake(random, told)] if random else []


def _with_their_module(
    entries: Sequence[WeightMatch], ranges: Mapping[str, tuple[float, float, int]]
) -> list[WeightMatch]:
    """Call a tensor too small for a test random where its module is and its values keep to the same range."""
    bounds = {
        module_of(entry.name): (entry.detail["range"], entry.name)
        for entry in entries
        if entry.status == "random_init" and "range" in entry.detail
    }
    told = []
    for entry in entries:
        bound, largest = bounds.get(module_of(entry.name)), ranges.get(entry.name)
        if entry.status != "different" or bound is None or largest is None or largest[2] >= LEAST_UNIFORM:
            told.append(entry)
        elif largest[0] <= bound[0] * (1 + 2.0**-8) and abs(largest[1]) < _UNRELATED:
            detail = {**entry.detail, "range": bound[0], "as": bound[1], "initialiser": "as the tensor beside it"}
            told.append(replace(entry, status="random_init", detail=detail))
        else:
            told.append(entry)
    return told


def _mistake(random: list[str], entries: Sequence[WeightMatch]) -> str:
    # Constants such as norms of ones are equal in an untrained model, and say nothing.
    trained = [entry.name for entry in entries if entry.passed and "reason" not in entry.detail]
    count = f"{len(random)} of {len(entries)} tensors look like a default initialisation"
    matrices = [name for name in trained if name.rpartition(".")[2] in ("weight", "kernel")]
    if not trained or (len(random) > 1 and not matrices):
        return (
            f"{count}, and nothing of the reference's training is in the candidate: its state was never loaded before "
            "the conversion, or loaded with strict=False under other names; check what load_state_dict returns"
        )
    prefix = _common_part(random)
    if prefix and not any(name.startswith(prefix + ".") for name in trained):
        return (
            f"{count}, all of them under {prefix!r}: that part was not loaded (strict=False passes over other names), "
            "or another instance of it was converted"
        )
    return f"{count}: these were not loaded; check the names that strict=False passed over"


def _common_part(names: Sequence[str]) -> str:
    """Return the innermost part of the model that all tensors are in."""
    split = [module_of(name).split(".") for name in names]
    shared = []
    for words in zip(*split, strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return ".".join(shared)
