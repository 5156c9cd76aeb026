"""Spectra as complex numbers: turned as a whole, in proportion to the frequency, and without their phases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_audioparity import compare

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "pocketsphinx_cards_002.wav"
SIZE = 512
FRAMES = np.lib.stride_tricks.sliding_window_view(soundfile.read(SPEECH)[0], SIZE)[::160] * np.hanning(SIZE)
SPECTRUM = np.fft.rfft(FRAMES).T.astype(np.complex64)
DECLARED = pytest.mark.parametrize("declared", [{}, {"axes": "CT"}], ids=["undeclared", "declared"])


def first(actual, declared):
    return compare(SPECTRUM, actual.astype(np.complex64), **declared).findings[0]


@DECLARED
@pytest.mark.parametrize(("gain", "degrees"), [(1, 90), (1, -90), (1, 17), (0.5, 120), (2, -3)])
def test_a_spectrum_that_is_turned_as_a_whole(gain, degrees, declared):
    found = first(SPECTRUM * gain * np.exp(1j * np.radians(degrees)), declared)

    assert found.code == "gain"
    assert found.detail == {"gain": pytest.approx(gain, rel=1e-5), "degrees": pytest.approx(degrees, abs=1e-3)}


@DECLARED
@pytest.mark.parametrize("samples", [256, 100, 3, -20, 0.5])
def test_frames_that_are_read_from_another_sample_on(samples, declared):
    turned = np.exp(-2j * np.pi * np.arange(SIZE // 2 + 1) * samples / SIZE)[:, None]
    found = first(SPECTRUM * turned, declared)

    assert found.code == "channel_gain"
    if samples != SIZE / 2:  # which is every other sign, and no turn
        assert f"{samples} samples of a transform of {SIZE}" in found.message


@DECLARED
def test_bins_that_are_turned_by_any_angles(declared):
    angles = np.random.default_rng(4).uniform(-3, 3, len(SPECTRUM))
    found = first(SPECTRUM * np.exp(1j * angles)[:, None], declared)

    assert found.code == "channel_gain"


@DECLARED
def test_phases_that_are_lost(declared):
    assert first(np.abs(SPECTRUM), declared).code == "pointwise"


@DECLARED
@pytest.mark.parametrize(
    "change", [np.negative, lambda z: 2 * z, lambda z: z[:, ::-1]], ids=["sign", "gain", "backwards"]
)
def test_what_turns_nothing_is_called_what_it_is(change, declared):
    found = first(change(SPECTRUM), declared)

    assert found.code in ("sign_flip", "gain", "reversed")
    assert "degrees" not in found.detail


@DECLARED
def test_another_signal_is_not_turned(declared):
    rng = np.random.default_rng(6)
    noise = rng.standard_normal(SPECTRUM.shape) + 1j * rng.standard_normal(SPECTRUM.shape)

    assert first(noise * np.abs(SPECTRUM).mean(), declared).code == "uncorrelated"
