"""`audioparity score --asr`: JSON, text, transcripts of folders, and what `--max-wer` fails."""

from __future__ import annotations

import json
import shutil

import pytest
import soundfile

from pytest_audioparity.audio import transcripts
from pytest_audioparity.cli import main
from tests.audio.verdicts import SPEECH

CARDS, MARY = "pocketsphinx_cards_002", "praatio_mary"


@pytest.fixture(autouse=True)
def _folders(tmp_path, monkeypatch, needs):
    """Make two folders of two clips; in the second one, "four queen of clubs" is spoken backwards."""
    needs("pocketsphinx")
    needs("jiwer")
    monkeypatch.chdir(tmp_path)
    for folder in ("ref", "est"):
        (tmp_path / folder).mkdir()
        for name in (CARDS, MARY):
            shutil.copy(SPEECH / f"{name}.wav", folder)
    samples, rate = soundfile.read(f"est/{CARDS}.wav")
    soundfile.write(f"est/{CARDS}.wav", samples[::-1], rate)
    (tmp_path / "texts.tsv").write_text(f"{CARDS}\tFour queen of clubs.\n\n{MARY}\tMary rolled the barrel\n")


def run(capsys, *arguments):
    status = main(["score", *arguments, "--no-pesq"])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_words_stand_in_the_document_and_decide_nothing_by_themselves(capsys):
    pair = [f"ref/{CARDS}.wav", f"ref/{CARDS}.wav", "--asr", "--transcript", "Four queen of clubs."]
    status, out, _ = run(capsys, *pair, "--json")
    told = json.loads(out)["asr"]
    assert status == 0
    assert (told["truth"], told["wer"], told["reference_wer"], told["wer_rise"]) == ("transcript", 0.25, 0.25, 0)
    assert told["errors"] == {"hits": 3, "substitutions": 1, "deletions": 0, "insertions": 0}
    assert (told["expected"], told["estimate_heard"]) == ("four queen of clubs", "for queen of clubs")
    assert told["implementation"].startswith("pocketsphinx")
    assert told["not_measured"] == {}


@pytest.mark.parametrize(("limit", "status"), [("0.25", 0), ("0.2", 1)])
def test_max_wer_fails_what_exceeds_it(capsys, limit, status):
    pair = [f"ref/{CARDS}.wav", f"ref/{CARDS}.wav", "--asr", "--transcript", "four queen of clubs"]
    found, out, _ = run(capsys, *pair, "--max-wer", limit)
    assert found == status
    said = " ".join(out.split())  # wherever the lines are broken
    assert "word errors : 0.25 of the transcript, the reference 0.25: 4 words, 1 replaced: " in said


def test_what_is_not_measured_fails_under_max_wer_only(capsys):
    soundfile.write("silent.wav", [0.0] * 32_000, 16_000)
    pair = [f"ref/{CARDS}.wav", "silent.wav", "--asr"]
    _, out, _ = run(capsys, *pair, "--json")
    told = json.loads(out)["asr"]
    assert told["wer"] is None
    assert told["not_measured"]["wer"] == "the estimate is silent"
    assert run(capsys, *pair, "--max-wer", "5")[0] == 1


def test_folders_have_words_per_clip(capsys):
    status, out, _ = run(capsys, "ref", "est", "--asr", "--transcripts", "texts.tsv", "--json")
    items = {item["name"]: item["asr"] for item in json.loads(out)["items"]}
    assert status == 1  # garbled
    assert items[f"{CARDS}.wav"]["wer"] >= 0.75
    mary = items[f"{MARY}.wav"]
    assert mary["wer"] == mary["reference_wer"] <= 0.25


def test_folders_are_judged_by_their_words_too(capsys):
    both = ["ref", "ref", "--asr", "--transcripts", "texts.tsv"]
    status, out, _ = run(capsys, *both, "--max-wer", "0.5")
    assert status == 0
    assert "for 'four queen of clubs'" in " ".join(out.split())
    assert run(capsys, *both, "--max-wer", "0.1")[0] == 1


def test_without_the_option_nothing_is_recognised(capsys):
    status, out, _ = run(capsys, f"ref/{MARY}.wav", f"ref/{MARY}.wav", "--json")
    assert status == 0
    assert "asr" not in json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([f"ref/{MARY}.wav", f"ref/{MARY}.wav", "--max-wer", "0.1"], "--max-wer needs --asr"),
        ([f"ref/{MARY}.wav", f"ref/{MARY}.wav", "--asr", "--max-wer", "-1"], "not 0 or more"),
        ([f"ref/{MARY}.wav", f"ref/{MARY}.wav", "--asr", "--transcript", "!"], "has no words"),
        ([f"ref/{MARY}.wav", f"ref/{MARY}.wav", "--asr", "--transcripts", "texts.tsv"], "is for two folders"),
        (["ref", "ref", "--asr", "--transcript", "a"], "is for two files"),
        (["ref", "ref", "--asr", "--transcripts", "nothing.tsv"], "cannot be read as text"),
        (["ref", "ref", "--asr", "--transcripts", "no_tab.tsv"], "line 2: a name, a tab and the text"),
        (["ref", "ref", "--asr", "--transcripts", "twice.tsv"], "'a' stands there twice"),
        (["ref", "ref", "--asr", "--transcripts", "unknown.tsv"], "transcript of 'a', which is no audio file of ref"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(tmp_path, capsys, arguments, words):
    (tmp_path / "no_tab.tsv").write_text("a\tb\nc d\n")
    (tmp_path / "twice.tsv").write_text("a\tb\na\tc\n")
    (tmp_path / "unknown.tsv").write_text("a\tb\n")
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert words in err
    assert len([line for line in err.splitlines() if "audioparity score" in line]) == 1


def test_without_the_extra_one_line_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr(transcripts.importlib.util, "find_spec", lambda _: None)
    status, out, err = run(capsys, f"ref/{MARY}.wav", f"ref/{MARY}.wav", "--asr")
    assert (status, out) == (2, "")
    assert "is not installed: pip install 'pytest-audioparity[asr]'" in err
