"""`word_errors`: counts by hand, and texts that sound alike."""

from __future__ import annotations

import pytest

from pytest_audioparity import StageError
from pytest_audioparity.audio import transcripts
from pytest_audioparity.audio.transcripts import normalised, word_errors


@pytest.mark.parametrize(
    ("reference", "estimate", "counts", "rate"),
    [
        ("a b c", "a b c", (3, 0, 0, 0), 0),
        ("a b c", "a x c d", (2, 1, 0, 1), 2 / 3),
        ("a b c d", "", (0, 0, 4, 0), 1),
        ("a", "b c d", (0, 1, 0, 2), 3),
        ("a b c d", "b c d", (3, 0, 1, 0), 1 / 4),
    ],
)
def test_errors_are_counted_as_by_hand(reference, estimate, counts, rate, needs):
    needs("jiwer")
    found = word_errors(reference, estimate)
    assert (found.hits, found.substitutions, found.deletions, found.insertions) == counts
    assert found.rate == pytest.approx(rate)
    assert (found.errors, found.count) == (sum(counts[1:]), sum(counts[:3]))


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("He turned, sharply!", "he turned sharply"),
        ("cold-hearted", "cold hearted"),
        ("cold\u00adhearted", "coldhearted"),
        ("Isn’t it 'odd'?", "isn't it odd"),
        ("  two\n\tspaces\u3000wide ", "two spaces wide"),
        ("ﬁne ｆｕｌｌ", "fine full"),
        ("e\u0301cole", "école"),
        ("STRASSE straße", "strasse strasse"),
        ("हिन्दी", "हिन्दी"),
        ("...", ""),
    ],
)
def test_what_is_not_heard_makes_no_difference(written, spoken):
    assert normalised(written) == spoken


def test_numbers_are_left_as_they_are_written(needs):
    needs("jiwer")
    assert word_errors("five", "5").rate == 1


def test_characters_are_counted_on_request_only(needs):
    needs("jiwer")
    said, found = "今日は、良い天気です。", "今日は良い 天気だ"
    assert word_errors(said, found, unit="characters").rate == pytest.approx(2 / 9)
    assert word_errors(said, found).rate == 1.0


def test_a_reference_without_words_is_not_measured(needs):
    needs("jiwer")
    found = word_errors("?!", "a")
    assert found.rate is None
    assert found.not_measured == "there are no words in the reference"


def test_the_errors_are_told_in_one_line(needs):
    needs("jiwer")
    text = word_errors("Four queen of clubs.", "for queen of clubs now").text
    assert text == "4 words, 1 replaced, 1 added: 'for queen of clubs now' for 'four queen of clubs'"
    assert word_errors("a b", "").text == "2 words, 2 missing: '' for 'a b'"
    assert word_errors("a b", "A, b.").text == "all 2 words right"


@pytest.mark.parametrize(
    ("arguments", "unit", "words"),
    [(("a", "b"), "phones", "none of words, characters"), (("a", None), "words", "estimate is NoneType, not text")],
)
def test_misuse_is_refused_in_one_line(arguments, unit, words, needs):
    needs("jiwer")
    with pytest.raises(StageError, match=words):
        word_errors(*arguments, unit=unit)


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(transcripts.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        StageError, match=r"^the package jiwer is not installed: pip install 'pytest-audioparity\[asr\]'$"
    ):
        word_errors("a", "b")
