"""Whatever two arrays hold, a failure is explained, written as text and as JSON, and nothing of it changes them."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity import ParityResult, compare
from pytest_audioparity.records import FAIL, PASS
from pytest_audioparity.report.json import document, plain, stage_document
from pytest_audioparity.report.meanings import MEANINGS
from pytest_audioparity.report.terminal import render
from tests.properties import arrays

KEYS = set(stage_document(compare(np.ones(3), np.ones(3))))
# What a port may do to a tensor by mistake, one after the other.
CHANGES = {
    "gain": lambda x, random: x * random.choice([0.5, 1.5, -1.0, 32768.0]),
    "offset": lambda x, random: x + random.choice([0.1, -3.0]),
    "clip": lambda x, _: np.clip(x, -0.5, 0.5),
    "exp": lambda x, _: np.exp(np.clip(x, -20, 20)),
    "roll": lambda x, random: np.roll(x, random.randint(1, 5), -1),
    "flip": lambda x, random: np.flip(x, random.randrange(x.ndim)),
    "turn": lambda x, _: np.swapaxes(x, 0, -1),
    "cut": lambda x, random: x[..., random.randint(1, 3) :],
    "longer": lambda x, _: np.concatenate([x, x[..., :2]], -1),
    "reshape": lambda x, _: x.reshape(x.shape[::-1]),
    "half": lambda x, _: x.astype(np.float16).astype(np.float64),
    "zero": lambda x, _: x * 0,
    "noise": lambda x, random: x + 0.01 * np.random.default_rng(random.randint(0, 99)).standard_normal(x.shape),
    "spike": lambda x, _: np.where(np.arange(x.size).reshape(x.shape) == x.size // 2, 99.0, x),
    "late": lambda x, _: np.where(np.arange(x.shape[-1]) < x.shape[-1] // 2, x, 0.3),
}
AXES = {1: "T", 2: "CT", 3: "BCT"}


def assert_explained(result):
    """Hold what is true of every result: known causes, shares of a whole, a text, a document without NaN."""
    shares = [finding.explains for finding in result.findings if finding.explains is not None]
    assert all(0 <= share <= 1 for share in shares)
    # Of two shapes, each share is of what is left where the cause before it is undone.
    assert sum(shares) <= 1 + 1e-9 or result.comparison.expected.shape != result.comparison.actual.shape
    assert {finding.code for finding in result.findings} <= set(MEANINGS)
    assert result.verdict != PASS or not result.findings
    for told in (render(ParityResult("", (result,))), *(finding.message for finding in result.findings)):
        assert told.strip()
    written = document(ParityResult("", (result,)))
    assert json.loads(json.dumps(written, allow_nan=False)) == plain(written)
    (entry,) = written["stages"]
    assert set(entry) == KEYS
    for name in ("deviation_db", "peak_db", "snr_db", "level_db", "bias", "correlation", "gain", "offset", "max_abs"):
        value = getattr(result.comparison, name)
        assert entry[name] == (value if value is not None and math.isfinite(value) else None)


@arrays.HALF
@given(arrays.sides(finite=False, equal_dtypes=False), st.sampled_from([{}, {"tol_db": 0, "dtype": "any"}]))
def test_any_two_arrays_of_one_shape_have_a_report(sides, keywords):
    """Of any types and bits, NaN and infinities included, which leave both arrays as they were."""
    before = [side.tobytes() for side in sides]
    assert_explained(compare(*sides, **keywords))
    assert [side.tobytes() for side in sides] == before


@arrays.QUARTER
@given(st.data())
def test_any_two_shapes_have_a_report(data):
    """Without elements too; what cannot be compared never passes."""
    names = st.sampled_from(arrays.DTYPES)
    shapes = st.one_of(arrays.SHAPES, arrays.EMPTY_SHAPES)
    sides = [
        data.draw(arrays.arranged(data.draw(arrays.values(arrays.dtype_of(data.draw(names)), data.draw(shapes)))))
        for _ in "ea"
    ]
    result = compare(*sides)
    assert_explained(result)
    if sides[0].shape != sides[1].shape:
        assert result.verdict == FAIL


@arrays.HALF
@given(
    st.sampled_from([(90,), (6, 40), (2, 8, 30), (1, 12, 24)]),
    st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["tensor", "log_spectrum", "embedding"]),
    st.randoms(use_true_random=False),
)
def test_any_faults_on_top_of_each_other_have_causes(shape, names, declared, kind, random):
    """Up to three mistakes of a port at once: shares of one error, known names, and inputs as they were."""
    expected = np.random.default_rng(random.randint(0, 999)).standard_normal(shape).cumsum(-1) / 3
    actual = expected.copy()
    with np.errstate(over="ignore"):  # of float16, whose infinities are a fault as well
        for name in names:
            actual = CHANGES[name](actual, random)
    before = expected.tobytes(), actual.tobytes()
    result = compare(expected, actual, kind=kind, unit="ln", axes=AXES[len(shape)] if declared else None)
    assert (expected.tobytes(), actual.tobytes()) == before
    assert_explained(result)
    if not (expected.shape == actual.shape and np.allclose(expected, actual, rtol=0.01)):
        assert result.verdict == FAIL
