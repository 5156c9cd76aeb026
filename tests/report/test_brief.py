"""What a test is in a few words: the worst that was heard of it."""

from __future__ import annotations

import pytest

from pytest_audioparity.page.headline import headline
from pytest_audioparity.page.records import Shown
from pytest_audioparity.report.brief import Failure, audio_verdict, cause
from pytest_audioparity.report.properties import properties


def entry(place, verdict):
    if place == "stages":
        return {"name": "waveform", "verdict": "pass", "audio": verdict}
    return {"name": "", "clips": 1, "estoi": None, "audio_verdict": verdict, "checks": []}


@pytest.mark.parametrize(
    ("heard", "worst"),
    [
        (["ok", "degraded"], "degraded"),
        (["ok", "not_measured"], "not_measured"),
        (["not_measured", "degraded"], "not_measured"),
        (["not_measured", "wrong_content"], "wrong_content"),
        (["ok", "level_changed"], "level_changed"),
    ],
)
@pytest.mark.parametrize("place", ["stages", "roundtrips", "passing_roundtrips"])
def test_what_could_not_be_judged_is_hidden_by_nothing_that_keeps_its_words(place, heard, worst):
    """The rule is one for stages and round trips, and the page and JUnit tell the same."""
    account = {"test": "test_a.py::test_a", place: [entry(place, verdict) for verdict in heard]}
    assert audio_verdict(account) == worst
    assert dict(properties(account))["audioparity.audio"] == worst
    assert f'class="heard {worst}"' in headline(Shown(account))


@pytest.mark.parametrize(
    ("stage", "said", "told"),
    [
        ({"failed": ["deviation_db", "snr_db"]}, "is off by 0.0045 dB, allowed 0.001 dB", ", 0.0045 dB: gain: x"),
        (
            {"failed": ["peak_db"]},
            "is off by 1.21 dB (x), allowed 1 dB",
            " is off by 1.21 dB (x), allowed 1 dB: gain: x",
        ),
        ({"failed": [], "findings": ["dtype"]}, "has another dtype", ", 0.0045 dB: gain: x"),
        ({"failed": [], "reason": "other"}, "does not fit: other", " does not fit: other: gain: x"),
    ],
)
def test_where_another_limit_decided_the_page_and_the_summary_tell_that(stage, said, told):
    """A deviation within what is allowed explains no failure."""
    stage = {"name": "mel", "verdict": "fail", "deviation_db": 0.0045, **stage}
    account = {"test": "t.py::test_a", "first_divergence": "mel", "stages": [stage], "headline": f"stage 'mel' {said}"}
    account["finding"] = {"code": "gain", "explains": None, "message": "x"}
    assert f"<bdi>mel</bdi>{told}</span>" in headline(Shown(account))
    beside = "" if "0.0045" in told else f"stage 'mel' {said}; "
    assert cause(Failure("t.py::test_a", account, "")) == f"{beside}gain: x"


def test_a_round_trip_that_passes_hides_none_that_fails_and_the_other_way_round():
    """Of two round trips the worse one counts, whichever of them passes."""
    for failing, passing in (("degraded", "ok"), ("ok", "degraded")):
        account = {place: [entry(place, v)] for place, v in (("roundtrips", failing), ("passing_roundtrips", passing))}
        assert audio_verdict(account) == "degraded"


def test_where_nothing_was_listened_to_nothing_is_said():
    """No word stands on the page, and no property in JUnit's file."""
    account = {"test": "test_a.py::test_a", "stages": [entry("stages", None)]}
    assert audio_verdict(account) is None
    assert "audioparity.audio" not in dict(properties(account))
    assert "heard" not in headline(Shown(account))
