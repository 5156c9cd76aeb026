"""What has few values for each frame, or many that are the same: pitch tracks, durations, sparse layers, embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare


def pitch(frames: int, seed: int) -> np.ndarray:
    """Return a track in Hz, 0 where there is no voice."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)
    voiced = np.sin(2 * np.pi * time / rng.uniform(25, 60) + rng.uniform(0, 6)) > -0.3
    hertz = rng.uniform(90, 220) * 2 ** (0.3 * np.sin(2 * np.pi * time / rng.uniform(60, 140)))
    return np.where(voiced, hertz, 0).astype(np.float32)


def first(expected, actual, **meta):
    return compare(expected, actual, **meta).findings[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_tail_that_one_value_fills_is_told_by_its_first_frame(seed, value):
    """And not as a mask of so many elements, whatever stands there: a track, samples, codes as vectors."""
    rng = np.random.default_rng(seed)
    stereo = np.cumsum(rng.standard_normal((2, 3000)), axis=1).astype(np.float32)
    one_hot = np.eye(30, dtype=np.float32)[:, rng.integers(0, 30, 200)]
    for expected, axes in ((pitch(400, seed), "T"), (stereo, "CT"), (one_hot, "NT")):
        start = expected.shape[-1] * 2 // 5
        actual = expected.copy()
        actual[..., start:] = value
        finding = first(expected, actual, axes=axes)
        assert finding.code == "diverges_from"
        at = finding.detail["from"]
        assert start <= at < start + 60  # where there is no voice, 0 is right
        assert f"and is {value:.0f} from there on" in finding.message


def test_scattered_elements_with_one_value_are_a_mask():
    rng = np.random.default_rng(0)
    expected = rng.standard_normal((24, 100)).astype(np.float32)
    actual = np.where(rng.random(expected.shape) < 0.3, 0, expected)
    finding = first(expected, actual, axes="CT")
    assert (finding.code, finding.detail["value"]) == ("pointwise", 0.0)


@pytest.mark.parametrize("seed", range(8))
def test_single_frames_in_a_rhythm_are_seams(seed):
    """Each frame has one value; where there is no voice, nothing is to be seen of them."""
    expected, period = pitch(383, seed), 7 + seed
    actual = expected.copy()
    actual[period::period] *= np.float32(0.4)
    finding = first(expected, actual, axes="T")
    assert finding.code == "seams"
    assert finding.detail["period"] == period


@pytest.mark.parametrize("count", [4, 5, 6, 8, 12])
def test_frames_anywhere_are_in_no_rhythm(count):
    """Any few places are about so many frames apart, if each may be half of that away from where it should be."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        expected = rng.standard_normal((32, 300)).astype(np.float32)
        actual = expected.copy()
        places = rng.choice(300, count, replace=False)
        actual[:, places] = rng.standard_normal((32, count))
        found += [finding.code for finding in compare(expected, actual, axes="CT").findings]
    assert found.count("seams") <= 1


@pytest.mark.parametrize("last", [1, 2, 4])
def test_an_edge_of_a_sparse_layer_is_no_glitch(last):
    """Of nine in ten values both sides have 0, so that few differ at the edge."""
    rng = np.random.default_rng(last)
    expected = np.maximum(rng.standard_normal((48, 90)) - 1.3, 0).astype(np.float32)
    actual = expected.copy()
    actual[:, -last:] = 0
    finding = first(expected, actual, axes="CT")
    assert (finding.code, finding.detail["last"]) == ("edges", last)
    actual = expected.copy()
    actual[[3, 20, 41], [5, 60, 89]] += 9
    finding = first(expected, actual, axes="CT")
    assert (finding.code, finding.detail["count"]) == ("spikes", 3)


@pytest.mark.parametrize("items", [2, 3, 5])
def test_numbers_of_each_index_are_told_by_a_few_clips(items):
    """What was fitted to one clip has to hold for the others, so clips that are the same one tell nothing."""
    rng = np.random.default_rng(items)
    expected = rng.standard_normal((items, 192)).astype(np.float32)
    gains, offsets = rng.uniform(0.6, 1.6, 192), rng.uniform(-0.5, 0.5, 192)
    for code, actual in (("channel_gain", expected * gains), ("channel_offset", expected + offsets)):
        finding = first(expected, actual.astype(np.float32), axes="BC", kind="embedding")
        assert finding.code == code
        assert finding.detail["axis"] == "C"
        same = [np.repeat(side[:1].astype(np.float32), items, axis=0) for side in (expected, actual)]
        assert first(*same, axes="BC", kind="embedding").code == "unexplained"


def test_only_the_indices_that_differ_are_listed():
    """Neighbours in time have something in common, those of an embedding have not."""
    expected = np.random.default_rng(0).standard_normal((3, 192)).astype(np.float32)
    actual = expected.copy()
    actual[:, [80, 88, 90]] = 0
    assert first(expected, actual, axes="BC", kind="embedding").detail["indices"] == [80, 88, 90]


@pytest.mark.parametrize("gain", [0.143, 0.5, 0.71])
@pytest.mark.parametrize("to_integer", [np.trunc, np.rint, np.floor])
def test_integer_samples_are_told_by_their_gain(gain, to_integer):
    """What rounding to integers leaves is no function of its own."""
    expected = (np.cumsum(np.random.default_rng(1).standard_normal(8000)) * 20).astype(np.int16)
    actual = to_integer(expected * gain).astype(np.int16)
    finding = first(expected, actual, axes="T", kind="waveform", sample_rate=16_000)
    assert finding.code == "gain"
    assert finding.detail["gain"] == pytest.approx(gain, rel=2e-2)


def test_an_output_that_does_not_vary_explains_nothing_of_what_is_expected():
    """Expected is no function of it, and no filter of it gives expected."""
    expected = np.random.default_rng(2).standard_normal((24, 80)).astype(np.float32)
    for actual in (np.repeat(expected[:, :1], 80, axis=1), np.repeat(expected[:1], 24, axis=0) * 0 + 0.7):
        for finding in compare(expected, actual, axes="CT").findings:
            assert finding.detail.get("side") != "expected"
    spectrum = (expected[:, ::2] + 1j * expected[:, 1::2]).astype(np.complex64)
    for finding in compare(spectrum, np.full_like(spectrum, 1.5), axes="CT").findings:
        assert finding.detail.get("side") != "expected"


def test_what_takes_few_values_is_no_function_of_the_other_side():
    """0 and 1 can be read off nearly anything that was made of them."""
    expected = (pitch(400, 3) > 0).astype(np.float32)
    actual = expected.copy()
    actual[1:] -= np.float32(0.9) * expected[:-1]
    assert first(expected, actual, axes="T").code == "filtered"


def test_frames_beside_a_large_mean_are_followed():
    """The tolerance is of the level, and larger than what varies from frame to frame."""
    expected = (100 + np.random.default_rng(4).standard_normal((24, 80))).astype(np.float32)
    actual = np.concatenate([expected[:, :30], expected[:, 28:-2]], axis=1)
    finding = first(expected, actual, axes="CT")
    assert finding.code == "repeated_frames"
    assert (finding.detail["at"], finding.detail["frames"]) == ([30], [2])


@pytest.mark.parametrize("places", [[76], [54, 75, 97, 120], [0, 3, 130, 131, 132, 299]])
def test_a_few_frames_that_are_wrong_anywhere_are_named(places):
    """A lost packet, a race, a glitch: none of the causes has to be known for the place to be told."""
    rng = np.random.default_rng(5)
    expected = rng.standard_normal((32, 300)).astype(np.float32)
    for said, change in (
        ("", rng.standard_normal((32, len(places)))),
        (", actual is 0 there", 0),
        (", actual = 0.4 * expected there", np.float32(0.4) * expected[:, places]),
    ):
        actual = expected.copy()
        actual[:, places] = change
        finding = first(expected, actual, axes="CT")
        assert (finding.code, finding.detail["count"]) == ("spikes", len(places))
        assert [at for start, stop in finding.detail["runs"] for at in range(start, stop + 1)] == places
        assert f"{said}, and the rest is right" in finding.message


def test_a_stretch_behind_which_all_is_right_again_is_told_from_its_first_to_its_last_frame():
    rng = np.random.default_rng(6)
    expected = rng.standard_normal((32, 300)).astype(np.float32)
    actual = expected.copy()
    actual[:, 60:200] = rng.standard_normal((32, 140))
    finding = first(expected, actual, axes="CT")
    assert (finding.code, finding.detail) == ("diverges_from", {"axis": "T", "from": 60, "to": 199})


def test_what_is_wrong_where_it_is_loud_is_in_no_place():
    """A limiter follows the level; that the frames in which it does are few says nothing."""
    rng = np.random.default_rng(7)
    envelope = np.repeat(rng.uniform(0.02, 1, 40) ** 3, 400)
    level = np.convolve(envelope, np.ones(400) / 400, "same")
    expected = (level * rng.standard_normal(level.size)).astype(np.float32)
    actual = (expected * np.minimum(1, 0.5 / level)).astype(np.float32)
    codes = [
        finding.code for finding in compare(expected, actual, axes="T", kind="waveform", sample_rate=16_000).findings
    ]
    assert not {"spikes", "seams", "diverges_from"} & set(codes)


@pytest.mark.parametrize("seed", range(6))
def test_rounding_of_a_few_values_is_in_no_place(seed):
    """Of a small enough one most values stay as they were, and those that do not are anywhere."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(0.001, 1, 40), 100)
    for expected, meta in (
        (
            (level * rng.standard_normal(4000)).astype(np.float32),
            {"axes": "T", "kind": "waveform", "sample_rate": 8000},
        ),
        (rng.standard_normal(256).astype(np.float32), {"axes": "C", "kind": "embedding"}),
    ):
        actual = (expected * (1 + 4e-8 * rng.standard_normal(expected.size))).astype(np.float32)
        actual[:5] = expected[:5]
        codes = [finding.code for finding in compare(expected, actual, tol_db=0, **meta).findings]
        assert not {"spikes", "seams", "diverges_from", "channels"} & set(codes)


def voiced(size: int, seed: int) -> np.ndarray:
    """Return noise that is as loud and as quiet as words and pauses are."""
    rng = np.random.default_rng(seed)
    envelope = np.repeat(rng.uniform(0.02, 1, -(-size // 2000)) ** 3, 2000)[:size]
    return np.convolve(envelope, np.ones(800) / 800, "same") * rng.standard_normal(size)


@pytest.mark.parametrize("seed", range(3))
def test_what_follows_the_level_behind_it_is_in_no_place(seed):
    """As a limiter that lets go slowly, and a gate that opens late."""
    expected = voiced(26_000, seed)
    level = np.zeros_like(expected)
    for i in range(1, level.size):
        level[i] = level[i - 1] + (abs(expected[i]) - level[i - 1]) / 1000
    most = 0.6 * level.max()
    for actual in (expected * np.minimum(1, most / np.maximum(level, 1e-9)), np.where(level > 0.3 * most, expected, 0)):
        sides = (side.astype(np.float32) for side in (expected, actual))
        findings = compare(*sides, axes="T", kind="waveform", sample_rate=16_000).findings
        assert not {"spikes", "seams", "diverges_from"} & {finding.code for finding in findings}


def test_frames_that_are_wrong_far_from_the_first_ones_are_counted():
    """Only a part of so long a clip is looked at closely."""
    rng = np.random.default_rng(8)
    expected = ((1 + rng.random(400_000)) * rng.choice([-1, 1], 400_000)).astype(np.float32)
    actual = expected.copy()
    for start in (90_000, 160_000, 330_000):
        actual[start : start + 300] *= np.float32(0.4)
    finding = first(expected, actual, axes="T", kind="waveform", sample_rate=16_000)
    assert (finding.code, finding.detail["count"]) == ("spikes", 900)
    assert finding.detail["runs"] == [[start, start + 299] for start in (90_000, 160_000, 330_000)]
    assert "only 900 of 400000 along T differ" in finding.message


def test_no_more_is_said_to_be_right_than_was_looked_at():
    expected = (1 + np.random.default_rng(9).random(600_000)).astype(np.float32)
    actual = expected.copy()
    for start in (90_000, 160_000, 500_000):
        actual[start : start + 300] *= np.float32(-0.5)
    (finding,) = compare(expected, actual, axes="T", kind="waveform", sample_rate=16_000).findings  # and no gain of 1
    assert "only 600 of 262144 along T that were looked at differ" in finding.message


def test_codes_that_are_right_between_wrong_ones_are_not_counted():
    expected = np.random.default_rng(10).integers(0, 1024, (3, 156))
    actual = expected.copy()
    actual[:, [16, 23, 34, 42, 70]] += 1
    finding = first(expected, actual, axes="NT", kind="codes")
    assert (finding.code, finding.detail["count"]) == ("spikes", 5)
