"""Stages of kind waveform: scores as tolerances, words that a tolerance would lose, and goldens that are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from pytest_audioparity import cli
from pytest_audioparity.golden.file import Golden
from pytest_audioparity.golden.pending import read_pending
from tests.audio import changes
from tests.audio.verdicts import SPEECH

RATE = 16_000
SOURCE = """
@parity({mark})
def test_model(stages):
    stages['h'] = np.ones(3)
    stages.record('waveform', np.load('out.npy'), kind='waveform', {declared})
"""
LOOSE = "tol_db=60, tol_peak_db=None"
WHY = ("--force-golden", "--golden-reason", "other words on purpose")


def shuffled(clip):
    """Put frames of 80 ms into another order: the statistics of speech, and no word."""
    frames = changes.blocks(clip, RATE * 80 // 1000)
    np.random.default_rng(0).shuffle(frames)
    return np.concatenate(frames)


def with_a_hole(clip):
    """Lose half a second."""
    clip = clip.copy()
    clip[round(1.2 * RATE) : round(1.7 * RATE)] = 0
    return clip


CLIP = soundfile.read(SPEECH / "librivox_sense_and_sensibility_0930.wav")[0]
OTHER = changes.fitted(soundfile.read(SPEECH / "pocketsphinx_cards_002.wav")[0], CLIP.size, np.random.default_rng(0))
GARBLED = shuffled(CLIP)


class Speaking:
    """A project whose model returns what lies in a file."""

    def __init__(self, project):
        self.project = project
        self.path = project.path

    def says(self, array, mark="", declared=f"sample_rate={RATE}"):
        np.save(self.path / "out.npy", array)
        self.project.write(SOURCE.format(mark=mark, declared=declared))

    def run(self, *arguments):
        return self.project.run(*arguments)

    def stage(self):
        """Return what the last run said of the waveform, as in `--json`."""
        pending, _ = read_pending(self.project.pending())
        return pending.result["stages"][-1]

    def golden(self):
        return Golden(self.project.golden())


@pytest.fixture
def speaking(project, monkeypatch):
    """Give a project whose golden holds speech."""
    monkeypatch.chdir(project.path)
    speaking = Speaking(project)
    speaking.says(CLIP)
    assert speaking.run("--update-golden").ret == 0
    return speaking


@pytest.mark.parametrize(
    ("change", "verdict"),
    [(shuffled, "garbled"), (with_a_hole, "garbled"), (lambda _: OTHER, "wrong_content"), (lambda x: x * 0, "silent")],
    ids=["shuffled", "hole", "other words", "silence"],
)
def test_a_tolerance_that_would_accept_lost_words_does_not(speaking, change, verdict):
    """Words that are gone within the limits fail by a criterion of their own, and a keyword accepts them by name."""
    limits = "tol_db=None, atol=2"  # nothing in speech is farther off than that
    speaking.says(change(CLIP), limits)
    result = speaking.run()
    result.assert_outcomes(failed=1)
    word = verdict.replace("_", " ")
    result.stdout.fnmatch_lines(f"stage 'waveform' passes its other limits, but its words are lost ({word})")
    assert speaking.stage()["failed"] == ["words"]
    assert speaking.stage()["audio"]["verdict"] == verdict
    speaking.says(change(CLIP), f"{limits}, words='any'")
    speaking.run().assert_outcomes(passed=1)


UNHEARD = {
    "no rate": (lambda x: x, "", "scores need the sample rate; declare sample_rate= in Hz"),
    "two channels": (lambda x: np.stack([x, x]), f"sample_rate={RATE}", "*has several channels; declare axes=*"),
    "int8": (lambda x: (x * 127).astype(np.int8), f"sample_rate={RATE}", "*is int8; audio is float*"),
    "complex": (lambda x: x + 0j, f"sample_rate={RATE}", "it is complex, which is no audio"),
}


@pytest.mark.parametrize(("made", "declared", "why"), UNHEARD.values(), ids=UNHEARD)
def test_what_cannot_be_listened_to_does_not_pass_a_tolerance_that_would_accept_lost_words(
    speaking, made, declared, why
):
    """It is not measured, and says what is missing; within a tight tolerance there is nothing to hear."""
    speaking.says(made(CLIP), "golden='other'", declared)
    speaking.run("--update-golden")
    speaking.says(made(GARBLED), f"golden='other', {LOOSE}", declared)
    result = speaking.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(f"stage 'waveform' cannot be measured: words: *; {why}; *words='any'")
    assert speaking.stage()["verdict"] == "not_measured"
    speaking.run("--golden-plan").stdout.fnmatch_lines(["  waveform: old -> new * dB, not listened to"])
    speaking.says(made(GARBLED), f"golden='other', {LOOSE}, words='any'", declared)
    speaking.run().assert_outcomes(passed=1)
    speaking.says(made(CLIP) * (1 if "int8" in why else 1.00001), "golden='other'", declared)
    speaking.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: changes.coded(x, RATE, "OGG", "VORBIS"),
        lambda x: changes.coded(x, RATE, "OGG", "OPUS", compression_level=0.5),
        lambda x: np.roll(x, RATE // 100),
        lambda x: x / 2,
        lambda x: changes.at_snr(x, np.random.default_rng(1).standard_normal(x.size), 12),
    ],
    ids=["vorbis", "opus", "late", "quieter", "noise"],
)
def test_what_keeps_its_words_passes_a_loose_tolerance(speaking, change):
    """Codecs, a shift, a gain and noise stay what the tolerance makes of them."""
    speaking.says(change(CLIP), LOOSE)
    speaking.run().assert_outcomes(passed=1)
    speaking.says(change(CLIP), "tol_db=0.01")
    speaking.run().assert_outcomes(failed=1)


def test_a_lost_word_of_a_long_clip_is_found(speaking):
    """A word of a minute is 20 dB under the whole, which tol_db=1 allows."""
    minute = np.tile(CLIP, 18)
    speaking.says(minute)
    speaking.project.golden().unlink()
    speaking.run("--update-golden")
    speaking.says(np.concatenate([CLIP, with_a_hole(CLIP), np.tile(CLIP, 16)]), "tol_db=1.5, tol_peak_db=None")
    speaking.run().assert_outcomes(failed=1)
    stage = speaking.stage()
    assert stage["snr_db"] > 15
    assert stage["failed"] == ["words"]
    ((start, end),) = stage["audio"]["garbled_seconds"]
    assert start == pytest.approx(CLIP.size / RATE + 1.2, abs=0.2)
    assert end == pytest.approx(CLIP.size / RATE + 1.7, abs=0.2)


def test_garbled_explains_itself(speaking):
    """The report has the statistics that look like speech beside ESTOI, and the seconds; so has JSON."""
    speaking.says(GARBLED)
    result = speaking.run()
    block = " ".join(result.stdout.str().split())
    assert "audio : garbled: words are lost: ESTOI -0.01; the statistics look like speech (level" in block
    assert "(words lost at 0.23-1.87, 2.24-3.01 s)" in block
    audio = speaking.stage()["audio"]
    assert audio["verdict"] == "garbled"
    assert audio["scores"]["estoi"] == pytest.approx(-0.01, abs=0.02)
    assert audio["findings"][0]["detail"]["statistics_look_like_speech"] is True
    assert (audio["channels"], audio["lost"], audio["channel"]) == (1, 1, None)
    run = json.loads((speaking.path / ".audioparity" / "run.json").read_text())
    assert [stage["audio"] for stage in run["tests"][0]["stages"]] == [None, "garbled"]


def test_a_failure_that_keeps_its_words_says_so(speaking):
    """Audio of another length is scored too; what it sounds like is no excuse."""
    speaking.says(CLIP[: -RATE // 4])
    result = speaking.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*audio*: ok, ESTOI *")
    assert speaking.stage()["audio"]["uncovered_seconds"] == [0.0, 0.25]


@pytest.mark.parametrize(
    ("keyword", "below", "above"),
    [("min_stoi", 0.9, 0.999), ("min_estoi", 0.9, 0.999), ("min_pesq_wb", 4, 4.6), ("min_pesq_nb", 4, 4.5)],
)
def test_a_score_is_a_tolerance(speaking, keyword, below, above):
    """What a codec keeps passes, and fails where more is asked for, with the number; the ini option does the same."""
    coded = changes.coded(CLIP, RATE, "OGG", "VORBIS")
    limit = "stages={{'wave*': {{'tol_db': None, '{}': {}}}}}".format
    speaking.says(coded, limit(keyword, below))
    speaking.run().assert_outcomes(passed=1)
    speaking.says(coded, limit(keyword, above))
    result = speaking.run()
    result.assert_outcomes(failed=1)
    name = keyword.removeprefix("min_")
    stage = speaking.stage()
    assert stage["failed"] == [name]
    assert below < stage["audio"]["scores"][name] < above
    speaking.says(coded, "tol_db=3, tol_peak_db=None")
    for limit, outcome in ((below, {"passed": 1}), (above, {"failed": 1})):
        speaking.project.ini(f"audioparity_{keyword} = {limit}")
        speaking.run().assert_outcomes(**outcome)
        speaking.project.ini(f"audioparity_stages =\n  wave*: {keyword}={limit}")
        speaking.run().assert_outcomes(**outcome)


def test_a_score_concerns_waveforms_alone(speaking):
    """In a mark it leaves other stages alone; given with one that is no waveform it is misuse."""
    record = "def test_model(stages): stages.record('x', np.ones(3), {keyword})"
    speaking.project.write(record.format(keyword="min_stoi=0.5"))
    speaking.run().stdout.fnmatch_lines("*stage 'x': min_stoi= is for waveforms; declare kind='waveform' *")
    speaking.project.write(record.format(keyword="words='any'"))
    speaking.run().stdout.fnmatch_lines("*stage 'x': words= is for waveforms; *")
    speaking.says(CLIP, "min_stoi=0.9")
    speaking.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("mark", ["min_stoi=0.9", "stages={'x': {'min_stoi': 0.9}}"])
def test_a_limit_that_concerns_nothing_fails(project, mark):
    """A score that is asked of a test without a waveform would never be held."""
    project.write(f"@parity({mark})\ndef test_model(stages): stages['x'] = np.ones(3)")
    project.run().stdout.fnmatch_lines("*min_stoi= concerns no stage*: none is declared kind='waveform'*")
    project.run("--update-golden").assert_outcomes(failed=1)


def test_a_port_inherits_that_a_stage_is_a_waveform(speaking):
    """A port that declares nothing is held against scores all the same, also of its own."""
    source = """
    @parity(golden='test_model/test_model', port=True)
    def test_port(stages):
        stages['h'] = np.ones(3)
        stages.record('waveform', np.load('out.npy'), tol_db=None, min_stoi=0.9)
    """
    speaking.project.write(source, "test_port.py")
    speaking.run("test_port.py").assert_outcomes(passed=1)
    np.save("out.npy", GARBLED)
    speaking.run("test_port.py").assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("array", "declared", "said"),
    [
        (CLIP, "axes=None", "min_stoi: scores need the sample rate; declare sample_rate= in Hz"),
        (CLIP[None].repeat(2, 0), f"sample_rate={RATE}", "min_stoi: its shape 2x52640 has several channels; declare*"),
        (CLIP[:RATE], f"sample_rate={RATE}", "min_stoi: too short: * s of speech in the reference*"),
    ],
    ids=["rate", "channels", "short"],
)
def test_a_score_that_cannot_be_measured_fails(project, monkeypatch, array, declared, said):
    """It is not measured, which fails and becomes no golden; without a limit the same stage passes."""
    monkeypatch.chdir(project.path)
    speaking = Speaking(project)
    array = array if array.size > RATE else array[: RATE // 3]
    speaking.says(array, declared=declared)
    speaking.run("--update-golden")
    speaking.run().assert_outcomes(passed=1)
    speaking.says(array, "min_stoi=0.5", declared=declared)
    result = speaking.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("stage 'waveform' cannot be measured: min_stoi*")
    assert speaking.stage()["verdict"] == "not_measured"
    speaking.project.golden().unlink()
    speaking.run("--update-golden").stdout.fnmatch_lines(f"not updated: stage 'waveform': {said}")
    assert speaking.project.goldens() == []


def test_silence_has_no_score_and_fails(speaking):
    """Lost words are a failure, whatever else could not be measured of them."""
    speaking.says(CLIP * 0, "stages={'wave*': {'tol_db': None, 'min_stoi': 0.9}}")
    result = speaking.run()
    result.stdout.fnmatch_lines("stage 'waveform' has lost its words (silent)")
    assert (speaking.stage()["verdict"], speaking.stage()["failed"]) == ("fail", ["words", "stoi"])


def test_without_pesq_the_way_to_it_is_said(speaking, monkeypatch):
    """A limit of a package that is not there is not measured."""
    found = "pytest_audioparity.audio.pesq.importlib.util.find_spec"
    monkeypatch.setattr(found, lambda _: None)
    speaking.says(CLIP * 0.9, "tol_db=3, min_pesq_wb=2")
    result = speaking.run()
    result.assert_outcomes(failed=1)
    assert "pip install 'pytest-audioparity[pesq]'" in " ".join(result.stdout.str().split())


def test_the_worst_channel_counts(speaking):
    """One garbled channel of four fails, by its name; a batch of whole ones passes."""
    declared = f"axes='BTC', sample_rate={RATE}"
    four = np.stack([CLIP, CLIP * 0.5, CLIP, CLIP], axis=-1).reshape(CLIP.size, 2, 2).transpose(1, 0, 2)
    speaking.says(four, declared=declared)
    speaking.project.golden().unlink()
    speaking.run("--update-golden")
    garbled = four.copy()
    garbled[1, :, 0] = GARBLED
    speaking.says(garbled, LOOSE, declared=declared)
    speaking.run().assert_outcomes(failed=1)
    audio = speaking.stage()["audio"]
    assert (audio["channel"], audio["channels"], audio["lost"]) == ("B=1 C=0", 4, 1)
    speaking.says(four * 0.7, f"{LOOSE}, min_stoi=0.99", declared=declared)
    speaking.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("flags", "array"),
    [
        (("--update-golden",), GARBLED),
        (("--golden-plan",), GARBLED),
        (("--update-golden", "-n1"), GARBLED),
        (("--update-golden",), OTHER),
        (("--update-golden",), CLIP * 0),
    ],
    ids=["update", "plan", "xdist", "other words", "silent"],
)
def test_a_golden_does_not_lose_its_words(speaking, flags, array):
    """An update is refused in one line that says what is lost and how to override it; the golden keeps every byte."""
    before = speaking.project.state()
    speaking.says(array)
    result = speaking.run(*flags)
    result.assert_outcomes(failed=1)
    (line,) = [line for line in result.outlines if line.startswith("not updated: test_model.py::test_model")]
    assert "stage 'waveform': against the golden it is" in line
    assert "if that is right: --force-golden --golden-reason TEXT" in line
    assert speaking.project.state() == before
    if array is GARBLED:
        assert "ESTOI -0.01" in line
        assert "0.23-1.87, 2.24-3.01 s" in line


@pytest.mark.parametrize(
    "array", [CLIP * 0.5, CLIP[RATE:], np.roll(CLIP, 1000), CLIP[: RATE // 3]], ids=["quieter", "cut", "late", "short"]
)
def test_what_keeps_its_words_is_updated(project, monkeypatch, array):
    """Level, delay and what is too short to be judged are no reason to refuse; neither is words='any'."""
    monkeypatch.chdir(project.path)
    speaking = Speaking(project)
    reference = CLIP if array.size > RATE else CLIP[RATE : RATE + RATE // 3]
    if array.size == CLIP.size - RATE:
        reference, array = array, array[: -RATE // 8]
    speaking.says(reference)
    speaking.run("--update-golden")
    speaking.says(array)
    speaking.run("--update-golden").assert_outcomes()
    assert np.array_equal(project.tensors()["waveform"], array)


def test_words_any_updates_what_is_no_speech(speaking):
    """Who says that the words do not count is not asked for them."""
    speaking.says(GARBLED, "words='any'")
    speaking.run("--update-golden").stdout.fnmatch_lines("*waveform: old -> new 7.62 dB, audio garbled")
    speaking.run().assert_outcomes(passed=1)


def test_force_updates_and_is_remembered(speaking):
    """With a reason the golden is written; the golden says what was overridden."""
    speaking.says(GARBLED)
    speaking.run("--update-golden", *WHY).stdout.fnmatch_lines("updated golden*")
    said = speaking.golden().provenance
    assert said["reason"] == "other words on purpose"
    assert said["forced"].startswith("stage 'waveform': against the golden it is garbled: words are lost")
    speaking.run().assert_outcomes(passed=1)
    speaking.says(CLIP * 0.5)
    speaking.run("--update-golden", *WHY)
    assert "forced" in speaking.golden().provenance


@pytest.mark.parametrize(
    ("array", "rest"),
    [(CLIP * np.nan, ""), (GARBLED, "; raise RuntimeError('later')")],
    ids=["NaN", "failed otherwise"],
)
def test_force_overrides_nothing_else(speaking, array, rest):
    """NaN and other failures keep their golden."""
    before = speaking.project.state()
    speaking.says(array)
    source = (speaking.path / "test_model.py").read_text().rstrip() + rest
    (speaking.path / "test_model.py").write_text(source)
    speaking.run("--update-golden", *WHY).assert_outcomes(failed=1)
    assert speaking.project.state() == before


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--update-golden", "--force-golden"), "--force-golden needs --golden-reason"),
        (("--update-golden", "--force-golden", "--golden-reason", " "), "--force-golden needs --golden-reason"),
        (WHY, "--force-golden goes with --update-golden or --golden-plan"),
    ],
)
def test_force_needs_a_reason_and_an_update(speaking, flags, said):
    """Otherwise it is wrong use, said in one line before any test runs."""
    result = speaking.run(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"ERROR: {said}*")


def test_what_was_refused_is_accepted_by_force_alone(speaking, capsys):
    """`golden accept` refuses as the update did; --force with a reason accepts and is remembered."""
    speaking.says(GARBLED)
    speaking.run()
    before = speaking.project.state()
    assert cli.main(["golden", "accept", "--yes"]) == 1
    assert "not accepted test_model.py::test_model: stage 'waveform': against" in capsys.readouterr().err
    assert cli.main(["golden", "accept", "--yes", "--force"]) == 2
    assert '--force needs --reason "why"' in capsys.readouterr().err
    assert speaking.project.state() == before
    assert cli.main(["golden", "show"]) == 0
    assert "golden accept test_model/test_model --force --reason 'why'" in capsys.readouterr().out
    assert cli.main(["golden", "accept", "--yes", "--force", "--reason", "new sentence"]) == 0
    said = speaking.golden().provenance
    assert said["reason"] == "new sentence"
    assert "garbled" in said["forced"]
    speaking.run().assert_outcomes(passed=1)


def test_force_does_not_accept_what_is_refused_otherwise(speaking, capsys):
    """NaN waits, and stays what it is."""
    speaking.says(CLIP * np.nan)
    speaking.run()
    assert cli.main(["golden", "accept", "--yes", "--force", "--reason", "why"]) == 1
    assert "NaN" in capsys.readouterr().err


def test_a_port_is_refused_as_a_port(speaking):
    """A port whose words are lost never writes, whatever it sounds like."""
    source = SOURCE.format(mark="golden='test_model/test_model', port=True", declared=f"sample_rate={RATE}")
    speaking.project.write(source.replace("test_model(", "test_port("), "test_port.py")
    np.save("out.npy", GARBLED)
    before = speaking.project.state()
    speaking.run("test_port.py", "--update-golden", *WHY).assert_outcomes(failed=1)
    assert speaking.project.state() == before
    pending, _ = read_pending(speaking.project.pending("test_port/test_port"))
    assert "port" in pending.refused
    assert not pending.forcible


def test_mutants_of_a_waveform_are_listened_to(speaking):
    """Faults that a loose tolerance passes are noticed where words are lost, and listed where they are not."""
    # In-place shuffles and the like are large; those that lose no word go unnoticed with 60 dB.
    speaking.says(CLIP, "tol_db=60, tol_peak_db=None, only=['waveform']")
    speaking.run("--parity-mutants").assert_outcomes(passed=1)
    record = json.loads((speaking.path / ".audioparity" / "run.json").read_text())
    (test,) = record["tests"]
    loose = {one["fault"] for one in test["mutants"]["unnoticed"]}
    speaking.says(CLIP, "tol_db=60, tol_peak_db=None, only=['waveform'], words='any'")
    speaking.run("--parity-mutants").assert_outcomes(passed=1)
    record = json.loads((speaking.path / ".audioparity" / "run.json").read_text())
    any_words = {one["fault"] for one in record["tests"][0]["mutants"]["unnoticed"]}
    assert loose < any_words


def test_recheck_does_not_pass_lost_words(speaking, capsys):
    """A larger tolerance passes what keeps its words only."""
    for array, status in ((GARBLED, 1), (CLIP * 0.5, 0)):
        speaking.says(array)
        speaking.run().assert_outcomes(failed=1)
        assert cli.main(["run", "recheck", "--tol-db", "60"]) == status


def test_files_are_compared_the_same_way(speaking, capsys):
    """`audioparity compare` takes the keywords, listens to declared waveforms, and refuses limits that concern none."""
    golden = str(speaking.project.golden())
    np.savez("port.npz", h=np.ones(3), waveform=GARBLED)
    assert cli.main(["compare", golden, "port.npz", "--tol-db", "60", "--tol-peak-db", "1000", "--json"]) == 1
    stage = json.loads(capsys.readouterr().out)["stages"][-1]
    assert (stage["failed"], stage["audio"]["verdict"]) == (["words"], "garbled")
    loose = ["--tol-db", "60", "--tol-peak-db", "1000", "--words", "any"]
    assert cli.main(["compare", golden, "port.npz", *loose]) == 0
    assert cli.main(["compare", golden, "port.npz", *loose, "--min-stoi", "0.5"]) == 1
    assert cli.main(["compare", "port.npz", "port.npz", "--min-pesq-wb", "2"]) == 2
    assert "--min-pesq-wb concerns no stage: none is declared kind='waveform'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("golden", "actual"), [("1.0", "1e200"), ("1e200", "1.0"), ("1e200", "1.1e200"), ("1e300", "-1e300")]
)
def test_a_waveform_that_exploded_fails_and_ends_nothing_else(project, golden, actual):
    """Samples that cannot be squared, as an unstable filter gives, are no audio: the test fails, the next one runs."""
    model = """
    def test_model(stages):
        x = np.sin(np.arange(8000) * 0.05) * {gain}
        stages.record("waveform", x, kind="waveform", sample_rate=8000, axes="T")
    def test_next(stages): stages["x"] = [1.0, 2.0]
    """
    project.write(model.format(gain=golden))
    project.run("--update-golden")
    project.write(model.format(gain=actual))
    project.run().assert_outcomes(failed=1, passed=1)
