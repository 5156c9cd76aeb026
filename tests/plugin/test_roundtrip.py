"""The mark codec_roundtrip and the fixture roundtrip: reports, scores in goldens, updates, pytest-xdist."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "pocketsphinx_cards_002.wav"
CODEC = """
import io, os
import soundfile

RATE = 16_000

def encode(audio):
    file = io.BytesIO()
    soundfile.write(file, audio, RATE, format="OGG", subtype="OPUS")
    return file.getvalue()

def decode(data):
    audio = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    worse = float(os.environ.get("WORSE", "0"))
    return audio + worse * np.random.default_rng(0).standard_normal(audio.size).astype(np.float32)

def words_gone(data):
    audio = decode(data)
    frames = audio[: audio.size // 1280 * 1280].reshape(-1, 1280)
    return np.append(frames[np.random.default_rng(1).permutation(len(frames))], audio[frames.size :])

CLIPS = ["cards.wav"]
"""


@pytest.fixture
def codec(project, monkeypatch):
    """Give a project with a real codec, one clip of speech, and no noise of the environment."""
    monkeypatch.delenv("WORSE", raising=False)
    shutil.copy(SPEECH, project.path / "cards.wav")

    def write(*tests):
        project.write(CODEC + "\n".join(tests))
        return project

    return write


HEALTHY = """
@codec_roundtrip(min_stoi=0.9, min_pesq_wb=2.5)
def test_opus(roundtrip):
    assert roundtrip(encode=encode, decode=decode, sample_rate=RATE, clips=CLIPS)
"""
DROP = """
@codec_roundtrip(max_drop_estoi=0.03, max_drop_pesq_wb=0.5)
def test_opus(roundtrip):
    roundtrip(encode=encode, decode=decode, sample_rate=RATE, clips=CLIPS)
"""
GARBLED = """
@codec_roundtrip(min_stoi=0.9)
def test_opus(roundtrip):
    roundtrip(encode=encode, decode=words_gone, sample_rate=RATE, clips=CLIPS)
    reached_the_end.append(True)

reached_the_end = []

def test_the_end_was_reached(): assert reached_the_end
"""


def test_a_healthy_codec_passes_without_a_golden(codec):
    """Absolute thresholds need no golden; one line, nothing is written."""
    project = codec(HEALTHY)
    project.run("-q").assert_outcomes(passed=1)
    assert project.goldens() == []
    project.run("-rP").stdout.fnmatch_lines(["*round trip*", "the round trip passes", "cards*ok"])
    assert project.all_pending() == []


def test_all_is_judged_before_the_test_fails(codec):
    """The call returns; the test fails at its end with every check, the verdict and the scores."""
    result = codec(GARBLED).run()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "the round trip fails: *words, min_stoi",
            "round trip: 1 clip, 2.0 s at 16000 Hz",
            "*words*FAIL*cards: garbled: words are lost: ESTOI*",
            "*look like speech (level*",
            "*min_stoi*FAIL*cards: 0.* at least 0.9 is asked for",
            "  ok: stale_state,*",
            "clip*stoi*estoi*wb*nb*si-sdr*level*verdict",
            "cards*garbled",
        ]
    )
    ours = result.outlines[result.outlines.index("the round trip fails: delay, words, min_stoi") :]
    assert all(len(line) <= 80 for line in ours if "test_" not in line and "===" not in line)


def test_scores_go_into_the_golden_and_may_not_drop(codec, monkeypatch):
    """max_drop_* stores scores; worse ones fail and are told, better ones leave the golden alone."""
    project = codec(DROP)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("golden golden/test_model/test_opus.safetensors does not exist; create it with*")
    project.run("--update-golden")
    stored = project.tensors("test_model/test_opus")
    assert list(stored) == ["cards/estoi", "cards/pesq_wb"]
    project.run().assert_outcomes(passed=1)
    monkeypatch.setenv("WORSE", "0.003")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["stage 'cards/pesq_wb' has lost *, allowed 0.5", "cards/pesq_wb * -> *-0.5 FAIL<"])
    before = project.state()
    result = project.run("--update-golden")
    result.stdout.fnmatch_lines("updated golden/test_model/test_opus.safetensors*")
    assert project.state() != before
    monkeypatch.setenv("WORSE", "0")
    before = project.state()
    project.run("--update-golden").assert_outcomes(passed=1)
    assert project.state() == before, "a better score rewrote the golden"


def test_a_score_that_cannot_be_measured_is_no_score_that_did_not_drop(codec):
    """PESQ's wide band needs 16 kHz: without a number there is nothing to hold the next run to."""
    project = codec(
        """
@codec_roundtrip(max_drop_pesq_wb=0.5)
def test_copy(roundtrip):
    roundtrip(encode=lambda audio: audio.tobytes(), decode=lambda data: np.frombuffer(data, np.float32),
              sample_rate=8000, clips=CLIPS)
"""
    )
    for flags in ((), ("--update-golden",)):
        result = project.run(*flags)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["the round trip cannot be measured: max_drop_pesq_wb", "*8000 Hz has no wide*"])
    assert project.goldens() == []


