"""Orders of gates: what each framework's recurrent layers expect, and whether a candidate has them so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_audioparity.weights.labels import is_recurrent, module_of, recurrent_family
from pytest_audioparity.weights.layouts import squeezed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_audioparity.weights.records import Weight

# Letters: i input, f forget, g cell (also called c or z), o output; r reset, z update, n new (also called h).
_ORDERS = {
    "torch": {4: "ifgo", 3: "rzn"},
    "mlx": {4: "ifgo", 3: "rzn"},
    "keras": {4: "ifgo", 3: "zrn"},
    "onnx": {4: "iofg", 3: "zrn"},
    "coreml": {4: "ifog", 3: "rzn"},
}
_DEFAULT = "torch"
# What the framework itself calls the order.
_SAID = {"iofg": "iofc", "zrn": "zrh"}


def order_of(blocks: Sequence[int], reference: str) -> str:
    """Return the order of gates in the candidate, from the order of the reference and how its blocks moved."""
    return "".join(reference[block] for block in blocks)


def gate_counts(weights: Sequence[Weight]) -> dict[str, int]:
    """Return how many gates each recurrent module has, from its recurrent weight: so many times as tall as wide."""
    counts = {}
    for weight in weights:
        shape = squeezed(weight.shape)
        if re.search(r"weight_hh|Wh$|recurrent_kernel|recurrent_weight", weight.name) and len(shape) == 2:
            tall, wide = max(shape), min(shape)
            if tall % wide == 0 and tall // wide in (3, 4):
                counts[module_of(weight.name)] = tall // wide
    return counts


def families(weights: Sequence[Weight], file_format: str) -> dict[str, str]:
    """Return whose order the tensors of recurrent layers must have; a plain `bias` is what its module is."""
    told = {weight.name: recurrent_family(weight, file_format) for weight in weights}
    if file_format == "mlpackage":  # the program says which tensors a recurrent operator reads, and none more are
        return {name: family for name, family in told.items() if family is not None}
    by_module = {module_of(name): family for name, family in told.items() if family is not None}
    known = {name: family or by_module.get(module_of(name)) for name, family in told.items()}
    return {name: family for name, family in known.items() if family is not None}


class Gates:
    """What is expected of the gates of one tensor.

    Parameters
    ----------
    family, other_family : whose order either side must have, None where that is not known
    name, other_name : of both tensors
    """

    def __init__(self, family: str | None, other_family: str | None, name: str, other_name: str) -> None:
        self._family, self._other = family, other_family
        self.is_recurrent = is_recurrent(name) or is_recurrent(other_name)

    def judged(self, blocks: Sequence[int] | None, count: int) -> tuple[bool, dict[str, Any]]:
        """Return whether the candidate's gates are in the order that its runtime reads them in, and what to say.

        Parameters
        ----------
        blocks : how the blocks moved; None where nothing did
        count : how many gates the layer has, 0 where that is not known

        Notes
        -----
        Where nobody knows the candidate's convention, any order that some framework has is good.
        """
        parts = len(blocks) if blocks and len(blocks) > 1 else count
        if parts not in (3, 4) or not self.is_recurrent:
            return True, {}
        family = self._family or _DEFAULT
        before = _ORDERS[family][parts]
        after = order_of(blocks if blocks and len(blocks) > 1 else range(parts), before)
        said = {"gates": f"{_SAID.get(before, before)} -> {_SAID.get(after, after)}"}
        if self._other is None or self._family is None:
            # A cell that was taken apart into single operations may keep whatever order it had.
            known = {orders[parts] for orders in _ORDERS.values()}
            return after in known, said if after != before else {}
        wanted = _ORDERS[self._other][parts]
        if after != wanted:
            return False, {**said, "expected_gates": _SAID.get(wanted, wanted), "convention": self._other}
        return True, said if after != before else {}
