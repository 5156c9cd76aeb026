"""Why the stages of a test fail: which are looked into and listened to, and what becomes of the verdict meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.recording import Recording
from pytest_audioparity.records import FAIL, StageMeta, StageTensor
from pytest_audioparity.spec import Spec

X = np.random.default_rng(0).standard_normal(200)
TONE = np.sin(np.arange(8000) * 0.3)


def stage(name, array, kind=None, **declared):
    return StageTensor(StageMeta(name, kind, **declared), np.asarray(array))


def tone(name, gain=1.0):
    return stage(name, TONE * gain, "waveform", sample_rate=8000)


def against(folder, held, *obtained):
    """Hold stages against a golden, and return their recording and its result, without causes."""
    path = folder / "test_x.safetensors"
    if held:
        write_golden(path, list(held), settings={}, provenance={})
    made = Recording(spec=Spec(), path=path)
    for one in obtained:
        made.take(one, {})
    return made, made.finish(root=folder)


def codes(result):
    return {one.name: [finding.code for finding in one.findings] for one in result.stages}


def test_each_failing_stage_gets_its_causes_once(tmp_path):
    """Where a stage passes, is new, or is missing, it is left as it is; each is told before it is looked into."""
    made, result = against(
        tmp_path,
        [stage("h", X), stage("mel", X), stage("gone", X), stage("f0", X)],
        *(stage("new", X[:50]), stage("h", X), stage("mel", 2 * X), stage("f0", X + 3)),
    )
    told = []
    found = made.causes.explained(result, told.append)
    assert told == ["mel", "f0"]
    assert codes(result)["mel"] == codes(result)["f0"] == []
    assert codes(found) == {
        "h": [], "mel": ["gain"], "f0": ["offset"], "new": ["extra_stage"], "gone": ["missing_stage"],
    }  # fmt: skip
    again = made.causes.explained(found, told.append)
    assert told == ["mel", "f0"]
    assert again == found
    assert made.so_far().stages[1].findings == found.stages[1].findings


def test_a_stage_by_another_name_is_told(tmp_path):
    made, result = against(tmp_path, [stage("mel", X)], stage("mels", X))
    found = {one.name: one.findings[0].detail["meant"] for one in made.causes.explained(result).stages}
    assert found == {"mel": "mels", "mels": "mel"}


def test_of_many_the_first_are_looked_into(tmp_path):
    """The first ones tell where it starts, and each may take a second; so with those that are listened to."""
    names = [f"ode/{i:02}" for i in range(14)]
    made, result = against(tmp_path, [stage(n, X) for n in names], *(stage(n, 2 * X) for n in names))
    assert [name for name, found in codes(made.causes.explained(result)).items() if found] == names[:12]
    names, told = [f"wave/{i}" for i in range(8)], []
    made, result = against(
        tmp_path,
        [stage("h", X), *map(tone, names)],
        stage("h", 2 * X),
        *(tone(name, gain=2) for name in names),
    )
    found = made.causes.explained(result, told.append)
    assert [one.name for one in found.stages if one.audio is not None] == names[:6]
    assert told == ["h", *names, *names[:6]]


def test_a_waveform_is_listened_to_once(tmp_path):
    made, result = against(tmp_path, [tone("wave")], tone("wave", gain=2))
    heard = made.causes.listened("wave")
    assert heard.audio is not None
    assert made.causes.listened("wave") is heard
    assert made.causes.explained(result).stages[0].audio is heard.audio


def test_without_a_golden_there_is_no_cause(tmp_path):
    made, result = against(tmp_path, [], stage("h", X), tone("wave"))
    told = []
    assert made.causes.explained(result, told.append).stages == result.stages
    assert told == ["wave"]
    assert made.causes.listened("wave").audio is None
    assert list(made.causes.neighbours(stage("h", X))) == []


def test_a_waveform_that_the_golden_does_not_have_is_not_listened_to(tmp_path):
    made, result = against(tmp_path, [stage("h", X)], stage("h", X), tone("wave"))
    (_, wave) = made.causes.explained(result).stages
    assert ([finding.code for finding in wave.findings], wave.audio) == (["extra_stage"], None)
    assert made.causes.listened("wave") is wave


def test_stages_of_its_shape_are_a_stage_s_neighbours(tmp_path):
    made, _ = against(tmp_path, [stage("h", X), stage("mel", 2 * X), stage("short", X[:9]), stage("f0", X)])
    assert [one.meta.name for one in made.causes.neighbours(stage("mel", X))] == ["h", "f0"]


def test_a_golden_that_was_altered_has_its_own_report(tmp_path):
    """What is read to find a cause may be another stage; the verdict on this one stands, with nothing beside it."""
    write_golden(tmp_path / "test_x.safetensors", [stage("h", X), stage("mel", X)], settings={}, provenance={})
    data = bytearray((tmp_path / "test_x.safetensors").read_bytes())
    data[-1] ^= 1  # the last element of mel
    (tmp_path / "test_x.safetensors").write_bytes(data)
    made, result = against(tmp_path, [], stage("h", X[::-1]))
    found = made.causes.explained(result)
    assert (found.stages[0].verdict, found.stages[0].findings) == (FAIL, ())


@pytest.mark.parametrize(
    ("place", "done", "names"),
    [
        ("pytest_audioparity.diagnosis.judge._explained", "looked into", ["h", "wave"]),
        ("pytest_audioparity.audio.channels.hear", "listened to", ["wave"]),
    ],
)
def test_a_fault_of_ours_is_said_beside_the_verdict(tmp_path, monkeypatch, place, done, names):
    def fails(*_, **__):
        raise ZeroDivisionError("planted")

    made, result = against(tmp_path, [stage("h", X), tone("wave")], stage("h", 2 * X), tone("wave", gain=2))
    monkeypatch.setattr(place, fails)
    found = made.causes.explained(result)
    assert [one.verdict for one in found.stages] == [FAIL, FAIL]
    said = {one.name: one.findings[-1] for one in found.stages if one.findings}
    ours = f"it could not be {done}: ZeroDivisionError: 'planted'; please report this"
    assert [name for name, finding in said.items() if (finding.code, finding.message) == ("unexplained", ours)] == names