def test_a_codec_that_becomes_lossless_has_lost_nothing(codec, monkeypatch):
    """An infinite SI-SDR is not stored, and is no stage that is missing either."""
    project = codec(
        """
@codec_roundtrip(max_drop_si_sdr=0.5)
def test_copy(roundtrip):
    worse = float(os.environ.get("WORSE", "0"))
    def noisy(data):
        audio = np.frombuffer(data, np.float32)
        return audio + worse * np.random.default_rng(0).standard_normal(audio.size) if worse else audio
    roundtrip(encode=lambda audio: audio.tobytes(), decode=noisy, sample_rate=RATE, clips=CLIPS)
"""
    )
    monkeypatch.setenv("WORSE", "0.004")
    project.run("--update-golden")
    before = project.state()
    monkeypatch.setenv("WORSE", "0")
    project.run("--update-golden").assert_outcomes(passed=1)
    assert project.state() == before


def test_a_codec_that_fails_its_checks_updates_nothing(codec):
    """Scores of a broken codec never become the reference, forced or not."""
    project = codec(DROP.replace("decode=decode", "decode=words_gone"))
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("not updated: its round trip fails: *words*")
    assert project.goldens() == []


def test_stages_stand_beside_a_round_trip_in_one_golden(codec):
    """Both fixtures record for the same test."""
    project = codec(
        """
        @codec_roundtrip(max_drop_estoi=0.03)
        @parity(tol_db=0.1)
        def test_opus(roundtrip, stages):
            stages["inner"] = np.arange(4.0)
            roundtrip(encode=encode, decode=decode, sample_rate=RATE, clips=CLIPS, name="high")
            roundtrip(encode=encode, decode=decode, sample_rate=RATE, clips={"loud": "cards.wav"}, name="again")
        """.replace("\n        ", "\n")
    )
    project.run("--update-golden")
    assert list(project.tensors("test_model/test_opus")) == ["inner", "high/cards/estoi", "again/loud/estoi"]
    project.run().assert_outcomes(passed=1)


def test_workers_of_xdist_report_the_same(codec):
    """The report and the verdict survive pytest-xdist."""
    result = codec(HEALTHY, GARBLED.replace("test_opus", "test_lost")).run_apart("-n2", "-k", "opus or lost")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["the round trip fails: *words, min_stoi"])


def test_the_record_of_the_run_has_every_check(codec):
    """What CI reads: verdict, reason and the checks of each test."""
    project = codec(GARBLED)
    project.run("-k", "opus")
    record = json.loads((project.path / ".audioparity" / "run.json").read_text())
    test = next(test for test in record["tests"] if test["test"].endswith("test_opus"))
    assert test["verdict"] == "fail"
    assert test["reason"].startswith("the round trip fails: ")
    verdicts = {check["name"]: check["verdict"] for check in test["checks"]}
    assert verdicts["words"] == "fail"
    assert verdicts["stale_state"] == "pass"


