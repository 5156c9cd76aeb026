"""What may be said of a stage: one rule for what a test declares and for what a file declares."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import shown
from pytest_audioparity.records import DB_PER_UNIT, KINDS, ROLES
from pytest_audioparity.tensorfile import METADATA_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

# No converter, radio receivers included, comes near; a rate above is a mistake of units.
_MAX_RATE = 1e9


def is_stage_name(name: object) -> bool:
    """Whether a name can be carried by a safetensors file and shown in a report: printable text."""
    return isinstance(name, str) and bool(name.strip()) and name.isprintable() and name != METADATA_NAME


def declaration_problem(array: np.ndarray[Any, Any], said: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the declarations of a tensor, or return None.

    Parameters
    ----------
    array : the tensor
    said : values by the names in `records.DECLARED`, and the role; None and absence mean not declared
    """
    kind, axes, unit = said.get("kind"), said.get("axes"), said.get("unit")
    if said.get("role") not in (None, *ROLES):
        return f"role={shown(said['role'])} is none of {', '.join(ROLES)}"
    if kind is not None and not (isinstance(kind, str) and kind in KINDS):
        return f"kind={shown(kind)} is none of {', '.join(KINDS)}"
    if kind == "codes" and array.dtype.kind not in "iub":
        return f"kind='codes' needs integers, got {array.dtype.name}"
    if unit is not None and not (isinstance(unit, str) and unit.isprintable()):
        return f"unit={shown(unit)} is not a line of text"
    if unit is not None and kind == "log_spectrum" and unit not in DB_PER_UNIT:
        return f"unit={shown(unit)} of a log_spectrum is none of {', '.join(DB_PER_UNIT)}"
    if axes is not None and not _are_axes(axes, array.ndim):
        return f"axes={shown(axes)} must name each of its {array.ndim} dimensions with one letter, as in 'BCT'"
    for label in ("sample_rate", "frame_rate"):
        rate = said.get(label)
        if rate is not None and not _is_rate(rate):
            return f"{label}={shown(rate)} is not a positive number of Hz"
    return None


def _are_axes(axes: Any, dimensions: int) -> bool:
    return (
        isinstance(axes, str) and len(axes) == len(set(axes)) == dimensions and all(letter.isalpha() for letter in axes)
    )


def _is_rate(rate: Any) -> bool:
    number = isinstance(rate, numbers.Real) and not isinstance(rate, bool)
    return number and bool(0 < rate < _MAX_RATE)
