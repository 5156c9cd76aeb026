"""Errors of one text against another, counted in words or characters by jiwer.

Both texts are first made alike in what no recogniser hears: compatibility forms (Unicode NFKC), case, punctuation and
symbols, white space. A hyphen parts words, an apostrophe between letters stays. Numbers are left as they are written:
"5" is not "five".
"""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from pytest_audioparity.errors import StageError

Unit = Literal["words", "characters"]
UNITS = ("words", "characters")
# Typographic signs for the apostrophe; NFKC leaves them as they are.
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")
_LONGEST_QUOTED = 120


@dataclass(frozen=True, slots=True)
class WordErrors:
    """What of a text is missing in another one, what is added, what differs.

    Attributes
    ----------
    reference, estimate : the texts as they were compared, normalised
    unit : "words" or "characters": what is counted
    rate : errors over the count of the reference's words, 0 and more: what is added counts too, so that it may exceed
        1. None where the reference has no words
    hits, substitutions, deletions, insertions : counts; deletions are the reference's words that the estimate lacks
    not_measured : why there is no rate, None where there is one
    """

    reference: str
    estimate: str
    unit: Unit
    rate: float | None
    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    not_measured: str | None = None

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def count(self) -> int:
        """How many words, or characters, the reference has."""
        return self.hits + self.substitutions + self.deletions

    @property
    def text(self) -> str:
        """The errors in one line."""
        if self.rate is None:
            return f"not measured: {self.not_measured}"
        if not self.errors:
            return f"all {self.count} {self.unit} right"
        parts = (("replaced", self.substitutions), ("missing", self.deletions), ("added", self.insertions))
        told = ", ".join(f"{number} {what}" for what, number in parts if number)
        return f"{self.count} {self.unit}, {told}: '{_short(self.estimate)}' for '{_short(self.reference)}'"


def word_errors(reference: str, estimate: str, *, unit: Unit = "words") -> WordErrors:
    """Count the errors of a text against what it should say.

    Parameters
    ----------
    reference : what should be said
    estimate : what was recognised
    unit : "words", or "characters" for languages written without spaces, which then do not count; never guessed

    Returns
    -------
    WordErrors; its rate is None where the reference has no words

    Raises
    ------
    StageError : no texts, another unit, or jiwer is not installed

    Examples
    --------
    >>> result = word_errors("Four queens, of clubs!", "for queens of clubs")
    >>> result.rate, result.substitutions
    (0.25, 1)
    """
    if unit not in UNITS:
        raise StageError(f"word_errors: unit={unit!r} is none of {', '.join(UNITS)}")
    for name, text in (("reference", reference), ("estimate", estimate)):
        if not isinstance(text, str):
            raise StageError(f"word_errors: {name} is {type(text).__name__}, not text")
    require("jiwer")
    expected, found = (normalised(text, unit=unit) for text in (reference, estimate))
    if not expected:
        return WordErrors(expected, found, unit, None, not_measured="there are no words in the reference")
    import jiwer

    counted = jiwer.process_words(expected, found) if unit == "words" else jiwer.process_characters(expected, found)
    parts = counted.hits, counted.substitutions, counted.deletions, counted.insertions
    return WordErrors(expected, found, unit, sum(parts[1:]) / sum(parts[:3]), *parts)


def normalised(text: str, *, unit: Unit = "words") -> str:
    """Return a text with everything made alike that is not heard; words are parted by one space, characters by none."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold())
    spoken = "".join(map(_spoken, folded))
    return ("" if unit == "characters" else " ").join(_LONE_APOSTROPHE.sub(" ", spoken).split())


def _spoken(character: str) -> str:
    category = unicodedata.category(character)
    if character == "'" or category[0] in "LMN":  # letters, their marks, numbers
        return character
    return "" if category == "Cf" else " "  # a soft hyphen or a joiner parts no word


def require(package: str) -> None:
    """Say in one line how to install what recognition needs.

    Raises
    ------
    StageError : it is not installed
    """
    if importlib.util.find_spec(package) is None:
        raise StageError(f"the package {package} is not installed: pip install 'pytest-audioparity[asr]'")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTED else text[: _LONGEST_QUOTED - 1] + "…"
