"""`audioparity score`: exit status 0, 1 and 2, JSON, and two folders."""

from __future__ import annotations

import json
import shutil

import pytest
import soundfile

from pytest_audioparity import StageError
from pytest_audioparity.cli import main
from tests.audio.verdicts import SPEECH


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return two folders of three clips; of the second, one is spoilt, one quieter, one the same."""
    monkeypatch.chdir(tmp_path)
    for name in ("ref", "est"):
        shutil.copytree(SPEECH, tmp_path / name, ignore=shutil.ignore_patterns("LICENSE*", "*.md"))
    spoilt, rate = soundfile.read("est/librivox_sense_and_sensibility_0930.wav")
    spoilt[16_000:25_000] = spoilt[16_000:25_000][::-1]
    soundfile.write("est/librivox_sense_and_sensibility_0930.wav", spoilt, rate)
    quiet, rate = soundfile.read("est/pocketsphinx_cards_002.wav")
    soundfile.write("est/pocketsphinx_cards_002.wav", quiet / 2, rate)
    return tmp_path


def run(capsys, *arguments):
    status = main(["score", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


MARY, SENTENCE, CARDS = "praatio_mary", "librivox_sense_and_sensibility_0930", "pocketsphinx_cards_002"


def test_equal_files_pass_with_status_0(folders, capsys):
    status, out, _ = run(capsys, f"ref/{MARY}.wav", f"est/{MARY}.wav", "--no-pesq")
    assert status == 0
    assert ": ok\n" in out
    assert "pesq_wb                 : not measured: left out on request" in out


def test_garbled_audio_fails_with_status_1_and_its_seconds(folders, capsys):
    status, out, _ = run(capsys, f"ref/{SENTENCE}.wav", f"est/{SENTENCE}.wav", "--no-pesq", "--json")
    told = json.loads(out)
    assert status == 1
    assert (told["schema"], told["verdict"], told["lag_samples"], told["level_db"]) == (1, "garbled", 0, 0)
    assert told["garbled_seconds"][0][1] == pytest.approx(1.5, abs=0.3)
    assert told["scores"]["estoi"] < 0.95
    assert "pesq_nb" in told["not_measured"]
    assert "pesq_nb" not in told["scores"]


@pytest.mark.parametrize(("accept", "status"), [("ok", 1), ("level_changed", 0), ("degraded", 0)])
def test_the_worst_verdict_that_passes_can_be_chosen(folders, capsys, accept, status):
    assert run(capsys, f"ref/{CARDS}.wav", f"est/{CARDS}.wav", "--no-pesq", "--accept", accept)[0] == status


def test_folders_are_paired_by_name_and_summed_up(folders, capsys):
    (folders / "est" / "extra.wav").write_bytes((folders / "est" / f"{MARY}.wav").read_bytes())
    soundfile.write("est/other.flac", [0.0] * 100, 8000)
    soundfile.write("ref/other.wav", [0.0] * 100, 16_000)
    status, out, _ = run(capsys, "ref", "est", "--no-pesq", "--json")
    told = json.loads(out)
    verdicts = {item["name"]: item["verdict"] for item in told["items"]}
    assert status == 1
    assert verdicts == {
        "extra.wav": "not_measured",
        f"{SENTENCE}.wav": "garbled",
        "other.wav": "not_measured",
        f"{CARDS}.wav": "level_changed",
        f"{MARY}.wav": "ok",
    }
    problems = {item["name"]: item["problem"] for item in told["items"] if "problem" in item}
    assert "missing in ref" in problems["extra.wav"]
    assert "16000 Hz" in problems["other.wav"]
    assert (told["summary"]["items"], told["summary"]["passed"]) == (5, 1)


def test_folders_that_agree_pass(folders, capsys):
    status, out, _ = run(capsys, "ref", "ref", "--no-pesq")
    assert status == 0
    assert "3 of 3 pass: 3 ok" in out


def test_what_was_scored_is_kept_in_the_project_and_shown_again(folders, capsys, monkeypatch):
    first = run(capsys, "ref", "est", "--no-pesq", "--json")
    kept = list((folders / ".audioparity" / "cache" / "scores").rglob("*.score"))
    assert len(kept) == 3
    assert (folders / ".audioparity" / ".gitignore").exists()
    monkeypatch.setattr("pytest_audioparity.audio.pool.attempt", None)
    monkeypatch.setattr("pytest_audioparity.audio.jobs.score", None)
    assert run(capsys, "ref", "est", "--no-pesq", "--json") == first
    assert run(capsys, f"ref/{MARY}.wav", f"est/{MARY}.wav", "--no-pesq")[0] == 0


def test_no_cache_neither_keeps_nor_looks_up(folders, capsys, monkeypatch):
    run(capsys, f"ref/{MARY}.wav", f"est/{MARY}.wav", "--no-pesq", "--no-cache")
    assert not (folders / ".audioparity").exists()
    run(capsys, f"ref/{MARY}.wav", f"est/{MARY}.wav", "--no-pesq")

    def noticed(*arguments, **options):
        raise StageError("scored")

    monkeypatch.setattr("pytest_audioparity.audio.jobs.score", noticed)
    assert run(capsys, f"ref/{MARY}.wav", f"est/{MARY}.wav", "--no-pesq")[0] == 0
    assert run(capsys, f"ref/{MARY}.wav", f"est/{MARY}.wav", "--no-pesq", "--no-cache")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.wav", "ref"], "nothing.wav does not exist"),
        (["ref", f"est/{MARY}.wav"], "two files or two folders"),
        ([f"ref/{MARY}.wav", f"est/{CARDS}.wav"], "48000 Hz and"),
        (["text.wav", f"est/{CARDS}.wav"], "cannot be read as audio"),
        (["stereo.wav", f"est/{CARDS}.wav"], "2 channels"),
        (["empty", "ref"], "holds no audio files"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(folders, capsys, arguments, words):
    (folders / "text.wav").write_text("no audio")
    (folders / "empty").mkdir()
    soundfile.write("stereo.wav", [[0.1, 0.2]] * 100, 16_000)
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert words in err
    assert len(err.splitlines()) == 1