def test_marks_merge_as_those_of_parity_do(codec):
    """The closest mark wins per keyword, classes and modules included; None takes a threshold away."""
    project = codec(
        """
pytestmark = codec_roundtrip(min_stoi=0.9, max_log_spectral_distance=0.001)

@codec_roundtrip(min_pesq_wb=4.9)
class TestOpus:
    def test_all_three_hold(self, roundtrip):
        roundtrip(encode=encode, decode=decode, sample_rate=RATE, clips=CLIPS)

    @codec_roundtrip(min_pesq_wb=None, max_log_spectral_distance=30)
    def test_its_own_win(self, roundtrip):
        roundtrip(encode=encode, decode=decode, sample_rate=RATE, clips=CLIPS)
"""
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("the round trip fails: min_pesq_wb, max_log_spectral_distance")


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("min_stoy=0.9", "unknown keyword 'min_stoy', did you mean 'min_stoi'?"),
        ("min_stoi='high'", "min_stoi='high' is not a number from 0 to 1 or None"),
        ("skip=['delai']", "skip names no check 'delai', did you mean 'delay'?"),
        ("0.9", "takes keywords only, such as codec_roundtrip(min_stoi=0.9), not 0.9"),
    ],
)
def test_a_wrong_mark_is_a_collection_error(project, mark, told):
    """It names the test and the nearest valid keyword."""
    project.write(f"@codec_roundtrip({mark})\ndef test_mimi(roundtrip): pass")
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(f"test_model.py::test_mimi: mark codec_roundtrip: {told.replace('[', '[[]')}")


def test_a_fixture_that_is_not_called_fails(project):
    """Asking for the fixture and sending nothing is no test."""
    project.write("def test_mimi(roundtrip): pass")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("the test sent nothing through its codec: call roundtrip(*")


def test_misuse_that_the_test_swallows_still_fails(codec):
    """A round trip that could not be made is not a pass."""
    project = codec(
        """
def test_opus(roundtrip):
    try:
        roundtrip(encode=encode, decode=decode, sample_rate=16.0)
    except Exception:
        pass
"""
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*did you give kHz?*")


def test_an_exception_of_the_codec_shows_what_was_found_before(codec):
    """A codec that raises fails as itself; a first round trip that was judged is shown beside it."""
    project = codec(
        """
def raises(data): raise RuntimeError("no such codebook")

def test_opus(roundtrip):
    roundtrip(encode=encode, decode=words_gone, sample_rate=RATE, clips=CLIPS)
    roundtrip(encode=encode, decode=raises, sample_rate=RATE, clips=CLIPS, name="second")
"""
    )
    result = project._pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*RuntimeError: no such codebook", "*recorded before this failure*", "*words*FAIL*"])


def test_a_fixture_of_the_project_with_that_name_is_left_alone(project):
    """Nobody's own fixture `roundtrip` is taken for ours."""
    project.write(
        """
        @pytest.fixture
        def roundtrip(): return 3

        def test_mine(roundtrip): assert roundtrip == 3
        """
    )
    project.run().assert_outcomes(passed=1)
    assert not (project.path / ".audioparity").exists()


SKIPPED = """
@codec_roundtrip(max_drop_estoi=0.03, skip=["words", "delay"])
def test_opus(roundtrip):
    gone = os.environ.get("GONE")
    roundtrip(encode=encode, decode=words_gone if gone else decode, sample_rate=RATE, clips=CLIPS)
"""


def test_a_test_that_skips_words_updates_no_garble_unless_forced(codec, monkeypatch):
    """The check of words may be switched off; that does not make garble the reference."""
    project = codec(SKIPPED)
    project.run("--update-golden").assert_outcomes()
    before = project.state()
    monkeypatch.setenv("GONE", "1")
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("not updated: clip 'cards': against the clip it is garbled:*")
    assert project.state() == before
    project.run("--update-golden", "--force-golden", "--golden-reason", "a codec for whales")
    assert project.state() != before


def test_the_projects_recogniser_judges_words(codec):
    """max_wer asks the fixture recogniser, which a conftest.py may override."""
    project = codec(
        """
@codec_roundtrip(max_wer=0.0)
def test_opus(roundtrip):
    roundtrip(encode=encode, decode=decode, sample_rate=RATE, clips=CLIPS,
              transcripts={"cards": "four queen of clubs"})
"""
    )
    (project.path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef recogniser(): return lambda samples, rate: 'four queens of clubs'\n"
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*max_wer*FAIL*cards: 0.25 word errors, at most 0 is allowed:*")
