"""One test's stages as they are recorded: what is kept, what the result says, and what may become a golden."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from pytest_audioparity.errors import StageError
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.recording import Recording
from pytest_audioparity.records import FAIL, INPUT, NOT_MEASURED, PASS, StageMeta, StageTensor
from pytest_audioparity.spec import Spec

SPEECH = Path(__file__).parent / "data" / "speech" / "pocketsphinx_cards_002.wav"
H, MEL = np.array([1.0, 2.0]), np.arange(200.0)
TRIP = SimpleNamespace(name=None, failed=(), passed=True)


def stage(name, array, kind=None, **declared):
    return StageTensor(StageMeta(name, kind, **declared), np.asarray(array))


@pytest.fixture
def path(tmp_path):
    """Write a golden of two stages and one setting."""
    path = tmp_path / "golden" / "test_x.safetensors"
    path.parent.mkdir()
    write_golden(path, [stage("h", H), stage("mel", MEL)], settings={"seed": 1}, provenance={})
    return path


def recording(path, spec=None, **more):
    return Recording(spec=spec or Spec(), path=path, **more)


def recorded(path, spec=None, *, settings=None, **stages):
    """Record arrays by name, and declare the golden's settings unless others are given."""
    made = recording(path, spec)
    for name, array in stages.items():
        made.take(stage(name, array), {})
    made.declare({"seed": 1} if settings is None else settings)
    return made


def test_a_test_that_records_the_golden_passes(path):
    result = recorded(path, h=H, mel=MEL).finish(root=path.parent.parent)
    assert result.passed
    assert [(one.name, one.verdict) for one in result.stages] == [("h", PASS), ("mel", PASS)]
    assert (result.golden.as_posix(), result.reason, result.notes) == ("golden/test_x.safetensors", None, ())
    assert [setting.passed for setting in result.settings] == [True]


def test_what_fails_is_kept_as_it_was(path):
    """A copy, since the model may go on to write into the array; what passes is not copied."""
    made, mel = recording(path), MEL * 2
    made.take(stage("mel", mel), {})
    made.take(stage("h", H), {})
    mel[:] = 0
    assert made.proposal.kept.keys() == {"mel"}
    assert np.array_equal(made.proposal.kept["mel"].array, MEL * 2)
    result = made.finish(root=path.parent)
    assert [(one.name, one.verdict) for one in result.stages] == [("h", PASS), ("mel", FAIL)]
    assert result.stages[1].findings == ()  # causes take time, and are looked for when the failure stands


def test_what_was_not_recorded_is_missing(path):
    made = recorded(path, h=H)
    result = made.finish(root=path.parent)
    assert not result.passed
    assert [finding.code for finding in result.stages[1].findings] == ["missing_stage"]
    assert made.proposal.gone == ("mel",)


def test_a_test_that_ends_early_misses_nothing(path):
    made = recorded(path, h=H * 2, settings={})
    made.trips.take(TRIP)
    result = made.so_far()
    assert [one.name for one in result.stages] == ["h"]
    assert result.stages[0].findings != ()
    assert (result.settings, result.roundtrips) == ((), (TRIP,))
    assert [setting.passed for setting in recorded(path, settings={"seed": 2}).so_far().settings] == [False]


def test_an_input_that_a_program_was_given_counts_as_recorded(path):
    write_golden(path, [stage("x", H, role=INPUT), stage("mel", MEL)], settings={}, provenance={})
    made = recording(path, Spec(port=True))
    made.inputs.hand_over()
    made.take(stage("mel", MEL), {})
    result = made.finish(root=path.parent)
    assert [(one.name, one.verdict) for one in result.stages] == [("x", PASS), ("mel", PASS)]
    assert made.proposal.gone == ()


def test_a_stage_has_a_tolerance_of_its_own(path):
    made = recording(path)
    made.take(stage("mel", MEL * 1.01), {"tol_db": 1.0})
    made.take(stage("h", H * 1.01), {})
    assert [one.verdict for one in made.finish(root=path.parent).stages] == [FAIL, PASS]


