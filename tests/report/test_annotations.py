"""Workflow commands: GitHub's runner reads back what was meant, the most telling first, and no more than ten."""

from __future__ import annotations

import re

from pytest_audioparity.report.annotations import annotation_lines
from pytest_audioparity.report.brief import Failure


def account(deviation_db=6.02, **more):
    stage = {"name": "mel", "verdict": "fail", "deviation_db": deviation_db, "tol_db": 0.01, "failed": ["deviation_db"]}
    stage |= {"own_deviation_db": more.pop("own", None), "audio": more.pop("audio", None)}
    headline = f"stage 'mel' is off by {deviation_db} dB, allowed 0.01 dB"
    return {"first_divergence": "mel", "stages": [stage], "headline": headline, "golden": "test_x/test_a", **more}


def failure(name="t.py::test_a", said=None, **more):
    return Failure(test=name, account=said, message=more.pop("message", ""), **more)


def read_back(line):
    """Take a command apart as the runner does: at the first '::' behind the properties, then undoing the escapes."""
    name, properties, message = re.fullmatch(r"::(\w+) ([^\n\r]*?)::([^\n\r]*)", line).groups()
    pairs = dict(one.split("=", 1) for one in properties.split(",") if one)

    def plain(text):
        for sign, code in {":": "%3A", ",": "%2C", "\r": "%0D", "\n": "%0A", "%": "%25"}.items():
            text = text.replace(code, sign)
        return text

    return name, {key: plain(value) for key, value in pairs.items()}, plain(message)


def test_a_failure_stands_on_its_line_with_its_numbers_and_cause():
    found = {"code": "offset", "explains": 0.998, "message": "actual = expected - 1.46 dB; check the bias"}
    (line,) = annotation_lines([failure(said=account(1.46, own=1.4, finding=found), file="a b/t.py", line=7)])
    name, place, message = read_back(line)
    assert name == "error"
    assert place == {"file": "a b/t.py", "line": "7", "title": "stage 'mel' is off by 1.46 dB, allowed 0.01 dB"}
    assert message.splitlines() == [
        "t.py::test_a",
        "first divergence: mel",
        "own part: 1.40 dB",
        "finding: offset (99.80 % of the error): actual = expected - 1.46 dB; check the bias",
        "golden: test_x/test_a",
    ]


def test_a_second_jump_is_named_with_its_numbers():
    """Behind the first divergence; what is infinite is null in the record of a run."""
    for after, said in ((8.0, "8.00"), (None, "inf")):
        jump = {"stage": "vocoder", "before_db": 0.02, "after_db": after}
        (line,) = annotation_lines([failure(said=account(0.02, second_jump=jump))])
        lines = read_back(line)[2].splitlines()
        assert lines[1:3] == ["first divergence: mel", f"a second jump: vocoder, 0.0200 -> {said} dB"]
    (line,) = annotation_lines([failure(said=account(0.02, second_jump=None))])
    assert "second jump" not in line


def test_no_text_can_end_a_command_or_begin_another():
    name = "t.py::test_a[100%:a,b%0A\r\n::error ::x]"
    (line,) = annotation_lines([failure(name, message="first: 50%, then::x", file="dir,a:b/100%.py", line=1)])
    assert "\n" not in line
    assert "\r" not in line
    _, place, message = read_back(line)
    assert place == {"file": "dir,a:b/100%.py", "line": "1", "title": "first: 50%, then::x"}
    assert message == name.replace("\r", "\\r")


def test_a_failure_that_was_not_judged_says_what_pytest_says_and_one_outside_the_repository_has_no_place():
    (line,) = annotation_lines([failure(message="ValueError: no")])
    assert line == "::error title=ValueError%3A no::t.py::test_a"


def test_an_exception_comes_before_the_divergence_that_was_seen_before_it():
    (line,) = annotation_lines([failure(said=account(), message="ValueError: no")])
    _, place, message = read_back(line)
    assert place["title"] == "ValueError: no"
    assert "first divergence: mel, stage 'mel' is off by 6.02 dB, allowed 0.01 dB" in message


def test_the_most_telling_come_first():
    failures = [
        failure("unjudged", message="ValueError"),
        failure("near", account(0.02)),
        failure("far", account(20.0)),
        failure("silent", account(None)),
        failure("garbled", account(0.5, audio="garbled")),
        failure("missing", {"reason": "its golden does not exist"}),
        failure("round trip", {"roundtrips": [{"audio_verdict": "silent", "checks": []}]}),
    ]
    titles = [read_back(line)[2].splitlines()[0] for line in annotation_lines(failures)]
    assert titles == ["garbled", "round trip", "silent", "far", "near", "missing", "unjudged"]


def test_of_many_ten_errors_are_written_and_the_rest_is_counted():
    failures = [failure(f"test_{place}", account(float(place + 1))) for place in range(25)]
    lines = annotation_lines(failures)
    assert [line.split()[0] for line in lines] == ["::error"] * 10 + ["::notice"]
    assert "15 parity tests more failed" in lines[-1]
    assert "test_24" in lines[0]
    assert len(annotation_lines(failures[:10])) == 10


def test_a_long_message_is_cut():
    (line,) = annotation_lines(
        [failure(said=account(reason="x", finding={"code": "gain", "explains": None, "message": "m" * 9999}))]
    )
    assert len(line) < 1500


def test_nothing_is_written_where_nothing_failed():
    assert annotation_lines([]) == []
