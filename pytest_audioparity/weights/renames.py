"""Tensors that were exchanged though the candidate has names of its own: the other tensors tell how it names things.

Names are compared with those that differ in one run of words. Where ``encoder.0.q.bias`` is ``enc.0.query.b`` and
``encoder.0.q.weight`` is ``enc.0.query.w`` in most layers, so it is in the one where two tensors stand elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Words = tuple[str, ...]

# Words in which two names of one kind differ at most: `self attn q`, `running mean`.
_MOST_WORDS = 3
# Neighbours in the order of the file that a name is compared with, of the hundred layers that differ in one number.
_NEAREST = 4
# Names that must speak for another place, and how many times as many as for the one where the tensor is.
_LEAST_VOTES, _MORE = 2, 2
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class _Renaming:
    before: Words
    after: Words
    parts: tuple[int, ...]  # for each word of before the part of the dotted name that it is in


def misplaced(renamed: Mapping[int, tuple[str, str]]) -> dict[int, int]:
    """Return the tensors that by the names of all others belong where another one is.

    Parameters
    ----------
    renamed : for each tensor its name in the reference and in the candidate

    Returns
    -------
    for each such tensor the one that is in its place
    """
    names = {place: _renaming(*pair) for place, pair in renamed.items()}
    taken = {name.after: place for place, name in names.items()}
    changes: dict[tuple[Words, Words, Words], Counter[tuple[Words, Words]]] = defaultdict(Counter)
    pairs = []
    for column, row in _rows(names):
        for (one, place), (other, beside) in _pairs(row):
            seen, here = changes[column, one, other], _apart(names[place].after, names[beside].after)
            seen[here] += 1
            pairs.append((seen, place, beside, here))
    votes: dict[int, Counter[Words]] = defaultdict(Counter)
    for seen, place, beside, here in pairs:
        elsewhere = seen - Counter([here])
        if elsewhere:
            (new, old), _ = elsewhere.most_common(1)[0]
            votes[place].update(name for name in _replaced(names[beside].after, old, new) if name in taken)
    return {
        place: taken[wanted]
        for place, told in votes.items()
        if (wanted := _elected(told, names[place])) is not None and wanted != names[place].after
    }


def _renaming(before: str, after: str) -> _Renaming:
    parts = [re.findall(r"[A-Za-z]+|\d+", part) for part in re.split(r"[./]", before)]
    words = tuple(word for part in parts for word in part)
    return _Renaming(
        words,
        tuple(re.findall(r"[A-Za-z]+|\d+", after)),
        tuple(number for number, part in enumerate(parts) for _ in part),
    )


def _rows(names: Mapping[int, _Renaming]) -> Iterator[tuple[Words, list[tuple[Words, int]]]]:
    """Yield names that differ in one run of words: the parts in front of it without their numbers, and the runs."""
    rows: dict[tuple[Words, Words], list[tuple[Words, int]]] = defaultdict(list)
    columns: dict[tuple[Words, Words], Words] = {}
    for place, name in names.items():
        count = len(name.before)
        for first in range(count + 1):
            part = name.parts[min(first, count - 1)] if count else 0
            front = tuple(_NUMBER.sub("#", w) for w, p in zip(name.before, name.parts, strict=True) if p < part)
            for last in range(first, min(first + _MOST_WORDS, count) + 1):
                key = name.before[:first], name.before[last:]
                rows[key].append((name.before[first:last], place))
                columns.setdefault(key, front)
    for key, row in rows.items():
        if len(row) > 1:
            yield columns[key], row


def _pairs(row: list[tuple[Words, int]]) -> Iterator[tuple[tuple[Words, int], tuple[Words, int]]]:
    for number, one in enumerate(row):
        for beside in range(max(0, number - _NEAREST), min(len(row), number + _NEAREST + 1)):
            if beside != number:
                yield one, row[beside]


def _apart(one: Words, other: Words) -> tuple[Words, Words]:
    """Return the words in which two names differ, without those that they begin and end with alike."""
    shorter = min(len(one), len(other))
    front = next((n for n in range(shorter) if one[n] != other[n]), shorter)
    back = next((n for n in range(shorter - front) if one[-1 - n] != other[-1 - n]), shorter - front)
    return one[front : len(one) - back], other[front : len(other) - back]


def _replaced(name: Words, old: Words, new: Words) -> Iterator[Words]:
    """Yield a name with some words replaced, at every place where they are."""
    for first in range(len(name) - len(old) + 1):
        if name[first : first + len(old)] == old:
            yield name[:first] + new + name[first + len(old) :]


def _elected(votes: Counter[Words], name: _Renaming) -> Words | None:
    """Return the name that the others give to a tensor; None where they do not agree."""
    (wanted, most), *_ = votes.most_common(1) or [((), 0)]
    if most < _LEAST_VOTES or most <= _MORE * votes[name.after] * (wanted != name.after):
        return None
    # When weights or biases of two layers may have been exchanged, those are in place that kept their number.
    kept = [_numbers(words) == _numbers(name.before) for words in (name.after, wanted)]
    return None if kept == [True, False] else wanted


def _numbers(words: Words) -> list[str]:
    return [word for word in words if word.isdigit()]
