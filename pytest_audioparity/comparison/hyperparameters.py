"""Hyper-parameters that a test declares with `stages.settings`, and their comparison with the golden's: exact."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_audioparity.comparison.tolerances import nearest
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import FAIL, PASS

# Values nested deeper are no hyper-parameters; what reads goldens and pending files allows far more.
_MAX_DEPTH = 16
# Python refuses to read longer numbers from text.
_MAX_BITS = 4096
# Of a value in a report; one that is longer is cut.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class SettingResult:
    """One hyper-parameter beside the golden's.

    Attributes
    ----------
    name : its key
    expected, actual : the values; None also where a side has none, which `problem` tells from a value of None
    problem : what is wrong, or None
    change : what an update makes of it, or None where it stays
    """

    name: str
    expected: Any
    actual: Any
    problem: str | None = None
    change: str | None = None

    @property
    def passed(self) -> bool:
        """Whether both sides have the same value."""
        return self.problem is None

    @property
    def verdict(self) -> str:
        """`pass` or `fail`."""
        return PASS if self.passed else FAIL


def plain_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyper-parameters as plain types: numbers of numpy as Python's, tuples as lists.

    Raises
    ------
    StageError : a key that is no line of text, a value that a golden cannot hold exactly, NaN and infinity included
    """
    plain = {}
    for name, value in values.items():
        if not (isinstance(name, str) and name.strip() and name.isprintable()):
            raise StageError(f"settings: {name!r} is no name: it must be printable text")
        plain["".join(name)] = _plain(value, f"settings: {name}", _MAX_DEPTH)
    return plain


def _plain(value: Any, place: str, depth: int) -> Any:
    if depth == 0:
        raise StageError(f"{place} is nested too deeply")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise StageError(f"{place} has keys that are no text")
        return {_plain(key, place, depth): _plain(item, f"{place}[{key!r}]", depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{index}]", depth - 1) for index, item in enumerate(value)]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    problem = _problem(value)
    if problem is not None:
        raise StageError(f"{place}={value!r} {problem}")
    return "".join(value) if isinstance(value, str) else value


def _problem(value: Any) -> str | None:
    if isinstance(value, str):
        return None if _is_unicode(value) else "is no valid text"
    if isinstance(value, float):
        return None if math.isfinite(value) else "is not finite, so it equals nothing"
    if isinstance(value, int):
        return None if value.bit_length() <= _MAX_BITS else "is too large"
    return None if value is None else "is no number, text, truth value, None, list or mapping"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def merged_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyper-parameters that were declared in two calls.

    Raises
    ------
    StageError : both declare one, with different values
    """
    for name in old.keys() & new.keys():
        if difference(old[name], new[name]) is not None:
            raise StageError(f"settings: {name} was declared as {shown(old[name])} and now as {shown(new[name])}")
    return {**old, **new}


def compare_settings(
    expected: Mapping[str, Any], actual: Mapping[str, Any], *, whole: bool = True
) -> tuple[SettingResult, ...]:
    """Compare hyper-parameters, by their names in alphabetical order.

    Parameters
    ----------
    expected : the golden's
    actual : what the test declared, or another file holds
    whole : whether that is all there will be, so that a name it lacks is missing
    """
    return tuple(_compared(name, expected, actual) for name in sorted({*actual, *(expected if whole else ())}))


def _compared(name: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> SettingResult:
    old, new = expected.get(name), actual.get(name)
    if name not in actual:
        return SettingResult(name, old, new, f"expected {shown(old)}, missing in actual", "removed")
    if name not in expected:
        near = nearest(name, [other for other in expected if other not in actual])
        hint = f"; did you mean {near!r}?" if near else ""
        said = f"actual {shown(new)}, missing in expected{hint}"
        return SettingResult(name, old, new, said, f"added ({shown(new)})")
    place = difference(old, new)
    if place is None:
        return SettingResult(name, old, new)
    where, inner_old, inner_new = place
    at = f"{where}: " if where else ""
    said = f"{at}expected {shown(inner_old)}, actual {shown(inner_new)}"
    return SettingResult(name, old, new, said, f"{at}{shown(inner_old)} -> {shown(inner_new)}")


def difference(old: Any, new: Any, place: str = "") -> tuple[str, Any, Any] | None:
    """Return where two plain values differ first and what is there on both sides, or None where they are equal.

    Numbers are equal by value, 50 and 50.0 too; truth values are no numbers.
    """
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        inner = (difference(old[key], new[key], f"{place}[{key!r}]") for key in sorted(old))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        inner = (difference(*pair, f"{place}[{index}]") for index, pair in enumerate(zip(old, new, strict=True)))
    else:
        same = old == new and isinstance(old, bool) == isinstance(new, bool)
        return None if same else (place, old, new)
    return next((found for found in inner if found is not None), None)


def shown(value: Any) -> str:
    """Write a value as a report shows it: as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
