"""Draws of a foreign sampler as one array of token ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array
from pytest_audioparity.errors import StageError

Array = np.ndarray[Any, Any]

DEFAULT_DRAWS = 10_000
MIN_DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Draws:
    """Token ids in the order they were drawn; `per_call` draws came from each call."""

    tokens: Array
    per_call: int


def collect(draw: Any, logits: Any, n: int | None) -> Draws:
    """Return at least n draws: those given, or what calls of ``draw(logits)`` return.

    Raises
    ------
    StageError : not integers, more than one axis, calls that differ in length, too few draws, n= beside an array
    """
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < MIN_DRAWS):
        raise StageError(f"sampler: n={n!r} must be a whole number of at least {MIN_DRAWS} draws")
    if not callable(draw):
        if n is not None:
            raise StageError("sampler: n= counts the draws of a callable; leave it out when the draws are given")
        tokens = _tokens(draw)
        if tokens.size < MIN_DRAWS:
            raise StageError(f"sampler: {tokens.size} draws are given, at least {MIN_DRAWS} are needed; draw more")
        return Draws(tokens, tokens.size)
    wanted = n or DEFAULT_DRAWS
    parts = [_tokens(draw(logits))]
    size = parts[0].size
    if size == 0:
        raise StageError("sampler: draw(logits) returned no token; it must return one or more integers")
    while len(parts) * size < wanted:
        parts.append(_tokens(draw(logits)))
        if parts[-1].size != size:
            # A number of draws that depends on the draws would make the test invalid.
            raise StageError(f"sampler: draw(logits) returned {size} tokens, then {parts[-1].size}; always return one")
    return Draws(np.concatenate(parts), size)


def _tokens(value: Any) -> Array:
    array = as_array(value, "draws")
    if array.dtype.kind not in "iu":
        raise StageError(f"sampler: draws are token ids, integers; these are {array.dtype}; cast them in draw()")
    if sum(length != 1 for length in array.shape) > 1:
        raise StageError(f"sampler: draws of shape {array.shape} mix several rows; give the draws of one distribution")
    return array.reshape(-1).astype(np.int64)
