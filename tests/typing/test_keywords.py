"""The types of keywords and of words are those that are accepted when a test runs; nothing else ties them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from typing import get_args

import pytest

from pytest_audioparity import keywords, marks, records
from pytest_audioparity.audio.records import VERDICTS
from pytest_audioparity.captures import Captures
from pytest_audioparity.comparison import tolerances
from pytest_audioparity.roundtrip import declaration, limits
from pytest_audioparity.roundtrip.records import Codec
from pytest_audioparity.sampling import check_sampler
from pytest_audioparity.sampling.verdict import DEFAULT_ORDER
from pytest_audioparity.spec import MARK_KEYWORDS
from pytest_audioparity.weights.records import FAILING, PASSING


def to_mend(typed: type, accepted: set[str]) -> list[str]:
    """Say where a type and the keywords that are accepted differ."""
    typed_ones, place = set(typed.__annotations__), f"{typed.__name__} in keywords.py"
    return [
        *(f"add {name} to {place}" for name in sorted(accepted - typed_ones)),
        *(f"take {name} out of {place}: nothing accepts it" for name in sorted(typed_ones - accepted)),
    ]


@pytest.mark.parametrize(
    ("typed", "accepted"),
    [
        (keywords.Tolerances, set(tolerances.TOLERANCE_KEYWORDS)),
        (keywords.ParityKeywords, set(MARK_KEYWORDS)),
        (keywords.Declarations, set(records.DECLARED)),
        (keywords.RoundtripLimits, set(limits.KEYWORDS)),
        (keywords.CheckRoundtripKeywords, {*limits.KEYWORDS, *Codec.__slots__}),
        (
            keywords.CaptureKeywords,
            {*keywords.Tolerances.__annotations__, *inspect.signature(Captures._capture).parameters}
            - {"self", "tolerance"},
        ),
        (keywords.SamplerKeywords, set(inspect.signature(check_sampler).parameters) - {"draw", "logits"}),
    ],
)
def test_every_keyword_has_a_type(typed, accepted):
    """A keyword that is accepted and has no type would be refused by editors, and the other way round."""
    assert to_mend(typed, accepted) == []


def test_a_type_that_is_missing_is_named():
    """With the class that lacks it, and so is one that nothing accepts."""
    accepted = {*keywords.RoundtripLimits.__annotations__, "max_x"} - {"skip"}
    assert to_mend(keywords.RoundtripLimits, accepted) == [
        "add max_x to RoundtripLimits in keywords.py",
        "take skip out of RoundtripLimits in keywords.py: nothing accepts it",
    ]


def undescribed(source: str, mark: str, names: Iterable[str]) -> list[str]:
    """Say which keywords the docstring of a mark does not describe; it is for editors, and never loaded."""
    (described,) = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and node.name == mark
    )
    texts = [ast.get_docstring(node) or "" for node in described.body if isinstance(node, ast.FunctionDef)]
    heads = [line.partition(" : ")[0] for line in "\n".join(texts).splitlines() if " : " in line]
    found = {name for head in heads for name in head.split(", ")}
    return [f"describe {name} in the docstring of {mark} in marks.py" for name in names if name not in found]


@pytest.mark.parametrize(
    ("mark", "typed"), [("ParityMark", keywords.ParityKeywords), ("RoundtripMark", keywords.RoundtripLimits)]
)
def test_the_docstring_of_a_mark_describes_every_keyword(mark, typed):
    """What an editor shows has all that it completes; a keyword more is missing."""
    source = inspect.getsource(marks)
    names = list(typed.__annotations__)
    assert undescribed(source, mark, names) == []
    assert undescribed(source, mark, [*names, "max_x"]) == [f"describe max_x in the docstring of {mark} in marks.py"]


@pytest.mark.parametrize(
    ("typed", "accepted"),
    [
        (keywords.Kind, records.KINDS),
        (keywords.LogUnit, tuple(records.DB_PER_UNIT)),
        (keywords.Precision, tuple(tolerances.PRESET_DB)),
        (keywords.DtypeRule, tolerances.DTYPES),
        (keywords.WordsRule, tolerances.WORDS),
        (keywords.AudioAxes, declaration._AXES),
        (keywords.RoundtripCheck, tuple(limits.CHECKS)),
        (keywords.SamplerSetting, DEFAULT_ORDER),
        (keywords.Verdict, (records.PASS, records.FAIL, records.NOT_MEASURED)),
        (keywords.AudioVerdict, (*VERDICTS, records.NOT_MEASURED)),
        (keywords.WeightStatus, (*PASSING, *FAILING)),
    ],
)
def test_every_word_is_in_its_literal(typed, accepted):
    """The words that editors offer are those that are accepted, in their order."""
    assert get_args(typed) == accepted
