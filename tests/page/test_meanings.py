"""What a finding means: one sentence for every code, said where the page names it."""

from __future__ import annotations

from reading import Page

from pytest_audioparity.faults import VOCABULARY
from pytest_audioparity.page.stages import part
from pytest_audioparity.page.tables import stages
from pytest_audioparity.report.meanings import MEANINGS


def failing(*codes):
    findings = [{"code": code, "message": "its numbers", "explains": None} for code in codes]
    return {"name": "mel", "verdict": "fail", "findings": findings}


def test_every_code_of_the_vocabulary_has_its_sentence_and_nothing_else_has():
    assert set(MEANINGS) == {*VOCABULARY, "sampler", "unexplained"}
    assert all(text.endswith(".") and text.count(".") == 1 for text in MEANINGS.values())


def test_a_stage_says_what_its_findings_mean():
    page = Page(part(None, failing("seams", "gain"), tag="first divergence", illustrated=False))
    assert page.text.count(MEANINGS["seams"]) == page.text.count(MEANINGS["gain"]) == 1


def test_the_table_of_stages_says_it_too_and_names_codes_as_before():
    page = Page(stages([failing("seams", "gain", "drift")], "mel"))
    assert page.text.endswith("FAILseams, gain")
    assert [span["title"] for span in page.all("span") if "title" in span] == [MEANINGS["seams"], MEANINGS["gain"]]


def test_a_code_of_another_version_is_named_and_not_explained():
    page = Page(part(None, failing("of_tomorrow"), tag="first divergence", illustrated=False))
    assert "of_tomorrow: its numbers" in page.text
    assert not page.all("p", class_="note")
    assert not [span for span in Page(stages([failing("of_tomorrow")], None)).all("span") if "title" in span]
