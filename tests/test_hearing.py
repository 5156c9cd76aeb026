"""When a waveform is listened to, which of its channels, and what that does to its verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_audioparity.audio import channels
from pytest_audioparity.audio.records import Measure, Score
from pytest_audioparity.audio.verdict import KEPT_SI_SDR_DB
from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.structure import pair
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.hearing import heard, must_keep_words, objection, unjudged
from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS, StageMeta, StageTensor
from pytest_audioparity.results import Criterion

RATE = 16_000
NOISE = np.random.default_rng(0).choice([-1.0, 1.0], RATE)
LOOSE = {"tol_db": 60, "tol_peak_db": None}


class Ears:
    """What stands in for `score`: it notes what it was given, and says what a test wants it to."""

    def __init__(self):
        self.given = []
        self.verdict = "ok"
        self.values = dict.fromkeys(("stoi", "estoi", "pesq_wb", "pesq_nb"), 0.75)

    def __call__(self, reference, _estimate, *, sample_rate, pesq):
        self.given.append((reference, sample_rate, pesq))
        measures = {
            name: Measure(value, "1", "", None if value is not None else "too short")
            for name, value in self.values.items()
        }
        return Score(self.verdict, (), measures, sample_rate)


@pytest.fixture(autouse=True)
def ears(monkeypatch):
    ears = Ears()
    monkeypatch.setattr(channels, "score", ears)
    return ears


def check(expected, actual, *, causes=False, kind="waveform", sample_rate=RATE, axes=None, actual_rate=None, **limits):
    """Compare two arrays as one stage; without causes a failure is not listened to."""
    meta = StageMeta("x", kind, axes, sample_rate=sample_rate)
    sides = StageTensor(meta, expected), StageTensor(replace(meta, sample_rate=actual_rate or sample_rate), actual)
    return check_stage(*sides, layered([limits], "x"), causes=causes)


def criteria(result):
    return [(one.name, one.passed) for one in result.criteria]


class TestPassing:
    def test_words_that_are_lost_within_the_limits_fail(self, ears):
        ears.verdict = "garbled"
        result = check(NOISE, -NOISE, **LOOSE)
        assert result.verdict == FAIL
        assert result.criteria[-1] == Criterion("words", 1, 0, passed=False)
        assert result.audio.lost == 1
        ((reference, rate, pesq),) = ears.given
        assert np.array_equal(reference, NOISE)
        assert (rate, pesq) == (RATE, False)

    def test_words_that_are_kept_are_said_to_be(self):
        result = check(NOISE, -NOISE, **LOOSE)
        assert (result.verdict, result.reason) == (PASS, None)
        assert criteria(result) == [("deviation_db", True), ("words", True)]

    @pytest.mark.parametrize(
        ("actual", "more"),
        [
            (-NOISE, {"words": "any"}),
            (-NOISE, {"kind": "tensor"}),
            (-NOISE, {"tol_db": 0.01}),
            (NOISE * 1.001, {}),
            (NOISE * 1.1, {}),
        ],
        ids=["any words", "no waveform", "fails already", "too near", "near enough everywhere"],
    )
    def test_where_no_words_may_be_lost_or_it_fails_anyhow_nothing_is_listened_to(self, ears, actual, more):
        result = check(NOISE, actual, **{**LOOSE, **more})
        assert result.audio is None
        assert ears.given == []
        assert "words" not in dict(criteria(result))

    def test_without_elements_there_is_nothing_to_hear(self):
        result = check(NOISE[:0], NOISE[:0], allow_empty=True, min_stoi=0.5)
        assert (result.verdict, result.audio) == (PASS, None)

    @pytest.mark.parametrize(("limit", "verdict"), [(0.75, PASS), (0.7501, FAIL)])
    def test_a_score_is_asked_for_however_near_the_sides_are(self, limit, verdict):
        result = check(NOISE, NOISE.copy(), min_stoi=limit, words="any")
        assert result.verdict == verdict
        assert result.criteria[-1] == Criterion("stoi", 0.75, limit, passed=verdict == PASS, at_most=False)
        assert "words" not in dict(criteria(result))

    @pytest.mark.parametrize(
        ("expected", "axes", "verdict"),
        [
            (NOISE[:4000], None, NOT_MEASURED),
            (NOISE[:3999], None, PASS),  # shorter than a word
            (NOISE[:7998].reshape(2, -1), "CT", PASS),
            (NOISE[:8000].reshape(2, -1), "CT", NOT_MEASURED),
        ],
        ids=["a word", "less", "less, in two channels", "a word in two channels"],
    )
    def test_where_nobody_knows_whether_words_are_kept_no_tolerance_accepts_it(self, ears, expected, axes, verdict):
        ears.verdict, ears.values["estoi"] = "not_measured", None
        result = check(expected, -expected, axes=axes, **LOOSE)
        assert result.verdict == verdict
        if verdict == NOT_MEASURED:
            where = "C=0: " if axes else ""
            assert result.reason.startswith(f"words: the error is large enough to lose some; {where}too short; if it")
        assert check(expected, -expected, axes=axes, words="any", **LOOSE).verdict == PASS

    def test_where_nothing_was_to_be_heard_no_words_are_missed(self, ears):
        ears.verdict, ears.values["estoi"] = "not_measured", None
        assert check(NOISE * 0, NOISE * 1e-4, tol_db=None, tol_peak_db=None, atol=1e-3).verdict == PASS

    @pytest.mark.parametrize(
        ("asked", "pesq"), [("min_stoi", False), ("min_estoi", False), ("min_pesq_wb", True), ("min_pesq_nb", True)]
    )
    def test_pesq_is_computed_where_it_is_asked_for(self, ears, asked, pesq):
        check(NOISE, NOISE.copy(), **{asked: 0.5})
        assert ears.given[0][2] is pesq

    def test_what_cannot_be_measured_does_not_pass_and_the_first_of_them_is_named(self, ears):
        ears.values |= {"stoi": None, "pesq_nb": None}
        result = check(NOISE, NOISE.copy(), min_stoi=0.5, min_estoi=0.5, min_pesq_nb=0.5)
        assert (result.verdict, result.reason) == (NOT_MEASURED, "min_stoi: too short")
        assert dict(criteria(result))["estoi"]
        assert not dict(criteria(result))["stoi"]

    def test_a_failure_counts_more_than_what_cannot_be_measured(self, ears):
        ears.values["stoi"] = None
        result = check(NOISE, NOISE.copy(), min_stoi=0.5, min_estoi=0.9)
        assert (result.verdict, result.reason) == (FAIL, "min_stoi: too short")

    def test_the_channel_that_could_not_be_measured_is_named(self, ears):
        ears.values["stoi"] = None
        stereo = np.stack([NOISE, NOISE])
        assert check(stereo, stereo.copy(), axes="CT", min_stoi=0.5).reason == "min_stoi: C=0: too short"


class TestWithoutRate:
    def test_a_score_cannot_be_had(self):
        result = check(NOISE, NOISE.copy(), sample_rate=None, min_estoi=0.5)
        assert (result.verdict, result.audio) == (NOT_MEASURED, None)
        assert result.reason == "min_estoi: scores need the sample rate; declare sample_rate= in Hz"

    # A quarter of a second at the lowest rate that speech has, 4 kHz, is 1000 samples.
    @pytest.mark.parametrize(("size", "verdict"), [(999, PASS), (1000, NOT_MEASURED)])
    def test_what_is_shorter_than_a_word_at_any_rate_has_none(self, size, verdict):
        result = check(NOISE[:size], -NOISE[:size], sample_rate=None, **LOOSE)
        assert result.verdict == verdict
        assert (result.reason or "").startswith("words: the error is large" if verdict == NOT_MEASURED else "")

    def test_at_a_known_rate_that_is_for_the_score_to_say(self, ears):
        assert check(NOISE[:999], -NOISE[:999], **LOOSE).verdict == PASS
        assert len(ears.given) == 1

    # Of 4000 samples, 4 windows at 4 kHz and one at 16 kHz: words may be lost below 46 and 40 dB.
    @pytest.mark.parametrize(("rate", "verdict"), [(None, NOT_MEASURED), (RATE, PASS)])
    def test_the_lowest_rate_is_the_one_at_which_most_may_be_lost(self, ears, rate, verdict):
        result = check(NOISE[:4000], NOISE[:4000] * (1 + 10**-2.15), sample_rate=rate, **LOOSE)
        assert result.verdict == verdict
        assert ears.given == []


class TestChannels:
    @pytest.mark.parametrize("asked", [{}, {"min_stoi": 0.5}])
    def test_those_that_may_have_lost_words_are_scored_and_all_where_a_score_is_asked_for(self, asked):
        expected = np.stack([NOISE, NOISE])
        actual = np.stack([NOISE * 1.001, -NOISE])
        result = check(expected, actual, axes="CT", **LOOSE, **asked)
        assert list(result.audio.scores) == (["C=0", "C=1"] if asked else ["C=1"])
        assert result.audio.channels == 2

    # Without a pause of an eighth of it, the power of the stage is 100²·7/8, of which 40 dB less are 0.94² and 0.99².
    @pytest.mark.parametrize(("error", "scored"), [(0.85, ["C=1"]), (1.05, ["C=0", "C=1"])])
    @pytest.mark.parametrize(("gain", "mean"), [(100.0, 0.0), (1.0, 100.0)])
    def test_an_error_that_the_power_of_the_whole_hides_is_none(self, gain, mean, error, scored):
        expected = np.stack([NOISE, NOISE]) * gain + mean
        expected[0, :4000] = 0
        actual = expected.copy()
        actual[0, :4000] = error
        actual[1] *= -1
        assert list(check(expected, actual, axes="CT", **LOOSE).audio.scores) == scored

    @pytest.mark.parametrize(
        "expected", [np.tile([0.01, -0.01], 8000), np.full(RATE, 0.01)], ids=["no mean", "constant"]
    )
    def test_what_has_no_mean_or_no_spread_has_the_power_of_the_other(self, expected):
        actual = expected.copy()
        actual[:4000] += 0.002
        assert check(expected, actual, **LOOSE).audio is not None

    @pytest.mark.parametrize(("above_db", "scored"), [(-0.01, ["C=0", "C=1"]), (0.01, ["C=1"])])
    def test_words_may_be_lost_below_a_ratio(self, above_db, scored):
        expected = np.stack([NOISE, NOISE])
        actual = np.stack([NOISE * (1 + 10 ** (-(KEPT_SI_SDR_DB + above_db) / 20)), -NOISE])
        assert list(check(expected, actual, axes="CT", **LOOSE).audio.scores) == scored

    def test_at_that_ratio_they_are_kept(self, monkeypatch):
        monkeypatch.setattr("pytest_audioparity.audio.verdict.KEPT_SI_SDR_DB", 0.0)
        expected, actual = np.stack([NOISE, NOISE]), np.stack([2 * NOISE, -NOISE])  # 0 and -6 dB
        assert list(check(expected, actual, axes="CT", **LOOSE).audio.scores) == ["C=1"]

    @pytest.mark.parametrize("worst", [1e100, -1e100])
    @pytest.mark.parametrize("side", [0, 1])
    def test_what_cannot_be_squared_is_no_audio(self, worst, side):
        sides = [NOISE.copy(), NOISE.copy()]
        sides[side][5] = worst
        assert check(*sides, tol_db=None, atol=1e300, min_stoi=0.5).verdict == PASS
        sides[side][5] *= 1.001
        result = check(*sides, tol_db=None, atol=1e300, min_stoi=0.5)
        assert result.verdict == NOT_MEASURED
        assert result.reason == "min_stoi: stage 'x': values beyond 1e+100 are no audio"


class TestFailing:
    def test_what_fails_by_its_numbers_is_listened_to_and_still_fails(self):
        result = check(NOISE, -NOISE, causes=True)
        assert result.verdict == FAIL
        assert dict(criteria(result))["words"]

    def test_one_channel_is_scored_where_none_differs_enough(self):
        stereo = np.stack([NOISE, NOISE])
        result = check(stereo, stereo * 1.002, causes=True, axes="CT")
        assert (result.verdict, list(result.audio.scores), result.audio.channels) == (FAIL, ["C=0"], 2)

    @pytest.mark.parametrize(
        ("actual", "more"),
        [
            (-NOISE, {"kind": "tensor"}),
            (-NOISE, {"sample_rate": None}),
            (-NOISE, {"actual_rate": 8000}),
            (-NOISE + 0j, {}),
            (NOISE * 1.0001, {}),
        ],
        ids=["no waveform", "no rate", "two rates", "complex", "passes"],
    )
    def test_what_is_no_audio_or_passes_is_left_as_it_is(self, ears, actual, more):
        result = check(NOISE if actual.dtype == float else NOISE + 0j, actual, causes=True, **more)
        assert (result.audio, ears.given) == (None, [])
        assert "words" not in dict(criteria(result))

    @pytest.mark.parametrize("actual", [NOISE[:-1], np.where(np.arange(RATE) == 9, np.nan, NOISE)], ids=["cut", "NaN"])
    def test_without_numbers_every_channel_is_scored_and_nothing_judged(self, actual):
        result = check(np.stack([NOISE, NOISE]), np.stack([actual, actual]), causes=True, axes="CT", min_stoi=0.9)
        assert list(result.audio.scores) == ["C=0", "C=1"]
        assert (result.verdict, result.criteria) == (FAIL, ())

    def test_a_side_without_elements_is_not_too_loud(self):
        assert check(NOISE, NOISE[:0], causes=True).audio.channels == 1

    def test_infinity_is_told_where_it_is_found(self):
        assert check(NOISE, np.where(np.arange(RATE) == 9, -np.inf, NOISE), causes=True).audio.channels == 1

    def test_every_channel_is_scored_where_a_score_is_asked_for(self):
        stereo = np.stack([NOISE, NOISE])
        result = check(stereo, stereo * 1.002, causes=True, axes="CT", min_stoi=0.9)
        assert list(result.audio.scores) == ["C=0", "C=1"]
        assert criteria(result)[-2:] == [("words", True), ("stoi", False)]

    def test_a_reason_that_was_there_before_stays(self, ears):
        ears.values["stoi"] = None
        result = check(NOISE, -NOISE, min_stoi=0.5)
        both = pair(*(StageTensor(result.meta, side) for side in (NOISE, -NOISE)), result.tolerance)
        assert heard(result, both).reason == "min_stoi: too short"
        assert heard(replace(result, reason="before"), both).reason == "before"

    def test_another_type_fails_whatever_cannot_be_measured(self, ears):
        ears.values["stoi"] = None
        result = check(NOISE, NOISE.astype("float32"), causes=True, min_stoi=0.5)
        assert (result.verdict, result.reason) == (FAIL, "min_stoi: too short")
        assert criteria(result) == [("deviation_db", True), ("peak_db", True), ("words", True), ("stoi", False)]

    def test_what_was_listened_to_is_not_again(self, ears):
        ears.verdict = "garbled"
        result = check(NOISE, -NOISE, causes=True, **LOOSE)
        assert len(ears.given) == 1
        assert criteria(result).count(("words", False)) == 1


class TestSaid:
    @pytest.mark.parametrize(
        ("kind", "rate", "words", "must"),
        [
            ("waveform", RATE, "kept", True),
            ("waveform", RATE, "any", False),
            ("waveform", None, "kept", False),
            ("tensor", RATE, "kept", False),
        ],
    )
    def test_words_count_of_a_waveform_of_a_known_rate(self, kind, rate, words, must):
        tolerance = layered([{"words": words}], "x")
        assert must_keep_words(StageMeta("x", kind, sample_rate=rate), tolerance) is must

    def test_lost_words_are_an_objection(self, ears):
        assert objection("it", check(NOISE, -NOISE, **LOOSE).audio) is None
        ears.verdict = "garbled"
        audio = check(NOISE, -NOISE, **LOOSE).audio
        assert objection("it", audio) == "it: against the golden it is words cannot be judged, ESTOI 0.75"
        assert objection("it", audio, against="that").startswith("it: against that it is ")

    def test_what_a_failure_was_not_held_against_is_said(self):
        limits = {"min_stoi": 0.5, "min_pesq_wb": 2}
        failing = check(NOISE, -NOISE, **limits)
        assert unjudged(failing) == ["stoi", "pesq_wb", "words"]
        assert unjudged(check(NOISE, -NOISE, words="any", **limits)) == ["stoi", "pesq_wb"]
        assert unjudged(check(NOISE, -NOISE, sample_rate=None, **limits)) == ["stoi", "pesq_wb"]
        assert unjudged(check(NOISE, -NOISE, causes=True, **limits)) == []
        assert unjudged(check(NOISE, NOISE[:-1], causes=True)) == []
        assert unjudged(check(NOISE, -NOISE, kind="tensor", **limits)) == []
        assert unjudged(check(NOISE, NOISE.copy())) == []
