"""Platform variants of goldens: used where they exist, made only when asked for, never silent."""

from __future__ import annotations

import platform
import shutil

import numpy as np
import pytest

TWO = "def test_model(stages): stages['h'] = np.full(9, 1.0); stages['mel'] = np.full(100, {mel})\n"
HERE = f"{platform.system()}-{platform.machine()}".lower()


@pytest.fixture
def golden(project):
    """Write a golden of two stages and return the project."""
    project.write(TWO.format(mel=1.0))
    assert project.run("--update-golden").ret == 0
    return project


@pytest.fixture
def variant(golden):
    """Add a variant 'cuda' whose mel is twice as loud."""
    golden.write(TWO.format(mel=2.0))
    assert golden.run("--update-golden", "--golden-variant", "cuda").parseoutcomes() == {"updated": 1}
    return golden


def test_an_update_for_a_variant_leaves_the_shared_golden_alone(golden):
    """The variant is created beside it, with the stages that pass taken from it."""
    before = golden.state()
    golden.write(TWO.format(mel=2.0))
    result = golden.run("--update-golden", "--golden-variant", "cuda")
    result.stdout.fnmatch_lines("created golden/test_model/test_model@cuda.safetensors*")
    after = golden.state()
    assert {name: after[name] for name in before} == before
    tensors = golden.tensors("test_model/test_model@cuda")
    assert (tensors["mel"][0], tensors["h"][0]) == (2.0, 1.0)


def test_what_passes_against_the_shared_golden_needs_no_variant(golden):
    """A variant is the last resort."""
    assert golden.run("--update-golden", "--golden-variant", "cuda").parseoutcomes() == {"passed": 1}
    assert golden.goldens() == ["golden/test_model/test_model.safetensors"]


def test_without_any_golden_the_shared_one_is_made(project):
    """A variant alone would leave every other platform without a golden."""
    project.write(TWO.format(mel=1.0))
    project.run("--update-golden", "--golden-variant", "cuda")
    assert project.goldens() == ["golden/test_model/test_model.safetensors"]


def test_a_variant_is_used_where_it_is_asked_for_only(variant):
    """With the name it passes, without it the shared golden is compared with."""
    result = variant.run("--golden-variant", "cuda")
    assert result.parseoutcomes() == {"passed": 1}
    result.stdout.fnmatch_lines("*golden/test_model/test_model@cuda.safetensors*6.02 dB*'mel'*")
    assert variant.run().parseoutcomes() == {"failed": 1}
    assert variant.run("--golden-variant", "mps").parseoutcomes() == {"failed": 1}


def test_the_ini_option_names_a_variant_too(variant):
    """A flag wins over it."""
    variant.ini("audioparity_golden_variant = cuda")
    assert variant.run().parseoutcomes() == {"passed": 1}
    assert variant.run("--golden-variant", "mps").parseoutcomes() == {"failed": 1}


def test_the_variant_of_this_platform_is_used_by_itself(variant):
    """Its name is the system's and the processor's, in small letters."""
    shutil.move(variant.golden("test_model/test_model@cuda"), variant.golden(f"test_model/test_model@{HERE}"))
    assert variant.run().parseoutcomes() == {"passed": 1}


def test_a_failure_says_which_was_used_and_how_far_it_is_from_the_shared_golden(variant):
    """Both numbers: from the variant, and of the variant."""
    variant.write(TWO.format(mel=4.0))
    result = variant.run("--golden-variant", "cuda")
    result.stdout.fnmatch_lines(
        [
            "stage 'mel' is off by 6.02 dB*",
            "golden: golden/test_model/test_model@cuda.safetensors",
            "variant: 'cuda' of golden/test_model/test_model.safetensors, up to 6.02 dB from*",
        ]
    )


def test_an_update_rewrites_the_variant_that_is_used(variant):
    """The shared golden stays."""
    before = variant.state()
    variant.write(TWO.format(mel=4.0))
    variant.run("--update-golden", "--golden-variant", "cuda").stdout.fnmatch_lines("updated *test_model@cuda*")
    after = variant.state()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"golden/test_model/test_model@cuda.safetensors"}
    assert variant.tensors("test_model/test_model@cuda")["mel"][0] == 4.0


def test_a_port_uses_the_variant_of_its_golden(variant):
    """The owner's variant counts for ports as well."""
    variant.write("@parity(golden='test_model/test_model', port=True)\n" + TWO.format(mel=2.0), name="test_port.py")
    assert variant.run("test_port.py", "--golden-variant", "cuda").parseoutcomes() == {"passed": 1}
    assert variant.run("test_port.py").parseoutcomes() == {"failed": 1}


@pytest.mark.parametrize("name", ["CUDA", "a/b", "..", "a b"])
def test_a_variant_that_could_not_be_a_file_name_is_refused(golden, name):
    """One line, before any test runs."""
    result = golden.run("--golden-variant", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("*--golden-variant*small letters*")


def test_no_golden_is_named_like_a_variant(project):
    """golden= may not claim what belongs to a variant."""
    project.write("@parity(golden='x@cuda')\n" + TWO.format(mel=1.0))
    result = project.run("--update-golden")
    result.assert_outcomes(errors=1)
    assert project.goldens() == []


def test_a_variant_that_is_damaged_does_not_fall_back(variant):
    """A silent fallback would compare with something else than the report says."""
    path = variant.golden("test_model/test_model@cuda")
    path.write_bytes(path.read_bytes()[:-5])
    variant.write(TWO.format(mel=1.0))
    result = variant.run("--golden-variant", "cuda")
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines("golden golden/test_model/test_model@cuda.safetensors is truncated*")
    assert np.allclose(variant.tensors()["mel"], 1.0)


def test_the_printed_command_updates_the_variant_and_nothing_else(variant):
    """Following it literally must not rewrite the shared golden."""
    variant.write(TWO.format(mel=4.0))
    lines = variant.run("--golden-variant", "cuda").stdout.lines
    command = next(line for line in lines if line.startswith("accept: pytest ")).removeprefix("accept: pytest ")
    before = variant.state()
    assert variant.run(*command.split()).parseoutcomes() == {"updated": 1}
    after = variant.state()
    assert {name for name in after if after[name] != before[name]} == {"golden/test_model/test_model@cuda.safetensors"}


def test_a_wrong_ini_option_is_named_as_such(golden):
    """Not as the flag that nobody gave."""
    golden.ini("audioparity_golden_variant = CUDA")
    result = golden.run()
    assert "ini option audioparity_golden_variant 'CUDA'" in result.stdout.str() + result.stderr.str()


def test_the_record_says_which_variant_was_used_and_how_far_it_is(variant):
    """Of the stage that is farthest from the shared golden; of no variant, nothing."""
    variant.write(TWO.format(mel=2.0))
    variant.run("--golden-variant", "cuda")
    (test,) = variant.record().tests
    assert test["variant"] == {"name": "cuda", "stage": "mel", "deviation_db": pytest.approx(6.02, abs=0.001)}
    variant.run()
    assert variant.record().tests[0]["variant"] is None


def test_a_variant_that_cannot_be_told_apart_is_recorded_without_a_distance(variant):
    """Such as where the shared golden is gone."""
    variant.golden().unlink()
    variant.run("--golden-variant", "cuda")
    assert variant.record().tests[0]["variant"] == {"name": "cuda", "stage": None, "deviation_db": None}
