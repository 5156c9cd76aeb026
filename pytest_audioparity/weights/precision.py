"""What a declared precision allows of casts and quantisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_audioparity.weights.agreement import Agreement

PRECISIONS = ("fp32", "fp16", "bf16", "int8")
_ALLOWED = {
    "fp32": ("float32",),
    "fp16": ("float32", "float16"),
    "bf16": ("float32", "float16", "bfloat16"),
    "int8": ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
}
# A tensor of 8 bits does not use all of its levels everywhere; half of them are 7 bits.
_LEAST_BITS = 7


def within(relation: Agreement, precision: str | None) -> str | None:
    """Return why a rounding is coarser than was declared, or None."""
    if precision is None or relation.kind == "same":
        return None
    if relation.kind == "cast":
        is_allowed = relation.dtype is None or relation.dtype in _ALLOWED[precision]
        return None if is_allowed else f"rounded to {relation.dtype}, which precision {precision} does not allow"
    bits, stored = relation.detail.get("bits", 8), relation.detail.get("stored")
    if precision == "int8" and (bits >= _LEAST_BITS or stored in ("int8", "uint8")):
        return None
    return f"quantised to {stored or f'{bits} bits'}, which precision {precision} does not allow"
