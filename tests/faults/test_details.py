"""What a fault says of itself is what it did: fitted, counted or undone by an independent computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr

from pytest_audioparity.faults import faults_of
from pytest_audioparity.faults.subject import subject_of
from tests.faults import corpus

# Largest rounding that `faults_of` puts on top, relative to the value and the rms, over five deviations.
_ROUNDING = 5 * 1.2 * 2.5e-4


def made(code, kinds=None):
    for stage in corpus.stages():
        if kinds is None or subject_of(stage).kind in kinds:
            for fault in faults_of(stage, rng=np.random.default_rng(5), codes=[code]):
                yield subject_of(stage), subject_of(fault.stage), fault


def rows(subject):
    return np.moveaxis(subject.x, subject.time, -1)


def wrong_at(expected, actual):
    """Where elements differ by more than rounding; `actual` may be much larger than `expected`."""
    largest = np.maximum(np.abs(expected.x), np.abs(actual.x)) + expected.rms
    return np.abs(actual.x - expected.x) > _ROUNDING * largest


def wrong_frames(expected, actual):
    return np.flatnonzero(
        np.moveaxis(wrong_at(expected, actual), expected.time, -1).reshape(-1, expected.frames).any(0)
    )


@pytest.mark.parametrize("code", ["gain", "log_base", "sign_flip"])
def test_a_fitted_gain_is_the_gain(code):
    for e, a, fault in made(code):
        fitted = float(np.sum(e.x * a.x) / np.sum(e.x * e.x))
        assert fitted == pytest.approx(fault.detail["gain"], rel=1e-3)


@pytest.mark.parametrize("code", ["affine", "offset"])
def test_a_fitted_line_is_the_line(code):
    for e, a, fault in made(code):
        if e.x.size < 100:
            continue
        slope = fault.detail.get("gain", 1.0)
        intercept = float(np.mean(a.x - slope * e.x))
        fitted = np.polyfit(e.x.ravel(), a.x.ravel(), 1)
        assert fitted[0] == pytest.approx(slope, rel=2e-3, abs=2e-3 * a.std / e.std)
        assert intercept == pytest.approx(fault.detail["offset"], abs=1e-3 * (e.rms + a.rms))


def test_an_offset_of_a_log_spectrum_is_told_in_db():
    for e, a, fault in made("offset", ["log_spectrum"]):
        worth = {"db": 1, "ln": 20 / math.log(10), "ln_power": 10 / math.log(10), "log10": 20, "log10_power": 10}
        offset = float(np.mean(a.x - e.x)) * worth[e.stage.meta.unit]
        assert offset == pytest.approx(fault.detail["offset_db"], abs=0.02)


@pytest.mark.parametrize("code", ["channel_permutation", "interleaved"])
def test_the_permutation_undone_is_the_stage(code):
    for e, a, fault in made(code):
        order = np.argsort(fault.detail["permutation"])
        undone = np.moveaxis(a.x, a.channel, 0)[order]
        np.testing.assert_allclose(undone, np.moveaxis(e.x, e.channel, 0), rtol=_ROUNDING, atol=_ROUNDING * e.rms)


def test_the_axes_put_back_are_the_stage():
    for e, a, fault in made("axes_permuted"):
        undone = a.x.transpose(np.argsort(fault.detail["permutation"]))
        np.testing.assert_allclose(undone, e.x, rtol=_ROUNDING, atol=_ROUNDING * e.rms)


def test_a_shift_undone_is_the_stage_where_both_have_frames():
    for e, a, fault in made("time_shift"):
        shift = fault.detail["shift_frames"]
        if shift % 1:
            continue
        later, earlier = (rows(a), rows(e)) if shift > 0 else (rows(e), rows(a))
        tolerance = _ROUNDING * e.rms
        np.testing.assert_allclose(
            later[..., abs(shift) :], earlier[..., : -abs(shift)], rtol=_ROUNDING, atol=tolerance
        )


def test_a_part_of_a_sample_is_a_whole_number_of_them_at_a_higher_rate():
    """A resampler to twice the rate makes half a sample one."""
    halves = [each for each in made("time_shift", ["waveform"]) if each[2].detail["shift_frames"] % 1 == 0.5]
    assert len(halves) >= 20
    for e, a, fault in halves:
        fine_e, fine_a = (soxr.resample(rows(side).reshape(-1, side.frames)[0], 1, 2) for side in (e, a))
        moved = np.roll(fine_e, round(2 * fault.detail["shift_frames"]))
        # Silence moves in at the ends, where the speech was cut.
        inner = slice(200, -200)
        assert np.mean((fine_a - moved)[inner] ** 2) < 1e-3 * np.mean(moved[inner] ** 2)


def test_nothing_differs_before_a_divergence_and_much_does_after_it():
    for e, a, fault in made("diverges_from"):
        frames = wrong_frames(e, a)
        start = fault.detail["start"]
        assert frames.min() >= start
        assert len(frames) > 0.3 * (e.frames - start)


def test_seams_are_wrong_only_behind_their_boundaries():
    for e, a, fault in made("seams"):
        frames = wrong_frames(e, a)
        period, width = fault.detail["period"], fault.detail["width"]
        assert frames.min() >= period
        assert (frames % period < width).all()
        assert len(set(frames // period)) >= 2


def test_edges_are_wrong_only_there():
    for e, a, fault in made("edges"):
        frames = wrong_frames(e, a)
        first, last = fault.detail["first"], fault.detail["last"]
        assert ((frames < first) | (frames >= e.frames - last)).all()


def test_only_the_named_channels_are_wrong():
    for e, a, fault in made("channels"):
        wrong = np.moveaxis(wrong_at(e, a), e.channel, 0).reshape(e.channels, -1).any(axis=1)
        assert set(np.flatnonzero(wrong)) <= set(fault.detail["channels"])
        assert wrong.any()


@pytest.mark.parametrize("kinds", [["codes"], ["waveform", "tensor", "logits", "embedding"]])
def test_only_the_named_elements_are_spikes(kinds):
    for e, a, fault in made("spikes", kinds):
        where = fault.detail.get("where")
        if where is None:
            continue
        assert set(np.flatnonzero(wrong_at(e, a))) <= set(where)
        assert len(where) == fault.detail["count"]


def test_only_the_named_frames_are_in_bursts():
    named = 0
    for e, a, fault in made("spikes"):
        frames = [at for start, stop in fault.detail.get("runs", ()) for at in range(start, stop + 1)]
        if frames:
            named += 1
            assert set(wrong_frames(e, a)) <= set(frames)
            assert len(frames) == fault.detail["count"]
    assert named


@pytest.mark.parametrize(("code", "key"), [("channel_gain", "gains"), ("channel_offset", "offsets")])
def test_the_numbers_per_channel_make_the_fault(code, key):
    for e, a, fault in made(code):
        per = e.per_frame if fault.detail.get("axis") == "T" else e.per_channel
        numbers = per(np.array(fault.detail[key]))
        right = e.x * numbers if key == "gains" else e.x + numbers
        np.testing.assert_allclose(a.x, right, rtol=_ROUNDING, atol=_ROUNDING * a.rms)


def test_clamped_values_stay_within_and_others_stay():
    for e, a, fault in made("clipped"):
        low, high = fault.detail.get("low", -np.inf), fault.detail["high"]
        np.testing.assert_allclose(a.x, np.clip(e.x, low, high), rtol=_ROUNDING, atol=_ROUNDING * e.rms)


def test_a_floor_touches_nothing_far_above_it():
    for e, a, fault in made("floor"):
        worth = {"db": 1, "ln": 20 / math.log(10), "ln_power": 10 / math.log(10), "log10": 20, "log10_power": 10}
        high = e.x > fault.detail["floor"] + 60 / worth[e.stage.meta.unit]
        high &= e.x > e.x.min()
        tolerance = _ROUNDING * np.maximum(np.abs(e.x), e.rms) + 20 * math.log10(1 + 1e-3) / worth[e.stage.meta.unit]
        assert (np.abs(a.x - e.x) <= tolerance)[high].all()


def test_values_on_a_grid_of_integers_are_multiples_of_its_step():
    for _, a, fault in made("quantised"):
        if "step" in fault.detail and fault.detail["grid"].startswith("int"):
            steps = a.x / fault.detail["step"]
            np.testing.assert_allclose(steps, np.round(steps), atol=0.01)


def test_lengths_and_channels_are_what_they_say():
    for e, a, fault in made("length"):
        assert a.x.shape[e.time] - e.frames == fault.detail["frames"]
    for e, a, fault in made("missing_channels"):
        kept = np.moveaxis(e.x, e.channel, 0)[fault.detail["kept"]]
        shape = kept.shape
        np.testing.assert_allclose(np.moveaxis(a.x, e.channel, 0).reshape(shape), kept, rtol=1e-2, atol=1e-2 * e.rms)


def test_reshaped_values_are_the_same_values():
    for e, a, fault in made("reshaped"):
        if "row" not in fault.detail:
            tolerance = 2 * _ROUNDING * e.rms
            np.testing.assert_allclose(np.sort(a.x.ravel()), np.sort(e.x.ravel()), rtol=_ROUNDING, atol=tolerance)


def test_codebooks_of_a_delay_pattern_are_shifted_by_their_number():
    for e, a, fault in made("delay_pattern"):
        for book in range(e.channels):
            one, two = (np.moveaxis(side.x, (e.channel, e.time), (0, -1))[book] for side in (e, a))
            shift = fault.detail["sign"] * book
            if fault.detail["fill"] == "wrap":
                np.testing.assert_array_equal(np.roll(one, shift, axis=-1), two)


def test_dropped_frames_leave_what_follows_early():
    for e, a, fault in made("dropped_frames"):
        if "start" in fault.detail:
            start, count = fault.detail["start"], fault.detail["count"]
            stop = e.frames - count
            early = np.moveaxis(a.x, e.time, -1)[..., start:stop]
            np.testing.assert_allclose(early, rows(e)[..., start + count :], rtol=_ROUNDING, atol=_ROUNDING * e.rms)


def test_a_drift_is_smallest_at_the_start():
    for e, a, _ in made("drift"):
        error = np.abs(rows(a) - rows(e)).reshape(-1, e.frames).mean(axis=0)
        assert error[: max(1, e.frames // 20)].mean() < 0.5 * error.max()


def test_a_stretched_signal_read_at_its_ratio_is_the_stage():
    for e, a, fault in made("sample_rate", ["waveform"]):
        reach = min(e.frames, int(a.x.shape[e.time] / fault.detail["ratio"]) - 20) // 2
        places = np.arange(reach) * fault.detail["ratio"]
        # At 16 kHz a line between samples is no resampler; that the two run together is the point.
        rate = a.x.shape[e.time]
        read = np.array([np.interp(places, np.arange(rate), row) for row in rows(a).reshape(-1, rate)])
        together = np.corrcoef(read.ravel(), rows(e)[..., :reach].ravel())[0, 1]
        assert together > 0.9
