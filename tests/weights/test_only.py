"""`only`: the tensors of the reference that a candidate is to have."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import StageError, compare_weights
from pytest_audioparity.cli import main

REFERENCE = {
    f"{part}.{name}": np.random.default_rng(seed).standard_normal((8, 8)).astype(np.float32)
    for seed, (part, name) in enumerate((part, name) for part in ("encoder", "loss") for name in ("a", "b"))
}
CANDIDATE = {name: value for name, value in REFERENCE.items() if name.startswith("encoder")}


def test_what_only_training_reads_need_not_be_there():
    """Without it the two are missing, and they alone fail."""
    statuses = {match.name: match.status for match in compare_weights(REFERENCE, CANDIDATE).matches}
    assert statuses == {"encoder.a": "same", "encoder.b": "same", "loss.a": "missing", "loss.b": "missing"}
    result = compare_weights(REFERENCE, CANDIDATE, only="encoder.*")
    assert result.passed
    assert [match.name for match in result.matches] == ["encoder.a", "encoder.b"]
    assert result.notes == ("2 tensors of the reference are left out by only",)


def test_what_is_chosen_is_judged():
    """A fault among the chosen fails as ever."""
    assert not compare_weights(REFERENCE, {**CANDIDATE, "encoder.a": -REFERENCE["encoder.a"]}, only=["encoder.*"])


@pytest.mark.parametrize("only", [(), "decoder.*", 3, [3]])
def test_a_glob_that_means_nothing_is_an_error(only):
    """Nothing would be compared."""
    with pytest.raises(StageError, match="only"):
        compare_weights(REFERENCE, CANDIDATE, only=only)


def test_the_command_has_it_too(tmp_path, capsys):
    """Exit status 0, and 2 for a glob that means nothing."""
    paths = [str(tmp_path / name) for name in ("reference.npz", "candidate.npz")]
    for path, tensors in zip(paths, (REFERENCE, CANDIDATE), strict=True):
        np.savez(path, **tensors)
    assert main(["weights", *paths]) == 1
    assert main(["weights", *paths, "--only", "encoder.*"]) == 0
    assert main(["weights", *paths, "--only", "encoders.*"]) == 2
    assert "did you mean 'encoder." in capsys.readouterr().err
