"""Layers of a list that are numbered in another order than the reference's, under names of the candidate's own.

A converter may begin to count elsewhere, or leave numbers out. It has no reason to exchange two layers.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Words = tuple[str, ...]
    # The name of a tensor around one of its numbers, in the reference and in the candidate.
    Pair = tuple[Words, Words]

# A list that runs backwards from its first layer to its last may be meant so: an upsampling path that is counted from
# its other end. Three layers look the same when the first and the last are exchanged.
_BACKWARDS = 4


def renumbered(names: Mapping[int, tuple[str, str]], shapes: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
    """Return the tensors whose number is not in the order of the others in their list.

    Parameters
    ----------
    names : for each tensor its name in the reference and in the candidate
    shapes : of each tensor

    Returns
    -------
    for each such tensor the one that is in its place
    """
    lists: dict[Pair, dict[int, tuple[int, int]]] = defaultdict(dict)
    sizes: Counter[tuple[str, Words]] = Counter()
    for place, (before, after) in names.items():
        sizes.update(("before", front) for front, _ in _numbers(before))
        sizes.update(("after", back) for back, _ in _numbers(after))
        for front, number in _numbers(before):
            for back, other in _numbers(after):
                lists[front, back][number] = (other, place)
    backwards = {_list(pair) for pair, members in lists.items() if _is_backwards(members, shapes)}
    goes: dict[int, int] = {}
    for pair, members in lists.items():
        # Names that tensors of any kind have, as `onnx::MatMul_217`, are in no order.
        is_one = sizes["before", pair[0]] == sizes["after", pair[1]] == len(members)
        if is_one and _list(pair) not in backwards:
            goes |= _out_of_order(members, shapes)
    return goes


def _numbers(name: str) -> Iterator[tuple[Words, int]]:
    """Yield every number of a name with the words around it."""
    words = re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]+", name)
    for at, word in enumerate(words):
        if word.isdigit():
            yield (*words[:at], "#", *words[at + 1 :]), int(word)


def _list(pair: Pair) -> Pair:
    """Return the names in front of the number, which all tensors of the list's layers share."""
    front, back = (words[: words.index("#")] for words in pair)
    return front, back


def _is_backwards(members: Mapping[int, tuple[int, int]], shapes: Mapping[int, tuple[int, ...]]) -> bool:
    others = [members[number][0] for number in sorted(members)]
    sizes = {shapes[place] for _, place in members.values()}
    falls = all(one > two for one, two in itertools.pairwise(others))
    return falls and len(others) > 1 and (len(others) >= _BACKWARDS or len(sizes) == len(others))


def _out_of_order(members: Mapping[int, tuple[int, int]], shapes: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
    """Return for each tensor that stands elsewhere in the order of its list the one that is in its place."""
    order = [members[number] for number in sorted(members)]
    wanted = sorted(order)
    return {
        place: instead
        for (other, place), (number, instead) in zip(order, wanted, strict=True)
        if other != number and sorted(shapes[place]) == sorted(shapes[instead])
    }
