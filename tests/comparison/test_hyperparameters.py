"""Hyper-parameters are compared exactly, and whatever cannot be is refused when it is declared."""

from __future__ import annotations

import enum
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity.comparison.hyperparameters import (
    compare_settings,
    difference,
    merged_settings,
    plain_settings,
    shown,
)
from pytest_audioparity.errors import StageError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def problems(expected, actual, **keywords):
    return {one.name: one.problem for one in compare_settings(expected, actual, **keywords) if not one.passed}


@given(st.dictionaries(st.text("abc", min_size=1), JSON, max_size=4))
def test_what_a_golden_gives_back_equals_what_was_declared(values):
    plain = plain_settings(values)
    assert problems(json.loads(json.dumps(plain, sort_keys=True)), plain) == {}


@given(JSON, JSON)
def test_a_difference_is_found_exactly_where_json_differs(one, other):
    def typed(value):
        if isinstance(value, list):
            return [typed(item) for item in value]
        if isinstance(value, dict):
            return {key: typed(item) for key, item in value.items()}
        return (isinstance(value, bool), value)

    assert (difference(one, other) is None) == (typed(one) == typed(other))
    assert (difference(one, other) is None) == (difference(other, one) is None)


@pytest.mark.parametrize(("old", "new"), [(50, 50.0), (0.1, 0.1), ("a", "a"), (None, None), ([1], [1.0]), ({}, {})])
def test_equal_values_pass(old, new):
    assert problems({"k": old}, {"k": new}) == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (0.9, 0.7, "expected 0.9, actual 0.7"),
        (0.1, 0.1 + 2**-55, "expected 0.1, actual 0.10000000000000003"),
        (1, True, "expected 1, actual true"),
        (0, None, "expected 0, actual null"),
        ("a", "b", 'expected "a", actual "b"'),
        ([1, 2, 3], [1, 5, 3], "[1]: expected 2, actual 5"),
        ([1, 2], [1, 2, 3], "expected [1, 2], actual [1, 2, 3]"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "['a']['b']: expected 1, actual 2"),
        ("x" * 99, "y", f'expected "{"x" * 56}..., actual "y"'),
        ("x" * 58, "y", f'expected "{"x" * 58}", actual "y"'),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, "['a']: expected 1, actual 2"),
        ({"a": 1}, {"b": 1}, 'expected {"a": 1}, actual {"b": 1}'),
    ],
)
def test_other_values_fail_with_what_and_where(old, new, said):
    assert problems({"k": old}, {"k": new}) == {"k": said}


def test_names_of_one_side_are_told_with_the_nearest():
    assert problems({"temperature": 1, "top_k": 2}, {"temprature": 1, "top_k": 2}) == {
        "temperature": "expected 1, missing in actual",
        "temprature": "actual 1, missing in expected; did you mean 'temperature'?",
    }
    assert problems({"a": 1}, {"a": 1, "b": 2}) == {"b": "actual 2, missing in expected"}
    # What the test has declared as well is not what it meant.
    assert problems({"steps": 1}, {"steps": 1, "step": 2}) == {"step": "actual 2, missing in expected"}


def test_before_the_end_of_a_test_nothing_is_missing():
    assert problems({"a": 1, "b": 2}, {"a": 2}, whole=False) == {"a": "expected 1, actual 2"}


def test_changes_are_told_as_an_update_makes_them():
    results = compare_settings({"a": 1, "b": 2, "c": 3}, {"a": 5, "c": 3, "d": [1]})
    assert {one.name: one.change for one in results} == {"a": "1 -> 5", "b": "removed", "c": None, "d": "added ([1])"}
    assert [one.verdict for one in results] == ["fail", "fail", "pass", "fail"]


def test_numbers_of_numpy_tuples_and_texts_of_enumerations_are_plain():
    class Mode(str, enum.Enum):
        FAST = "fast"

    values = {
        "a": np.float32(0.5),
        "b": (np.int64(3), np.bool_(True)),
        "c": Mode.FAST,
        "d": np.array(2),
        "e": {"f": ()},
    }
    plain = plain_settings(values)
    assert plain == {"a": 0.5, "b": [3, True], "c": "fast", "d": 2, "e": {"f": []}}
    assert [type(plain["a"]), type(plain["b"][1]), type(plain["c"])] == [float, bool, str]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"t": float("nan")}, "settings: t=nan is not finite"),
        ({"t": [1, np.inf]}, r"settings: t\[1\]=inf is not finite"),
        ({"t": {"a": object()}}, r"settings: t\['a'\]=<object .*> is no number"),
        ({"t": np.ones(2)}, "is no number, text"),
        ({"t": b"x"}, "is no number, text"),
        ({"t": 1j}, "is no number, text"),
        ({"t": {1: 2}}, "has keys that are no text"),
        ({"t": "\ud800"}, "is no valid text"),
        ({"t": 1 << 5000}, "is too large"),
        ({3: 1}, "3 is no name"),
        ({"": 1}, "'' is no name"),
        ({"a\nb": 1}, "is no name"),
        ({" ": 1}, "' ' is no name"),
        ({"t": np.datetime64("2020")}, "is no number, text"),
        ({"t": 1 << 4096}, "is too large"),
        ({"t": -(1 << 4096)}, "is too large"),
    ],
)
def test_what_cannot_be_compared_exactly_is_refused(values, message):
    with pytest.raises(StageError, match=message):
        plain_settings(values)


def nested(levels):
    return 1 if levels == 0 else [nested(levels - 1)]


def test_what_is_as_large_and_as_deep_as_allowed_is_kept():
    values = {"a": (1 << 4096) - 1, "b": 1 - (1 << 4096), "c": nested(15), "d": {"e": nested(14)}}
    assert plain_settings(values) == values
    for deeper in (nested(16), {"e": nested(15)}):
        with pytest.raises(StageError, match="nested too deeply"):
            plain_settings({"t": deeper})


def test_names_and_texts_of_numpy_become_plain_ones():
    plain = plain_settings({np.str_("a"): {np.str_("b"): np.str_("c")}})
    assert plain == {"a": {"b": "c"}}
    ((name, value),) = plain.items()
    assert {type(text) for text in (name, *value.keys(), *value.values())} == {str}


def test_what_only_looks_like_a_number_of_numpy_is_refused():
    class Odd:
        shape = ()

    with pytest.raises(StageError, match="is no number, text"):
        plain_settings({"t": Odd()})


def test_a_value_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(StageError, match="nested too deeply"):
        plain_settings({"t": endless})


def test_calls_add_up_and_contradictions_are_refused():
    assert merged_settings({"a": 1}, {"a": 1.0, "b": 2}) == {"a": 1.0, "b": 2}
    with pytest.raises(StageError, match="settings: a was declared as 1 and now as 2"):
        merged_settings({"a": 1}, {"a": 2})


def test_values_are_shown_as_json_and_cut():
    assert shown({"a": [True, None, "ä"]}) == '{"a": [true, null, "ä"]}'
    assert len(shown(list(range(100)))) == 60
