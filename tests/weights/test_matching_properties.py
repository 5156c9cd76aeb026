"""Random nets: whatever converters do to every tensor passes, and one fault in one tensor fails that one alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_audioparity import compare_weights
from tests.weights.test_matching_statuses import heavy

SHAPES = ((24,), (24, 20), (20, 20), (6, 20, 5), (40, 12), (3, 5, 7, 2))


def net(seed, count):
    rng = np.random.default_rng(seed)
    return {
        f"{chr(97 + place)}.values": heavy(SHAPES[rng.integers(len(SHAPES))], seed + place) for place in range(count)
    }


def converted(values, kind, rng):
    if kind == "half":
        return values.astype(np.float16)
    if kind == "transposed":
        return values.transpose(rng.permutation(values.ndim))
    if kind == "transposed half":
        return values.transpose(rng.permutation(values.ndim)).astype(np.float16)
    if kind == "unit axis":
        return values[np.newaxis]
    if kind == "int8":
        step = np.abs(values).max() / 127
        return (np.round(values / step) * step).astype(np.float32)
    return values


def broken(values, kind, rng):
    place = tuple(int(rng.integers(size)) for size in values.shape)
    wrong = values.copy()
    if kind == "element":
        wrong[place] *= np.float32(1.02)
    elif kind == "negated":
        wrong = -wrong
    elif kind == "scaled":
        wrong = wrong * np.float32(1.1)
    elif kind == "tuned":
        wrong = (wrong * (1 + 0.01 * rng.standard_normal(wrong.shape))).astype(np.float32)
    elif kind == "nan":
        wrong[place] = np.nan
    elif kind == "rolled":
        wrong = np.roll(wrong, 1, axis=0)
    return wrong


CONVERSIONS = ("same", "half", "transposed", "transposed half", "unit axis", "int8")
FAULTS = ("element", "negated", "scaled", "tuned", "nan", "rolled")


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), kinds=st.lists(st.sampled_from(CONVERSIONS), min_size=1, max_size=6))
def test_every_conversion_of_every_tensor_passes(seed, kinds):
    rng = np.random.default_rng(seed)
    reference = net(seed, len(kinds))
    changed = [converted(values, kind, rng) for values, kind in zip(reference.values(), kinds, strict=True)]
    order = rng.permutation(len(changed))
    result = compare_weights(reference, {f"x{place}": changed[place] for place in order})
    assert result.passed, [(one.name, one.status, one.detail) for one in result.matches if not one.passed]
    assert not result.extra


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 5),
    kind=st.sampled_from(FAULTS),
    place=st.integers(0, 4),
    half=st.booleans(),
)
def test_one_fault_in_one_tensor_fails_that_one_alone(seed, count, kind, place, half):
    rng = np.random.default_rng(seed)
    reference = net(seed, count)
    name = list(reference)[place % count]
    candidate = {**reference, name: broken(reference[name], kind, rng)}
    if half:
        candidate = {key: values.astype(np.float16) for key, values in candidate.items()}
    result = compare_weights(reference, candidate)
    assert [one.name for one in result.matches if not one.passed] == [name]


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), kinds=st.lists(st.sampled_from((*CONVERSIONS, *FAULTS)), min_size=2, max_size=4))
def test_names_order_and_what_is_there_beside_change_no_status(seed, kinds):
    """Each tensor has the status it has alone in its place, in any order on either side, also beside tensors more."""
    rng = np.random.default_rng(seed)
    reference = net(seed, len(kinds))
    changes = {**dict.fromkeys(CONVERSIONS, converted), **dict.fromkeys(FAULTS, broken)}
    candidate = {
        name: changes[kind](values, kind, rng) for (name, values), kind in zip(reference.items(), kinds, strict=True)
    }
    plain = statuses_of(reference, candidate)
    shuffled = [dict(sorted(side.items(), key=lambda _: rng.random())) for side in (reference, candidate)]
    assert statuses_of(*shuffled) == plain
    assert statuses_of(reference, {"more": heavy((7, 9), seed + 99), **candidate}) == plain
    # A power of two rounds nothing, so that only half precision may see it.
    if not any("half" in kind for kind in kinds):
        twice = [{name: values * np.float32(2) for name, values in side.items()} for side in (reference, candidate)]
        assert statuses_of(*twice) == plain


def statuses_of(reference, candidate):
    return {one.name: one.status for one in compare_weights(reference, candidate).matches}
