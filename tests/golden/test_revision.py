"""What a golden becomes: stages replaced, added, removed, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.golden.revision import fingerprint, merge_order, revised
from pytest_audioparity.records import StageMeta, StageTensor


def stage(name, value=1.0, **declared):
    return StageTensor(StageMeta(name, **declared), np.full(4, value, np.float32))


@pytest.mark.parametrize(
    ("leading", "following", "merged"),
    [
        ("abc", "abc", "abc"),
        ("abc", "", "abc"),
        ("", "abc", "abc"),
        ("abc", "cba", "abc"),
        ("abc", "axbc", "axbc"),
        ("abc", "xyabc", "xyabc"),
        ("abc", "abcxy", "abcxy"),
        ("abc", "axcyb", "axbcy"),
    ],
)
def test_what_only_one_side_has_stands_behind_its_predecessor_there(leading, following, merged):
    assert merge_order(leading, following) == list(merged)


def test_stages_are_replaced_added_and_removed_in_data_flow_order(tmp_path):
    """What is neither new nor removed stays as it is in the golden."""
    path = tmp_path / "x.safetensors"
    write_golden(path, [stage("a"), stage("b"), stage("d")], settings={}, provenance={})
    order = ["a", "c", "d"]
    new = {"c": stage("c", 3.0), "d": stage("d", 4.0)}
    result = revised(Golden(path), order=order, new=new, removed=["b"])
    assert [(s.meta.name, float(s.array[0])) for s in result] == [("a", 1.0), ("c", 3.0), ("d", 4.0)]


def test_without_a_golden_only_the_new_stages_count():
    """A stage that was recorded and is not given is left out."""
    assert [s.meta.name for s in revised(None, order=["a", "b"], new={"b": stage("b")}, removed=())] == ["b"]


@pytest.mark.parametrize(
    "other",
    [
        stage("x", 2.0),
        stage("x", axes="T"),
        stage("x", sample_rate=16000),
        StageTensor(StageMeta("x"), np.ones((2, 2), np.float32)),
        StageTensor(StageMeta("x"), np.ones(4, np.float32).view(np.int32)),
    ],
    ids=["content", "axes", "rate", "shape", "dtype"],
)
def test_a_fingerprint_tells_content_type_shape_and_declarations(other):
    """Two stages that differ in any of them are two."""
    assert fingerprint(other) != fingerprint(stage("x"))


def test_a_fingerprint_survives_the_file(tmp_path):
    """A rate declared as 24000 or 24000.0 is one, and big-endian data is what it says."""
    path = tmp_path / "x.safetensors"
    array = np.arange(4, dtype=">f4")
    write_golden(path, [StageTensor(StageMeta("x", sample_rate=24000.0), array)], settings={}, provenance={})
    assert fingerprint(Golden(path).read("x")) == fingerprint(
        StageTensor(StageMeta("x", sample_rate=24000), array.astype("<f4"))
    )
    assert fingerprint(None) is None
