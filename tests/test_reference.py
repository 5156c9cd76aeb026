"""What one test is compared with: the golden or a variant of it, and what is said when it cannot be had."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.golden.shelf import IN_GIT
from pytest_audioparity.records import StageMeta, StageTensor
from pytest_audioparity.reference import Reference
from pytest_audioparity.spec import Spec


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    for name in ("CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)


def write(path, provenance=None, **stages):
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = [StageTensor(StageMeta(name), np.asarray(array, np.float32)) for name, array in stages.items()]
    write_golden(path, tensors, settings={}, provenance=provenance or {})


def reference(folder, name="test_x/test_x", spec=None, **more):
    return Reference(folder / "golden" / f"{name}.safetensors", IN_GIT, spec or Spec(), **more)


@pytest.fixture
def folder(tmp_path):
    """Give a project with one golden of two stages."""
    write(tmp_path / "golden/test_x/test_x.safetensors", h=[1.0, 2.0], mel=[3.0])
    return tmp_path


def test_a_golden_is_read_with_what_is_declared_of_it_here(folder):
    known = reference(folder, spec=Spec(only=("m*",)))
    assert (known.error, known.is_new, known.problem(folder)) == (None, False, None)
    assert [stage.name for stage in known.stages] == ["h", "mel"]
    assert known.order == ["mel"]
    assert known.read("mel").array.tolist() == [3.0]
    assert known.read("other") is None
    declared = StageMeta("mel", "tensor", "T")
    assert known.expected(declared).meta == declared
    assert known.expected(declared).array.tolist() == [3.0]
    assert known.expected(StageMeta("other")) is None


def test_without_a_golden_there_is_nothing_to_read(tmp_path):
    unknown = reference(tmp_path)
    assert unknown.is_new
    assert (unknown.read("mel"), unknown.expected(StageMeta("mel")), list(unknown.stages)) == (None, None, [])
    assert unknown.problem(tmp_path).startswith("golden golden/test_x/test_x.safetensors does not exist; create")
    assert list(unknown.notes(tmp_path)) == []


def test_a_damaged_golden_is_not_new(folder):
    (folder / "golden/test_x/test_x.safetensors").write_bytes(b"no golden")
    damaged = reference(folder)
    assert not damaged.is_new
    assert damaged.error.cause == "damaged"
    said = damaged.problem(folder)
    assert said.startswith("golden golden/test_x/test_x.safetensors ")
    assert "does not exist" not in said
    assert reference(folder, spec=Spec(port=True)).problem(folder) == said


def test_the_first_error_counts(folder):
    known = reference(folder)
    first, second = (GoldenError(f"{word} {known.base}", cause="altered") for word in ("first", "second"))
    known.fail(first)
    known.fail(second)
    assert known.error is first
    assert known.problem(folder) == "first golden/test_x/test_x.safetensors"


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS"])
def test_a_job_points_to_what_it_obtained(tmp_path, name, monkeypatch):
    """Its own folder is gone when somebody reads what it says; a golden that is damaged or of another test is not."""
    at_a_desk = reference(tmp_path).problem(tmp_path)
    monkeypatch.setenv(name, "true")
    said = reference(tmp_path).problem(tmp_path)
    assert said.startswith("golden golden/test_x/test_x.safetensors does not exist; create it on your machine, or acc")
    assert said != at_a_desk
    assert "the test that owns it" in reference(tmp_path, spec=Spec(port=True)).problem(tmp_path)
    write(tmp_path / "golden/test_x/test_x.safetensors", h=[1.0])
    (tmp_path / "golden/test_x/test_x.safetensors").write_bytes(b"no golden")
    assert "does not exist" not in reference(tmp_path).problem(tmp_path)


def test_a_port_is_told_the_golden_that_was_meant(folder):
    write(folder / "golden/test_y/test_decoder.safetensors", h=[1.0])
    write(folder / "golden/test_y/test_decoders.safetensors", h=[1.0])
    write(folder / "golden/test_y/test_decode@cuda.safetensors", h=[1.0])

    def said(asked):
        name = asked.removesuffix(".safetensors")
        return reference(folder, name, Spec(port=True, golden=asked)).problem(folder)

    assert said("test_y/test_decode").endswith("; did you mean golden='test_y/test_decoder'?")
    assert said("test_y/test_decode.safetensors").endswith("; did you mean golden='test_y/test_decoder'?")
    for other in ("quite/different", "tests/encoder"):
        assert said(other).endswith("with the test that owns it and --update-golden")
    assert said("golden/test_x/test_x").endswith(", or leave the leading 'golden/' out of golden=")
    # Without a name of its own a port asks for the golden of its own test, of which there is no other spelling.
    assert said("test_y/test_decode") != reference(folder, "test_y/test_decode", Spec(port=True)).problem(folder)
    assert reference(folder, "x", Spec(port=True)).problem(folder).endswith("and --update-golden")


def test_the_first_variant_that_there_is_counts(folder):
    shared = folder / "golden/test_x/test_x.safetensors"
    cuda = folder / "golden/test_x/test_x@cuda.safetensors"
    write(cuda, h=[1.0, 2.0], mel=[6.0])
    known = reference(folder, variants=("mps", "cuda"))
    assert (known.variant, known.path, known.base, known.target) == ("cuda", shared, cuda, cuda)
    assert known.read("mel").array.tolist() == [6.0]
    other = reference(folder, variants=("mps",), new_variant="mps")
    assert (other.variant, other.base) == (None, shared)
    assert other.target == folder / "golden/test_x/test_x@mps.safetensors"
    first = reference(folder, "test_z/test_z", new_variant="mps")
    assert first.target == first.path


def test_a_variant_says_how_far_it_is_from_the_shared_golden(folder):
    mel = np.random.default_rng(0).standard_normal(200)
    write(folder / "golden/test_x/test_x.safetensors", h=[1.0, 2.0], mel=mel)
    write(folder / "golden/test_x/test_x@cuda.safetensors", h=[1.0, 2.0], mel=2 * mel, extra=[1.0])
    known = reference(folder, variants=("cuda",))
    farthest, said = known.distance
    assert (farthest.name, said) == ("mel", "up to 6.02 dB from it ('mel')")
    assert farthest.findings == ()
    assert known.distance[0] is farthest
    assert list(known.notes(folder)) == [("variant", f"'cuda' of golden/test_x/test_x.safetensors, {said}")]


def test_a_variant_that_is_damaged_has_no_distance(folder):
    (folder / "golden/test_x/test_x@cuda.safetensors").write_bytes(b"no golden")
    farthest, said = reference(folder, variants=("cuda",)).distance
    assert farthest is None
    assert said.startswith("which cannot be read: golden ")


def test_a_variant_that_is_the_same_is_at_no_distance(folder):
    write(folder / "golden/test_x/test_x@cuda.safetensors", h=[1.0, 2.0], mel=[3.0])
    farthest, said = reference(folder, variants=("cuda",)).distance
    assert (farthest.deviation_db, said) == (0.0, "up to 0 dB from it ('h')")


def test_of_two_stages_the_one_that_is_farther_counts(folder):
    """Also where one is as it was, and the other differs by less than 1 dB."""
    write(folder / "golden/test_x/test_x@cuda.safetensors", h=[1.0, 2.0], mel=[3.1])
    assert reference(folder, variants=("cuda",)).distance[0].name == "mel"


@pytest.mark.parametrize(
    ("shared", "said"),
    [
        ({"other": [1.0]}, "no stage of which can be compared with it"),
        ({"mel": [[3.0, 4.0]]}, "no stage of which can be compared with it"),
        ({"mel": [3.0], "h": [[1.0]]}, "up to 6.02 dB from it ('mel')"),
        (b"no golden", "which cannot be read: "),
        (None, "which does not exist"),
    ],
)
def test_a_variant_says_why_it_cannot_be_held_against_the_shared_golden(folder, shared, said):
    write(folder / "golden/test_x/test_x@cuda.safetensors", h=[1.0, 2.0], mel=[6.0])
    path = folder / "golden/test_x/test_x.safetensors"
    path.unlink()
    if isinstance(shared, bytes):
        path.write_bytes(shared)
    elif shared is not None:
        write(path, **shared)
    farthest, words = reference(folder, variants=("cuda",)).distance
    assert words.startswith(said)
    assert (words == said) is not isinstance(shared, bytes)
    assert (farthest is None) is (not said.startswith("up to"))


def test_a_golden_that_was_made_elsewhere_says_so(folder):
    assert list(reference(folder).notes(folder)) == []
    write(folder / "golden/test_x/test_x.safetensors", {"packages": {"numpy": "1.0"}}, h=[1.0])
    ((label, said),) = reference(folder).notes(folder)
    assert label == "golden made with"
    assert said == f"numpy 1.0 (here {np.__version__})"
