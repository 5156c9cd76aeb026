"""`audioparity weights`: exit status 0, 1 and 2, text and JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy

from pytest_audioparity.cli import main


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write a model, a renamed half-precision transposed one, and one with a random and a negated tensor."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    model = {f"{name}.weight": rng.standard_t(4, (64, 48)).astype(np.float32) for name in ("a", "b", "c")}
    safetensors.numpy.save_file(model, "model.safetensors")
    np.savez("port.npz", **{f"x{n}": values.T.astype(np.float16) for n, values in enumerate(model.values())})
    bound = 1 / np.sqrt(48)
    wrong = {"a.weight": rng.uniform(-bound, bound, (64, 48)).astype(np.float32), "b.weight": -model["b.weight"]}
    safetensors.numpy.save_file({**model, **wrong}, "wrong.safetensors")


def run(capsys, *arguments):
    status = main(["weights", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_faithful_port_passes_with_status_0(files, capsys):
    status, out, _ = run(capsys, "model.safetensors", "port.npz")
    assert status == 0
    assert "transposed  3: axes 1,0, float32 -> float16\n" in out
    assert out.endswith("PASS: 3 tensors of the reference found in the candidate\n")


def test_casts_fail_where_fp32_was_declared(files, capsys):
    status, out, _ = run(capsys, "model.safetensors", "port.npz", "--precision", "fp32")
    assert status == 1
    assert "rounded to float16, which precision fp32 does not allow" in out


def test_faults_fail_with_status_1_and_come_first(files, capsys):
    status, out, _ = run(capsys, "model.safetensors", "wrong.safetensors")
    assert status == 1
    assert out.splitlines()[1].split() == ["random_init", "a.weight"]
    assert "U(±1/sqrt(48))" in out
    assert "times -1 (-1)" in out
    assert out.endswith("FAIL: 2 of 3 tensors of the reference: 1 random_init, 1 scaled\n")


def test_json_is_the_documented_schema(files, capsys):
    status, out, _ = run(capsys, "model.safetensors", "wrong.safetensors", "--json")
    told = json.loads(out)
    assert (status, told["schema"], told["verdict"]) == (1, 1, "fail")
    assert [(one["name"], one["matched"], one["status"]) for one in told["tensors"]] == [
        ("a.weight", "a.weight", "random_init"),
        ("b.weight", "b.weight", "scaled"),
        ("c.weight", "c.weight", "same"),
    ]
    assert told["tensors"][1]["detail"]["factor"] == -1
    assert told["summary"]["statuses"] == {"random_init": 1, "scaled": 1, "same": 1}
    assert told["extra"] == []


def test_a_file_that_cannot_be_read_is_wrong_use_on_one_line(files, capsys):
    status, _, err = run(capsys, "model.safetensors", "none.npz")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "none.npz" in err
