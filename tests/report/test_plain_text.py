"""Texts by the cells that they take, and in encodings that lack their characters."""

from __future__ import annotations

import pytest
from _pytest._io.wcwidth import wcswidth
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity.report.colours import painted, painted_first
from pytest_audioparity.report.plain_text import cells, encodable, hanging, padded, shortened, wrapped

TEXTS = ["", "mel", "入力/テンソル", "é", "e\u0301", "ﾃﾝｿﾙ", "🎵 audio", "한국어", "mel·é", "Ｗｉｄｅ"]


@pytest.mark.parametrize("text", TEXTS)
def test_widths_are_those_that_pytest_measures(text):
    """An independent implementation of the same annex of Unicode."""
    assert cells(text) == wcswidth(text)
    assert cells(padded(text, 20)) == 20


def test_a_text_is_cut_before_the_cell_that_does_not_fit():
    """A wide character is not cut in two."""
    assert [shortened("aテb", width) for width in range(5)] == ["", "a", "a", "aテ", "aテb"]


words = st.text("ab入-力é", min_size=1, max_size=12)


@given(st.lists(words, min_size=1, max_size=12), st.integers(4, 30), st.integers(0, 40))
def test_wrapping_keeps_every_word_and_every_line_fits_or_is_one_word(some, width, taken):
    """Of the first line, less is there."""
    lines = wrapped(" ".join(some), width, taken=taken)
    assert " ".join(lines).split() == some
    for place, line in enumerate(lines):
        assert cells(line) <= width - (taken if place == 0 else 0) or " " not in line
    assert not taken or cells(lines[0]) <= max(0, width - taken), "what is taken of the first line is overwritten"


def test_lines_are_filled():
    """A word stands in the line before if there is room."""
    assert wrapped("aa bb cc", 5) == ["aa bb", "cc"]
    assert wrapped("aa bb cc", 5, taken=3) == ["aa", "bb cc"]
    assert wrapped("入力 力力 c", 9) == ["入力 力力", "c"]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("short: as it is", ["short: as it is"]),
        ("  note: aaaa bbbb cccc dddd eeee", ["  note: aaaa bbbb", "        cccc dddd", "        eeee"]),
        ("aaaaaaaaaa bbbbbbbbbb cccccccc", ["aaaaaaaaaa", "    bbbbbbbbbb", "    cccccccc"]),
        ("  入力: 力力力 力力力", ["  入力: 力力力", "        力力力"]),
    ],
)
def test_a_long_line_hangs_below_its_own_beginning(line, lines):
    """A text behind its label, anything else a little to the right; nothing is wider than asked for."""
    assert hanging(line, 20) == lines


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [
        ("utf-8", "±1 · 入力…"),
        ("ascii", r"+-1 * \u5165\u529b..."),
        ("cp1252", r"±1 · \u5165\u529b…"),
        (None, "±1 · 入力…"),
    ],
)
def test_signs_are_spelt_out_where_an_encoding_lacks_them(encoding, seen):
    """And only there; letters become their numbers."""
    assert encodable("±1 · 入力…", encoding) == seen
    seen.encode(encoding or "utf-8")


ROW = "encoder         1x12x40     -3.899   3.066 -0.0238   1.018    3.52    3.52 {}"
RED, STRONG = {"red": True, "bold": True}, {"bold": True}


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (ROW.format("ok"), [{}, {"green": True}]),
        (ROW.format("FAIL"), [{}, {"red": True}]),
        (ROW.format("FAIL<"), [RED, RED]),
        (ROW.format("inh."), [{}, {"yellow": True}]),
        (ROW.format("N/M<"), [RED, RED]),
        ("encoder (first divergence)", [RED]),
        ("  finding    : gain (99 % of the error): actual = 1.5 * expected", [STRONG, {}]),
        ("accept: pytest test_m.py::test_bad --update-golden", [STRONG, {}]),
        ("  stream  FAIL  differs from one-shot", [{}, {"red": True}, {}]),
        ("  problem    : whatever is told, it is ok", [{}]),
        ("         actual 1x12x40     -5.849   4.599 -0.0356   1.527", [{}]),
        ("", [{}]),
    ],
)
def test_what_stands_out(line, parts):
    """The row of the first divergence, states, causes and commands; prose does not."""
    assert [markup for _, markup in painted(line)] == parts
    assert "".join(text for text, _ in painted(line)) == line


@given(st.text())
def test_colours_change_no_text(line):
    """Whatever a line says, its parts are the line."""
    assert "".join(text for text, _ in painted(line)) == line
    assert [*painted_first(line)] == [(line, RED)]