def test_each_stage_is_observed_as_it_is_compared(path):
    seen = []
    made = recording(path, observe=lambda *given: seen.append(given))
    made.take(stage("mel", MEL), {"tol_db": 1.0})
    ((actual, result, overrides),) = seen
    assert (actual.meta.name, result.verdict, overrides) == ("mel", PASS, {"tol_db": 1.0})
    recording(path).take(stage("mel", MEL), {})
    assert len(seen) == 1


def test_a_failing_step_is_kept_to_run_again(path):
    made, kept = recording(path), []
    made.steps = SimpleNamespace(is_replaying=False, keep=lambda *given: kept.append(given))
    made.take(stage("mel", MEL), {}, "a call")
    made.take(stage("h", H * 2), {}, "another call")
    ((call, actual),) = kept
    assert (call, actual.meta.name) == ("another call", "h")
    made.declare({"seed": 1})
    made.steps.is_replaying = True
    made.take(stage("h", H), {})
    made.declare({"seed": 2})
    assert len(kept) == 1


def test_a_stage_comes_once_and_in_time(path):
    made = recorded(path, h=H)
    with pytest.raises(StageError, match="'h' was recorded twice; number repeated steps"):
        made.take(stage("h", H), {})
    made.finish(root=path.parent)
    with pytest.raises(StageError, match="'mel' comes after its test was judged"):
        made.take(stage("mel", MEL), {})
    with pytest.raises(StageError, match="settings come after their test was judged"):
        made.declare({"seed": 1})
    with pytest.raises(StageError, match="a round trip comes after"):
        made.trips.begin("codec")


def test_stages_that_only_leaves_out_are_not_compared(path):
    made = recorded(path, Spec(only=("h",)), h=H, mel=MEL * 2)
    result = made.finish(root=path.parent)
    assert result.passed
    assert [one.name for one in result.stages] == ["h"]
    assert made.left_out() == ["mel"]
    assert made.proposal.kept == {}


@pytest.mark.parametrize(
    ("spec", "stages", "reason"),
    [
        (Spec(), {}, "the test recorded no stage: use stages.record(name, tensor) or stages[name] = tensor"),
        (Spec(only=("x",)), {"h": H}, "only=['x'] leaves out every stage that the test recorded"),
        (Spec(must_match=("hh",)), {"h": H}, "'hh' matches no stage, did you mean 'h'?; globs that several"),
        (Spec(must_hear=(("*", "min_stoi"),)), {"h": H}, "min_stoi"),
    ],
)
def test_what_is_not_judged_has_a_reason_and_becomes_no_golden(path, spec, stages, reason):
    made = recorded(path, spec, **stages)
    result = made.finish(root=path.parent)
    assert not result.passed
    assert result.reason.startswith(reason)
    assert made.refusal() == result.reason


def test_globs_may_mean_stages_of_the_golden_alone(path):
    assert recorded(path, Spec(must_match=("mel",)), h=H).finish(root=path.parent).reason is None
    write_golden(path, [stage("wave", MEL, "waveform", sample_rate=16_000)], settings={}, provenance={})
    heard = recorded(path, Spec(must_hear=(("wave", "min_stoi"),)), settings={}, h=H)
    assert heard.finish(root=path.parent).reason is None


def interrupted(path, spec):
    """Record one stage whose comparison ends in an exception, and one that is compared."""
    made = recording(path.with_name("no_golden.safetensors"), spec)
    with pytest.raises(StageError, match="stage 'h': a log_spectrum needs unit=, one of"):
        made.take(stage("h", MEL, "log_spectrum"), {})
    made.take(stage("mel", MEL), {})
    return made


