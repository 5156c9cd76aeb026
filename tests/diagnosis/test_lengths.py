"""Another length: along an axis that nobody declared, time if neighbours are alike there; of complex numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, FLOOR, SIZE, filters, spectrum, spoken

RNG = np.random.default_rng(9)
# Frames first, as hidden states have them: slow along time, with channels of their own.
HIDDEN = np.stack([np.convolve(RNG.standard_normal(208), np.ones(9) / 3, "valid") for _ in range(64)], axis=1)[None]


@pytest.mark.parametrize("frames", [-1, -20, 1, 40])
@pytest.mark.parametrize("batch", [True, False])
def test_frames_that_come_first_are_frames(frames, batch):
    hidden = (HIDDEN if batch else HIDDEN[0]).astype(np.float32)
    time = hidden.ndim - 2
    actual = np.take(hidden, range(200 + frames), time, mode="clip")
    found = compare(hidden, actual).findings[0]

    assert (found.code, found.detail["difference"], found.detail["where"]) == ("length", frames, "end")


@pytest.mark.parametrize("channels", [-1, -8, 3])
def test_channels_that_come_first_are_channels(channels):
    hidden = np.swapaxes(HIDDEN, 1, 2).astype(np.float32)
    actual = np.take(hidden, range(64 + channels), 1, mode="clip")

    assert compare(hidden, actual).findings[0].code == "missing_channels"


SPECTRUM = spectrum(spoken(CLIPS[0])).astype(np.complex64)


@pytest.mark.parametrize(
    ("cut", "where", "shift"), [(np.s_[:, :-1], "end", 0), (np.s_[:, 1:], "start", -1), (np.s_[:, 2:], "start", -2)]
)
def test_frames_that_a_complex_spectrum_lacks_are_placed(cut, where, shift):
    found = compare(SPECTRUM, SPECTRUM[cut], axes="CT").findings
    assert [finding.code for finding in found] == ["length", "shape"]
    assert (found[0].detail["where"], found[0].detail["shift"]) == (where, shift)


@pytest.mark.parametrize(
    ("change", "code", "detail"),
    [
        (lambda side: np.float32(1.5) * side, "gain", {"constant": "1.5"}),
        (np.conj, "channel_gain", {"axis": "part"}),
        (lambda side: side * np.exp(0.5j), "gain", {"degrees": pytest.approx(np.degrees(0.5))}),
    ],
)
def test_what_else_is_wrong_with_a_complex_spectrum_that_is_shorter_is_told(change, code, detail):
    found = compare(SPECTRUM, change(SPECTRUM[:, :-1]).astype(np.complex64), axes="CT").findings
    assert [finding.code for finding in found] == ["length", code, "shape"]
    assert detail.items() <= {name: found[1].detail[name] for name in detail}.items()


def test_a_complex_spectrum_in_another_order_and_one_that_lacks_a_bin():
    turned = compare(SPECTRUM, np.ascontiguousarray(SPECTRUM.T), axes="CT").findings[0]
    assert (turned.code, turned.detail["axes"]) == ("axes_permuted", "TC")
    fewer = compare(SPECTRUM, SPECTRUM[:-1], axes="CT").findings[0]
    assert (fewer.code, fewer.detail["indices"]) == ("missing_channels", [SPECTRUM.shape[0] - 1])


def test_a_magnitude_of_another_length_is_not_brought_together_with_a_complex_spectrum():
    found = compare(SPECTRUM, np.abs(SPECTRUM[:, :-1]), axes="CT").findings
    assert {finding.code for finding in found} <= {"dtype", "shape"}


@pytest.mark.parametrize("hop", [100, 128, 160, 256])
@pytest.mark.parametrize("name", CLIPS)
def test_frames_that_are_not_centred_are_cut_at_the_start_and_no_other_speed(name, hop):
    """Half a window is no whole number of hops; what is left of it is a shift by a part of a frame."""
    samples = spoken(name)
    centred, bare = (
        np.log(np.maximum(filters() @ np.abs(spectrum(samples, hop, center=center)) ** 2, FLOOR)).astype(np.float32)
        for center in (True, False)
    )
    late = SIZE / 2 / hop
    for expected, actual, sign in ((centred, bare, -1), (bare, centred, 1)):
        found = compare(expected, actual, axes="CT", kind="log_spectrum", unit="ln_power").findings
        assert (found[0].code, found[0].detail["where"]) == ("length", "start")
        assert abs(sign * found[0].detail["shift"] - late) < 0.51
        assert "sample_rate" not in {finding.code for finding in found}
