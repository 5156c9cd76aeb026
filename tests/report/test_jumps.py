"""A second jump: a huge deviation behind a small one is a place to look of its own, wherever a result is told."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pytest_audioparity.api import compare
from pytest_audioparity.page.records import Shown
from pytest_audioparity.page.tests import section
from pytest_audioparity.report.json import document
from pytest_audioparity.report.jumps import Jump, second_jump
from pytest_audioparity.report.terminal import WIDTH, render
from pytest_audioparity.results import Own

E = np.random.default_rng(0).standard_normal((8, 40))
NAMES = "abcdefgh"


def off(*gains_db, **others):
    """Return a result of stages that are off by gains, in the order of their letters."""
    actual = {name: E * 10 ** (gain / 20) for name, gain in zip(NAMES, gains_db, strict=False)}
    return compare(dict.fromkeys(actual, E), {**actual, **others})


def test_a_stage_far_beyond_all_before_it_is_the_second_jump():
    jump = second_jump(off(0, 0.02, 0.018, 8, 7))
    assert (jump.stage, jump.text) == ("d", "0.0200 -> 8.00 dB")


@pytest.mark.parametrize(
    "gains", [(0, 8, 7, 9), (0.02, 0.1, 0.15), (0, 0, 8), (0.02, 0.1, 0.9), (0, 0), (0.001, 0.002, 9, 9)]
)
def test_what_grows_by_less_than_an_order_of_magnitude_or_is_the_first_to_fail_is_none(gains):
    assert second_jump(off(*gains)) is None


def test_of_two_jumps_the_larger_one_counts_and_each_is_held_against_the_worst_before_it():
    assert second_jump(off(0.02, 0.3, 0.02, 12)).stage == "d"
    assert second_jump(off(0.011, 1.1, 0.02, 12)).stage == "b"


def test_a_stage_whose_own_part_is_known_needs_no_guess():
    result = off(0.02, 8)
    known = replace(result.stages[1], own=Own(compare(E, E), None, (), ("a",)))
    assert second_jump(result).stage == "b"
    assert second_jump(replace(result, stages=(result.stages[0], known))) is None


@pytest.mark.parametrize("broken", [E[:, :30], np.where(E > 1, np.nan, E)])
def test_behind_a_failure_without_a_deviation_nothing_is_a_jump(broken):
    assert second_jump(off(0.02, 0.02, 8, b=broken)) is None


def test_a_silent_stage_is_a_jump_without_end():
    result = compare({"a": E, "b": E}, {"a": E * 1.002, "b": E * 0})
    assert second_jump(result).text.endswith("-> inf dB")
    assert document(result)["second_jump"]["after_db"] is None
    assert "→ inf dB" in page(result)


def page(result):
    """Return the part of the page that tells of a result."""
    account = {"test": "t.py::t", "verdict": "fail", "outcome": "failed", "stages": []}
    return str(section(Shown(account, document(result)), "t", is_open=True, illustrated=False))


def test_terminal_page_and_document_tell_of_it_after_the_first_divergence():
    result = off(0.02, 0.02, 0.02, 0.02, 0.02, 8, 7)
    assert second_jump(result) == Jump("f", result.stages[4].deviation_db, result.stages[5].deviation_db)
    text = render(result)
    assert "\na second jump: 'f', 0.0200 -> 8.00 dB\n" in text
    assert text.index("\na (first divergence)\n") < text.index("\nf (second jump)\n")
    assert "actual = 2.512 * expected" in text.partition("f (second jump)")[2]
    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert document(result)["first_divergence"] == "a"
    assert document(result)["second_jump"]["stage"] == "f"
    drawn = re.findall(r"<h2><code>(\w)</code>(?:<span[^>]*>([\w ]+)</span>)?", page(result))
    assert drawn[:2] == [("a", "first divergence"), ("f", "second jump")]


def test_without_a_jump_nothing_is_told_and_an_older_document_is_still_shown():
    result = off(8, 8)
    older = {key: value for key, value in document(result).items() if key != "second_jump"}
    assert document(result)["second_jump"] is None
    assert "second jump" not in render(result) + page(result)
    account = {"test": "t.py::t", "verdict": "fail", "outcome": "failed", "stages": []}
    assert "first divergence" in section(Shown(account, older), "t", is_open=True, illustrated=False)


def test_a_stage_that_dies_of_a_signal_that_was_lost_before_is_no_jump():
    assert second_jump(off(0, 10, 15, 0, d=E * 0)).stage == "d"
    assert second_jump(off(0, 10, 40, 0, d=E * 0)) is None