def test_a_comparison_that_was_interrupted_is_told(path):
    """A model that swallows the exception must not leave a stage uncompared."""
    made = interrupted(path, Spec())
    said = "stage 'h' was not compared: an exception interrupted its comparison"
    assert made.finish(root=path.parent).reason == made.refusal() == said
    made = recording(path)
    with pytest.raises(TypeError):
        made.take(stage("h", H), {"tol_db": "none that the fixture lets through"})
    assert made.finish(root=path.parent).reason == said
    # Which stages are waveforms is not known then, so nothing is said of limits that concern those alone.
    assert interrupted(path, Spec(must_hear=(("*", "min_stoi"),))).finish(root=path.parent).reason == said


def test_without_a_golden_everything_is_kept(path):
    made = recording(path.with_name("no_golden.safetensors"))
    made.take(stage("mel", MEL), {})
    made.take(stage("log", MEL, "log_spectrum", unit="db"), {})
    result = made.finish(root=path.parent)
    assert (result.verdict, result.settings, made.refusal()) == (FAIL, (), None)
    assert {one.verdict for one in result.stages} == {NOT_MEASURED}
    assert result.reason.startswith("golden no_golden.safetensors does not exist")
    assert list(made.proposal.kept) == ["mel", "log"]
    assert made.proposal.is_new


def test_a_golden_that_was_altered_fails_and_stays(path):
    """Whether the stage is recorded or not."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # the last element of mel
    path.write_bytes(data)
    for stages in ({"h": H}, {"h": H, "mel": MEL}):
        made = recorded(path, **stages)
        result = made.finish(root=path.parent)
        assert not result.passed
        assert "was altered: stage 'mel'" in result.reason
        assert made.refusal() == "the golden that is there has to be put right first"


def test_a_golden_must_pass_against_itself(path):
    made = recorded(path, h=H, mel=MEL * np.nan)
    assert made.refusal().startswith("stage 'mel': ")
    assert recorded(path, h=H, mel=MEL * 2).refusal() is None
    assert recorded(path, h=np.ones((0, 2))).refusal().startswith("stage 'h': ")


def test_a_mistake_that_the_test_swallowed_counts(path):
    made = recorded(path, h=H, mel=MEL)
    made.doubts.misused("record takes a name")
    assert made.finish(root=path.parent).reason == made.refusal() == "record takes a name"


@pytest.mark.parametrize("force", [False, True])
def test_objections_keep_a_golden_back_unless_they_are_overridden(path, force):
    made = recording(path, force=True) if force else recording(path)
    made.take(stage("mel", MEL * 2), {})
    made.doubts.refuse("it sounds odd")
    assert made.refusal() == (None if force else "it sounds odd")


def test_a_round_trip_has_to_be_made_and_to_pass(path):
    made = recorded(path, h=H, mel=MEL)
    made.trips.expect()
    assert made.refusal().startswith("the test sent nothing through its codec")
    made.trips.take(SimpleNamespace(name=None, failed=(SimpleNamespace(name="stoi"), SimpleNamespace(name="snr"))))
    assert made.refusal() == "its round trip fails: stoi, snr"


def test_a_round_trip_alone_needs_no_golden(path):
    """Scores are held to thresholds; but stages beside it are compared with something."""
    made = recording(path.with_name("no_golden.safetensors"))
    made.trips.take(TRIP)
    assert made.finish(root=path.parent).reason is None
    made = recorded(path.with_name("no_golden.safetensors"), h=H)
    made.trips.take(TRIP)
    assert "does not exist" in made.finish(root=path.parent).reason
    misspelt = recorded(path, Spec(must_match=("hh",)), h=H)
    misspelt.trips.take(TRIP)
    assert misspelt.finish(root=path.parent).reason.startswith("'hh' matches no stage")
    path.write_bytes(b"no golden")
    made = recording(path)
    made.trips.take(TRIP)
    assert made.finish(root=path.parent).reason.startswith("golden test_x.safetensors ")


def test_a_port_need_not_know_the_settings(path):
    """It is told that nobody compared them, where that is read: where it fails."""
    made = recorded(path, Spec(port=True), settings={}, h=H, mel=MEL * 2)
    result = made.finish(root=path.parent)
    assert result.settings == ()
    assert ("settings", "seed: not compared, this port declares none") in result.notes
    assert (made.proposal.settings, made.proposal.is_port) == (None, True)
    assert recorded(path, Spec(port=True), settings={}, h=H, mel=MEL).finish(root=path.parent).notes == ()
    told = recorded(path, Spec(port=True), settings={"seed": 2}, h=H, mel=MEL).finish(root=path.parent)
    assert not told.passed
    assert [setting.passed for setting in told.settings] == [False]
    assert not any(label == "settings" for label, _ in told.notes)
    owner = recorded(path, settings={}, h=H, mel=MEL)
    assert not owner.finish(root=path.parent).passed
    assert (owner.proposal.settings, owner.proposal.is_port) == ({}, False)
    write_golden(path, [stage("h", H)], settings={}, provenance={"packages": {"numpy": "1.0"}})
    port = recorded(path, Spec(port=True), settings={}, h=H * 2).finish(root=path.parent)
    assert [label for label, _ in port.notes] == ["golden made with"]
    assert recorded(path, settings={}, h=H).finish(root=path.parent).notes == ()
    assert recorded(path, settings={"seed": 1}, h=H).finish(root=path.parent).notes != ()


def test_a_passing_test_says_which_variant_it_used(path):
    write_golden(path.with_name("test_x@cuda.safetensors"), [stage("h", H)], settings={}, provenance={})
    made = recording(path, variants=("cuda",))
    made.take(stage("h", H), {})
    result = made.finish(root=path.parent)
    assert (result.passed, result.golden.name, result.notes[0][0]) == (True, "test_x@cuda.safetensors", "variant")
    new = recording(path, new_variant="mps")
    assert new.reference.target.name == "test_x@mps.safetensors"


def test_a_stage_is_of_the_kind_that_the_golden_declares(path):
    write_golden(path, [stage("ids", [1, 2], "codes"), stage("mel", MEL)], settings={}, provenance={})
    made = recording(path)
    assert made.kind(StageMeta("ids")) == "codes"
    assert made.kind(StageMeta("ids", "tensor")) == "tensor"
    assert made.kind(StageMeta("mel")) is None
    assert made.kind(StageMeta("new")) is None


def said_of(path, *stages, spec=None, **more):
    """Record arrays with the golden's settings, and say why they cannot become the golden."""
    made = recording(path, spec, **more)
    for one in stages:
        made.take(one, {})
    return made.refusal()


