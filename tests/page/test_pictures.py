"""Heat maps, curves and sound of a stage, read back from the page."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest
from reading import Page

from pytest_audioparity.page.pictures import Look, pictures
from pytest_audioparity.page.planes import plane
from pytest_audioparity.page.sound import Clip, samples, sound

RANDOM = np.random.default_rng(0)
MAGENTA = 255


def looked(expected, actual, axes=None, **more):
    return Page(pictures(Look(expected, actual, (axes, axes), **more)))


@pytest.mark.parametrize("axes", ["BCT", "BTC", "TCB", "CBT"])
def test_time_goes_right_and_channels_up_whatever_the_layout(axes):
    """One wrong element appears at its channel and frame, with the channels counted from the bottom."""
    sizes = {"B": 1, "C": 10, "T": 30}
    expected = np.zeros([sizes[letter] for letter in axes])
    actual = expected.copy()
    actual[tuple({"B": 0, "C": 2, "T": 7}[letter] for letter in axes)] = 1.0
    page = looked(expected, actual, axes)
    levels, _ = page.maps[2]
    assert levels.shape == (10, 30)
    assert np.argwhere(levels == 254).tolist() == [[10 - 1 - 2, 7]]
    assert "C (10) upwards, T (30) to the right" in page.text


def test_the_batch_of_the_worst_element_is_drawn():
    """A difference in the second item of a batch is drawn, not the first item, which has none."""
    expected = np.zeros((3, 4, 5))
    actual = expected.copy()
    actual[1, 2, 3] = 1
    page = looked(expected, actual, "BCT", worst=[1, 2, 3])
    assert "at B=1" in page.text
    assert "all equal" not in page.text
    assert "all equal" in looked(expected, actual, "BCT").text


@pytest.mark.parametrize("worst", [[9, 0, 0], [0], ["a", 0, 0], [-1, 0, 0], None])
def test_a_worst_index_that_is_none_is_not_followed(worst):
    """An index from a file that does not fit the shape leaves the first item."""
    assert plane((3, 4, 5), "BCT", worst).at[0] == 0


def test_one_loud_channel_does_not_hide_the_others():
    """The range of differences is that of most cells, and says how far the rest goes."""
    expected = RANDOM.standard_normal((64, 50))
    actual = expected + 0.01 * RANDOM.standard_normal((64, 50))
    actual[5] += 100
    page = looked(expected, actual, "CT")
    assert float(re.search(r"±([\d.e-]+) \(up to 100\)", page.text)[1]) < 0.1


def test_nan_and_infinity_are_magenta_and_said():
    """What is not finite has its own colour in the maps and in the curve of the bias."""
    expected = np.zeros((8, 9))
    actual = expected.copy()
    actual[2, 3] = np.nan
    page = looked(expected, actual, "CT")
    counts = [(levels == MAGENTA).sum() for levels, _ in page.maps]
    assert counts == [0, 1, 1]
    assert page.maps[1][1][MAGENTA].tolist() == [255, 0, 255]
    assert "magenta: NaN or infinite" in page.text
    assert page.all("path", class_="line odd")


def test_a_single_wrong_code_is_seen():
    """Codes are shown where they differ, and the share of it for each codebook; a cell is one of its codes."""
    expected = RANDOM.integers(0, 1024, (8, 3000))
    actual = expected.copy()
    actual[3, 1500] += 1
    page = looked(expected, actual, "CT", codes=True)
    apart, _ = page.maps[2]
    assert (apart > 0).sum() == 1
    assert np.argwhere(apart > 50)[0, 0] == 8 - 1 - 3
    assert "share that differs in each C" in page.text


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int16, np.uint8, np.float16, ml_dtypes.bfloat16, np.float64, np.complex64, np.complex128]
)
@pytest.mark.parametrize("shape", [(), (3,), (40,), (6, 7), (2, 3, 4), (2, 1, 5, 6), (0,), (3, 0)])
def test_every_dtype_and_shape_can_be_drawn(dtype, shape):
    """Nothing that a golden can hold keeps the page from being written; scalars and short vectors are numbers."""
    expected = np.ones(shape).astype(dtype)
    actual = np.zeros(shape).astype(dtype)
    page = looked(expected, actual, codes=expected.dtype.kind in "iub")
    assert page.text
    assert bool(page.maps) == (np.prod(shape) > 8 and sum(size > 1 for size in shape) > 1)


def test_shapes_that_differ_are_shown_each_by_itself():
    """Both sides are drawn with their shape, and no difference is made up."""
    page = looked(np.ones((10, 20)), np.ones((10, 21)), "CT")
    assert len(page.maps) == 2
    assert "expected, shape 10x20" in page.text
    assert "actual, shape 10x21" in page.text


@pytest.mark.parametrize("side", ["expected", "actual"])
def test_one_side_alone_is_shown(side):
    """A stage that the other side lacks is drawn under its own title."""
    both = {"expected": None, "actual": None, side: np.ones((10, 20))}
    page = looked(both["expected"], both["actual"], "CT")
    assert f"{side}, shape 10x20" in page.text
    assert len(page.maps) == 1


def test_sides_are_played_at_one_level_and_do_not_clip():
    """What is 20 dB quieter is played at the level of expected, and the note says so."""
    tone = 0.9 * np.sin(np.arange(16_000) * 0.1)
    page = Page(sound(Clip(tone, tone / 10, 16_000)))
    assert "actual is played 20.0 dB louder" in page.text
    (one, rate), (other, _) = page.players
    assert rate == 16_000
    np.testing.assert_allclose(one, other, atol=2e-4)
    loud = Page(sound(Clip(tone, tone * 10, 16_000)))
    assert "20.0 dB quieter" in loud.text
    assert np.abs(loud.players[1][0]).max() < 0.99
    assert "played" not in Page(sound(Clip(tone, tone, 16_000))).text


def test_sides_of_two_lengths_share_one_scale_of_time():
    """The spectrogram of the shorter side is as much narrower; lost words are shaded where they are."""
    tone = np.sin(np.arange(16_000) * 0.1)
    page = Page(sound(Clip(tone, tone[:8000], 16_000, lost=[[0.25, 0.5]])))
    assert [image["width"] for image in page.all("image")] == ["100.00", "50.00"]
    assert ("25.00", "25.00") in [(mark["x"], mark["width"]) for mark in page.all("rect", class_="lost")]
    assert "words lost (shaded) at 0.25 to 0.50 s" in page.text


@pytest.mark.parametrize(
    ("actual", "rate", "said"),
    [
        (np.full(9000, np.nan), 16_000, "it holds NaN or infinity"),
        (np.zeros(9000), 16_000, "actual is silent"),
        (np.ones(9000), 16_000.5, "a rate of 16000.5 Hz"),
        (np.ones(9000), 10_000_000, "FLAC has no rate of 1e+07 Hz"),
        (np.ones(31 * 8000), 8000, "the first 30 s can be played"),
    ],
)
def test_what_cannot_be_played_says_why(actual, rate, said):
    """NaN, silence, odd rates and long audio are told in words."""
    assert said in Page(sound(Clip(np.ones(9000), actual, rate))).text


def test_integers_count_as_shares_of_their_largest():
    """PCM of 16 bits is played as floats of the same loudness."""
    np.testing.assert_allclose(samples(np.array([32767, -16384], np.int16)), [1, -0.5], atol=1e-4)


def test_a_level_line_is_level_whatever_its_rounding():
    """The bias of an offset is one number for all channels, but for float32; drawn from edge to edge it would slope."""
    expected = RANDOM.standard_normal((20, 50)).astype(np.float32)
    page = looked(expected, expected + np.float32(0.3), "CT")
    path = page.all("path", class_="line difference")[0]["d"]
    assert len(set(re.findall(r"[ML][\d.]+ ([\d.]+)", path))) == 1
    assert "from 0.3 to 0.3" in page.text


def test_what_is_not_finite_is_not_called_equal():
    expected = RANDOM.standard_normal((4, 30))
    actual = expected.copy()
    actual[1, 2] = np.nan
    assert "(the rest is equal)" in looked(expected, actual, "CT").text
    assert "(all equal)" in looked(expected, expected.copy(), "CT").text


def test_fewer_points_and_shades_show_the_same_in_less_space():
    wave, matrix = RANDOM.standard_normal(5000), RANDOM.standard_normal((16, 40))
    assert len(pictures(Look(wave, wave * 1.5, points=60))) < len(pictures(Look(wave, wave * 1.5))) / 4
    fine, coarse = (Page(pictures(Look(matrix, matrix * 1.5, shades=shades))).maps for shades in (255, 31))
    for (one, palette), (other, small) in zip(fine, coarse, strict=True):
        assert (len(palette), len(small)) == (256, 32)
        assert np.abs(one / 254 - other / 30).max() < 1 / 30
