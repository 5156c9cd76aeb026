"""What a name says of a tensor's part in its layer, in words that contradict each other: query and key.

Whoever exchanged the tensors of every layer left nothing among the names to tell it by but these words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_EDGE, _END = r"(?:^|[._/])", r"(?:[._/]|$)"


def _part(*words: str) -> re.Pattern[str]:
    """Match a whole word of a name, or one with what layers are called behind or in front of it."""
    return re.compile(
        rf"{_EDGE}(?:to_|attn_|linear_)?(?:{'|'.join(words)})(?:_?(?:proj|lin|linear))?{_END}", re.IGNORECASE
    )


ATTENTION = ("query", "key", "value")
_GROUPS = (
    {
        "query": _part("q", "query", "wq"),
        "key": _part("k", "key", "wk"),
        "value": _part("v", "value", "wv"),
    },
    {part: re.compile(rf"ffn_{part}{_END}|{_EDGE}{part}_proj{_END}", re.IGNORECASE) for part in ("gate", "up", "down")},
    {
        "input": re.compile(rf"{_EDGE}(?:weight_ih|w_ih|wx){_END}|weight_ih_l\d", re.IGNORECASE),
        "state": re.compile(rf"{_EDGE}(?:weight_hh|w_hh|wh|recurrent_kernel){_END}|weight_hh_l\d", re.IGNORECASE),
    },
    {
        "self-attention": re.compile("self_?att", re.IGNORECASE),
        "cross-attention": re.compile("cross_?att|encoder_attn|encdec_?att|src_attn", re.IGNORECASE),
    },
)
_BACKWARDS = re.compile(
    r"reverse|backward|(?:^|[._/])(?:bw|bwd|back)(?:[._/]|$)|_(?:bw|bwd|back)(?:[._/]|$)", re.IGNORECASE
)


def contradiction(one: str, other: str) -> tuple[str, str] | None:
    """Return the two parts that two names of one tensor give it, or None where they do not contradict each other."""
    for group in _GROUPS:
        said = [_only(group, name) for name in (one, other)]
        if said[0] is not None and said[1] is not None and said[0] != said[1]:
            return said[0], said[1]
    return None


def runs_backwards(name: str) -> bool:
    """Whether a name says that a recurrent layer reads from the end."""
    return _BACKWARDS.search(name) is not None


def have_directions(names: Iterable[str]) -> bool:
    """Whether some name says so: then the others run forwards."""
    return any(map(runs_backwards, names))


def _only(group: dict[str, re.Pattern[str]], name: str) -> str | None:
    """Return the one part that a name speaks of; None for none and for several."""
    told = [part for part, pattern in group.items() if pattern.search(name)]
    return told[0] if len(told) == 1 else None


def part_of_attention(name: str) -> str | None:
    """Return which of query, key and value a name speaks of, or None."""
    return _only(_GROUPS[0], name)