def test_audio_that_has_lost_its_words_becomes_no_golden_unasked(path):
    """Of all stages that fail, and only where nobody said that it need not be speech."""
    speech, rate = soundfile.read(SPEECH, dtype="float32")
    frames = speech[: speech.size // 1280 * 1280].reshape(-1, 1280)
    garbled = np.random.default_rng(1).permutation(frames).reshape(-1)
    old, lost, quiet = (
        stage("wave", audio, "waveform", axes="T", sample_rate=rate)
        for audio in (speech[: garbled.size], garbled, speech[: garbled.size] * 0.9)
    )
    write_golden(path, [stage("h", H), old], settings={}, provenance={})
    changed = stage("h", H * 2)
    said = said_of(path, changed, lost)
    assert said.startswith("stage 'wave': ")
    assert said.endswith("; if it need not be speech: words='any' in the mark or record")
    assert said_of(path, changed, lost, force=True) is None
    assert said_of(path, changed, lost, spec=Spec(layers=({"words": "any"},))) is None
    assert said_of(path, changed, quiet) is None
    write_golden(path, [stage("wave", H, "waveform")], settings={}, provenance={})
    assert said_of(path, stage("wave", H * 2, "waveform")) is None  # without its rate it cannot be listened to
    new = stage("new", garbled, "waveform", axes="T", sample_rate=rate)
    assert said_of(path, new) is None  # there is nothing whose words it could have lost
