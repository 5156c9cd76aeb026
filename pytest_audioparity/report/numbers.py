"""Numbers as text: few digits, and never a text that says something else than the number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_audioparity.records import Side

# Longest text of `short`: a column of the stage table less the space before it.
SHORT = 7


def short(value: float | None) -> str:
    """Write a number in at most seven characters, four significant digits where they fit."""
    if value is None:
        return "-"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    for digits in (4, 3, 2, 1):
        text = f"{value:.{digits}g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
        if len(text) <= SHORT:
            return text
    return text


def decibel(value: float | None) -> str:
    """Write a deviation: never rounded to zero unless it is zero, and no more digits than one reads."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if value < 0.001:
        return f"{value:.1e}".replace("e-0", "e-")
    return f"{value:.4f}" if value < 1 else f"{value:.2f}"


def size_text(count: int) -> str:
    """Write a number of bytes as one reads it."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def counted(count: int, word: str) -> str:
    """Write a number with its noun: ``1 stage``, ``2 stages``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def share_text(explains: float | None) -> str:
    """Write what a finding explains, to stand behind its code: `` (99.8 % of the error)``, empty where not known."""
    return "" if explains is None else f" ({percent(explains)} of the error)"


def share_of(count: int, total: int, verb: str) -> str:
    """Write how many stages of all do something: ``1 of 4 stages fails``, ``2 of 4 stages fail``."""
    return f"{count} of {counted(total, 'stage')} {_of_one(verb) if count == 1 else verb}"


def _of_one(verb: str) -> str:
    return f"{verb}es" if verb.endswith("s") else f"{verb}s"


def cut(lines: list[str], shown: int, *, hint: str = "") -> list[str]:
    """Return the first of some lines, and one that counts the rest."""
    more = len(lines) - shown
    return lines if more <= 0 else [*lines[:shown], f"... and {more} more{hint}"]


def percent(share: float) -> str:
    """Write a share as a percentage that says neither 0 nor 100 % unless it is."""
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    if share < 0.0001 or share > 0.9999:
        return "<0.01 %" if share < 0.5 else ">99.99 %"
    return f"{100 * share:.2f} %"


def round_up(value: float) -> str:
    """Write a number with three digits, rounded so that the text is not smaller than the number."""
    return _rounded(value, +1)


def round_down(value: float) -> str:
    """Write a number with three digits, rounded so that the text is not larger than the number."""
    return _rounded(value, -1)


def _rounded(value: float, direction: int) -> str:
    if value == 0:
        return "0"
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    if step == 0:  # a subnormal number has no third digit
        return f"{value!r}"
    text = f"{(math.ceil if direction > 0 else math.floor)(value / step) * step:.3g}"
    while (float(text) - value) * direction < 0:
        text = f"{float(text) + direction * step:.3g}"
    return text


def score_text(side: Side) -> str:
    """Write the one number of a score."""
    return "-" if side.mean is None else f"{side.mean:.3f}"
