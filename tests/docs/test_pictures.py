"""Pictures of the documentation: of a finding, a fault that the tool finds to be just that; of a number, its value.

docs/findings.md has a section for every finding, docs/numbers.md and docs/audio.md say what numbers mean.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import findings
import measures
import numpy as np
import pytest
import sounds
from material import log_mel
from reading import png

from pytest_audioparity.comparison.tolerances import PRESET_DB
from pytest_audioparity.report.meanings import MEANINGS

PAGE = findings.PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))
NUMBERS = (findings.HERE.parent / "numbers.md").read_text(encoding="utf-8")
AUDIO = (findings.HERE.parent / "audio.md").read_text(encoding="utf-8")
# What a picture of a number must say for its page to be right.
CLAIMS = {
    "deviation": r"-6 dB 6\.00, .*\+0\.02 dB 0\.0200, \+1 dB 1\.0000, \+6 dB 6\.00",
    "ratio": r"10 dB 2\.39, .*60 dB 0\.0087, .*100 dB 8\.\de-5",
    "log_scale": r"deviation_db 1\.46, peak_db 2\.92, .* fails by deviation_db, peak_db",
    "peak": r"deviation_db 0\.00\d+, .* fails by peak_db",
    "bias": r"from -1\.25 to \+1\.25, bias [+-]0\.00 ln",
    "margin": r"fp32, 0\.04: .* margin_db -0\.030, .*: FAIL .*fp16, 0\.04: .* margin_db \+0\.060, .*: PASS",
    "match": r"first wrong code is at C=2 T=20 per codebook: 100 %, 100 %, 98\.44 %, 100 %, 100 %, \d\.\d+ %, 100 %",
    "own": r"first divergence: 3 snake",
    "estoi": r"the clip as a whole: garbled; estoi 0\.[89]",
    "lost": r"silent: the estimate is silent.* garbled: words are lost: .* wrong_content: other words than",
    "kept": r"misaligned: .* 100\.0 ms late clipped: .* degraded: worse to hear.* level_changed: level -8\.0 dB",
    "garbled": r"healthy: degraded; estoi 0\.[89].* stale state: garbled; estoi -?0\.0\d, stoi 0\.[56]",
}
LARGEST = 12_000
SVG = "{http://www.w3.org/2000/svg}"


def test_there_is_a_section_with_its_own_anchor_for_every_finding():
    assert list(SECTIONS) == [example.code for example in findings.EXAMPLES]
    assert set(SECTIONS) == set(MEANINGS)
    assert len(re.findall(r"^#+ .*", PAGE, re.MULTILINE)) == len(set(re.findall(r"^#+ .*", PAGE, re.MULTILINE)))


def test_every_finding_is_in_the_index_and_every_link_leads_somewhere():
    index = PAGE[PAGE.index("## By what you see") : PAGE.index("## Structure")]
    assert set(re.findall(r"\(#(\w+)\)", index)) == set(MEANINGS)


@pytest.mark.parametrize("code", MEANINGS)
def test_a_section_says_what_it_means_shows_it_and_says_what_to_check(code):
    text = SECTIONS[code]
    assert text.startswith(f"{MEANINGS[code]}\n")
    assert re.search(rf"^!\[[^]]+\]\(pictures/findings/{code}\.svg\)$", text, re.MULTILINE)
    assert all(f"**{word}:**" in text for word in ("Usual bug", "Check first"))


@pytest.mark.parametrize("example", findings.EXAMPLES, ids=lambda example: example.code)
def test_a_picture_shows_what_the_tool_finds_today(example):
    """The fault is put in, compared and diagnosed again; picture and words are those that are kept."""
    drawn = findings.draw(example)  # raises where the first finding is another one
    assert_alike(drawn.svg, (findings.FOLDER / f"{example.code}.svg").read_text(encoding="utf-8"))
    block = re.search(r"```text\n(.*?)\n```", SECTIONS[example.code], re.DOTALL)
    assert block is not None
    assert_same_words(drawn.told, block[1])


@pytest.fixture(scope="module", params=measures.PICTURES)
def measured(request):
    """Draw a picture of a number anew; return its name too."""
    return request.param, measures.PICTURES[request.param]()


def test_a_picture_of_a_number_is_what_the_package_computes_today(measured):
    name, svg = measured
    assert_alike(svg, (measures.FOLDER / f"{name}.svg").read_text(encoding="utf-8"))


def test_a_picture_of_a_number_shows_what_its_page_says(measured):
    name, svg = measured
    said = " ".join(text for node in ElementTree.fromstring(svg).iter(f"{SVG}text") for text in node.itertext())
    assert re.search(CLAIMS[name], said), said
    assert f"(pictures/numbers/{name}.svg)" in NUMBERS + AUDIO


def test_of_a_chain_only_the_wrong_step_has_a_deviation_of_its_own():
    stages = {stage["name"]: stage for stage in measures.chain()["stages"]}
    assert [name for name, stage in stages.items() if stage.get("own_verdict") == "fail"] == ["3 snake"]
    later = [stage for name, stage in stages.items() if name[0] in "45678"]
    assert all(stage["own_deviation_db"] < 1e-5 < 0.01 < stage["deviation_db"] for stage in later)


@pytest.mark.parametrize("row", re.findall(r"^\| ([\d.]+) dB \| ([\d.]+) dB \| `(\w+)` \|", NUMBERS, re.MULTILINE))
def test_the_table_of_residuals_is_right(row):
    """Noise that far below the signal scores that deviation, which is what the preset allows."""
    deviation, below, preset = float(row[0]), float(row[1]), row[2]
    assert PRESET_DB[preset] == deviation
    assert measures.compared("noise", measures.noisy(below)).deviation_db == pytest.approx(deviation, rel=0.01)


def test_a_fault_that_is_found_to_be_something_else_gets_no_picture():
    wrong = findings.Example(
        "drift", log_mel, lambda stage: findings.replace(stage, array=stage.array + 1), said="bias"
    )
    with pytest.raises(ValueError, match=r"drift: 'bias' is found to be \['offset'\]"):
        findings.draw(wrong)


def test_an_estimate_of_another_verdict_gets_no_picture():
    clip = measures.speech()
    with pytest.raises(ValueError, match="garbled: the verdict is ok"):
        sounds.verdicts("words", clip, {"garbled": clip}, {})


def test_a_fault_that_is_found_to_be_nothing_gets_no_picture():
    with pytest.raises(ValueError, match="is found to be nothing"):
        findings.draw(findings.Example("drift", log_mel, lambda stage: stage, said="healthy"))


def test_what_the_page_says_is_written_anew():
    told = {"gain": "  finding    : new words \\1"}
    page = findings.written(PAGE, told)
    assert "  finding    : new words \\1\n```" in page
    assert findings.written(page, {"gain": findings.draw(example_of("gain")).told}) == PAGE


@pytest.mark.parametrize("path", sorted(Path(findings.HERE).glob("*/*.svg")), ids=lambda path: path.stem)
def test_a_picture_is_small_whole_and_loads_nothing(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) <= LARGEST
    root = ElementTree.fromstring(text)
    assert root.get("width") == "640"
    assert root.find(f"{SVG}title").text
    assert not [link for node in root.iter() for name, link in node.items() if "href" in name and "data:" not in link]
    # Written for light and dark, on a ground of its own.
    assert "prefers-color-scheme: dark" in root.find(f"{SVG}style").text
    assert root.find(f"{SVG}rect").get("class") == "ground"
    for drawn in ("line", "bar", "lost", "limit", "grid"):
        assert f".{drawn}" in root.find(f"{SVG}style").text


def test_another_picture_is_noticed():
    with pytest.raises(AssertionError):
        assert_alike(findings.draw(example_of("seams")).svg, findings.draw(example_of("edges")).svg)


def example_of(code):
    return next(example for example in findings.EXAMPLES if example.code == code)


def assert_alike(one, other):
    """Compare what is written and what the maps show, whatever the style.

    Another numpy may round the last digit, or colour a cell by the next shade.
    """
    ours, kept = (ElementTree.fromstring(text) for text in (one, other))
    assert_same_words(
        *(" ".join(text for node in root.iter(f"{SVG}text") for text in node.itertext()) for root in (ours, kept))
    )
    for left, right in zip(ours.iter(f"{SVG}image"), kept.iter(f"{SVG}image"), strict=True):
        (cells, palette), (known, colours) = png(left.get("href")), png(right.get("href"))
        assert np.abs(cells.astype(int) - known).mean() < 0.5
        assert palette.shape == colours.shape
    drawn = [sum(len(path.get("d")) for path in root.iter(f"{SVG}path")) for root in (ours, kept)]
    assert drawn[0] == pytest.approx(drawn[1], rel=0.1)


def assert_same_words(one, other):
    number = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
    words = [number.sub("#", re.sub(r"\s+", " ", text)) for text in (one, other)]
    assert words[0] == words[1]
    numbers = [[float(found) for found in number.findall(text)] for text in (one, other)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.02, abs=0.01)
