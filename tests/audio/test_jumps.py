"""Jumps in time are found with their times and sizes, and the rest is measured where it stands."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from pytest_audioparity import score
from pytest_audioparity.audio.jumps import pieces_of
from pytest_audioparity.audio.timeline import Piece, beside, common, placed
from tests.audio.changes import mel_coded, stretched

RATE = 16_000


@pytest.fixture(scope="module")
def long(speech, mary):
    """Return half a minute that does not repeat itself: two sentences at several speeds, one after another."""
    other = soxr.resample(mary, 48_000, RATE)
    factors = (1.0, 1.13, 0.9, 1.07, 0.95, 1.2)
    return np.concatenate([soxr.resample(side, factor, 1.0) for factor in factors for side in (speech, other)])


def judged(reference, estimate):
    return score(reference, estimate, sample_rate=RATE, pesq=False)


def finding(result, code):
    return next(finding for finding in result.findings if finding.code == code)


def test_a_longer_pause_is_misaligned_with_its_time_and_size_and_the_rest_is_exact(speech):
    at = 24_000
    result = judged(speech, np.concatenate([speech[:at], np.zeros(4801), speech[at:]]))
    assert result.verdict == "misaligned"
    ((time, size),) = result.findings[0].detail["jumps"]
    assert time == pytest.approx(1.5, abs=0.05)
    assert size == 4801 / RATE
    assert (result.aligned_by, result.lag_samples, result.garbled_seconds) == ("jumps", 0, ())
    assert result.estoi > 0.98
    assert result.si_sdr > 20


def test_missing_words_are_garbled_at_their_own_seconds_only(long):
    at = 17 * RATE
    result = judged(long, np.concatenate([long[:at], long[at + 12_000 :]]))
    assert result.verdict == "garbled"
    ((start, end),) = result.garbled_seconds
    assert start == pytest.approx(17, abs=0.2)
    assert end == pytest.approx(17.75, abs=0.2)
    ((time, size),) = finding(result, "misaligned").detail["jumps"]
    assert time == pytest.approx(17, abs=0.05)
    assert size == -0.75


def test_words_said_twice_are_wrong_content(speech):
    result = judged(speech, np.concatenate([speech[:30_000], speech[20_000:]]))
    assert result.verdict == "wrong_content"
    ((start, end),) = result.invented_seconds
    assert end - start == pytest.approx(10_000 / RATE, abs=0.1)
    assert result.garbled_seconds == ()


def test_several_jumps_in_half_a_minute_are_all_found(long):
    parts = np.split(long, [5 * RATE, 12 * RATE, 19 * RATE])
    result = judged(
        long, np.concatenate([parts[0], np.zeros(3200), parts[1], parts[2][1600:], np.zeros(800), parts[3]])
    )
    assert result.verdict == "misaligned"
    jumps = result.findings[0].detail["jumps"]
    assert [size for _, size in jumps] == [0.2, -0.1, 0.05]
    np.testing.assert_allclose([time for time, _ in jumps], [5, 12, 19], atol=0.1)


def test_a_jump_of_a_codec_without_phase_is_found(speech, random):
    at = 26_000
    result = judged(speech, mel_coded(np.concatenate([speech[:at], speech[at + 1600 :]]), RATE, random, 80, 1.0))
    assert result.verdict == "misaligned"
    ((_, size),) = result.findings[0].detail["jumps"]
    assert size == pytest.approx(-0.1, abs=0.01)


def test_a_jump_finding_is_text_that_says_when_and_how_far(speech):
    result = judged(speech, np.concatenate([speech[:24_000], np.zeros(4800), speech[24_000:]]))
    assert "300 ms later from 1." in result.findings[0].message


@pytest.mark.parametrize("milliseconds", [30, 80, 160, 320])
def test_frames_out_of_order_are_not_explained_by_jumps(speech, random, milliseconds):
    frames = np.resize(speech, speech.size // (16 * milliseconds) * 16 * milliseconds).reshape(-1, 16 * milliseconds)
    result = judged(frames.ravel(), frames[random.permutation(len(frames))].ravel())
    assert result.verdict == "garbled"
    assert result.aligned_by != "jumps"


def test_two_parts_exchanged_lose_words(long):
    """Each part would be understood at its own lag, but the estimate is not read backwards."""
    parts = np.split(long, [40_000, 60_000, 80_000])
    result = judged(np.concatenate(parts), np.concatenate([parts[i] for i in (0, 2, 1, 3)]))
    assert result.verdict in ("garbled", "wrong_content")
    assert result.garbled_seconds


def test_a_tempo_is_one_number_and_no_row_of_jumps(speech):
    result = judged(speech, stretched(speech, 1.04, RATE))
    assert result.aligned_by == "warp"
    assert "jumps" not in result.findings[0].detail


def test_what_is_lost_without_a_jump_has_one_piece(speech):
    narrow = speech[::2]
    spoilt = narrow.copy()
    spoilt[10_000:14_000] = 0
    assert pieces_of((narrow, spoilt), 0) == (Piece(0, narrow.size, 0),)


def test_pieces_place_what_both_sides_have():
    reference = np.arange(10.0)
    longer = np.concatenate([[-1.0], reference[:4], [-2.0, -3.0], reference[4:], [-4.0]])
    pieces = (Piece(0, 4, 1), Piece(4, 10, 3))
    np.testing.assert_array_equal(placed(longer, pieces, 10), reference)
    np.testing.assert_array_equal(*common(reference, longer, pieces))
    both = beside(reference, longer, pieces)
    np.testing.assert_array_equal(both.estimate, longer)
    np.testing.assert_array_equal(both.reference[both.reference != 0], reference[1:])
    assert both.inserted == ((0, 1), (5, 2), (13, 1))
    assert [both.on_reference((at, at + 1), 1) for at in (0, 1, 5, 7, 13)] == [
        (-1, 0),
        (0, 1),
        (4, 5),
        (4, 5),
        (10, 11),
    ]


def test_pieces_leave_out_what_only_the_reference_has():
    reference = np.arange(1.0, 11.0)
    shorter = np.delete(reference, slice(4, 7))
    pieces = (Piece(0, 4, 0), Piece(7, 10, -3))
    np.testing.assert_array_equal(
        placed(shorter, pieces, 10), np.where((reference > 4) & (reference < 8), 0, reference)
    )
    np.testing.assert_array_equal(common(reference, shorter, pieces)[1], shorter)
    np.testing.assert_array_equal(beside(reference, shorter, pieces).reference, reference)
