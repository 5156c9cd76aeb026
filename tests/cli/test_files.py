"""The command line: exit status 0, 1 and 2, JSON, and one line for whatever is wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from pytest_audioparity.cli import main
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.records import StageMeta, StageTensor

rng = np.random.default_rng(0)
H, MEL = rng.standard_normal((8, 20)).astype(np.float32), rng.standard_normal((4, 20)).astype(np.float32)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file({"h": H, "mel": MEL}, "ref.safetensors")
    save_file({"h": H, "mel": MEL}, "same.safetensors")
    save_file({"h": H, "mel": MEL * np.float32(1.5)}, "loud.safetensors")
    save_file({"hidden": H, "mel": MEL}, "renamed.safetensors")
    np.savez("ref.npz", h=H, mel=MEL)
    np.save("ref.npy", MEL)
    np.save("port.npy", MEL)
    return tmp_path


def run(capsys, *arguments):
    status = main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("actual", ["same.safetensors", "ref.npz"])
def test_equal_files_of_any_kind_pass_with_status_0(files, capsys, actual):
    status, out, _ = run(capsys, "compare", "ref.safetensors", actual)
    assert status == 0
    assert "2 of 2 stages pass" in out


def test_a_deviation_fails_with_status_1_and_is_named(files, capsys):
    status, out, _ = run(capsys, "compare", "ref.safetensors", "loud.safetensors")
    assert status == 1
    assert "stage 'mel' is off by 3.52 dB" in out


def test_json_is_one_document_with_the_first_divergence(files, capsys):
    status, out, _ = run(capsys, "compare", "ref.safetensors", "loud.safetensors", "--json")
    told = json.loads(out)
    assert status == 1
    assert (told["schema"], told["verdict"], told["first_divergence"]) == (1, "fail", "mel")
    assert [stage["verdict"] for stage in told["stages"]] == ["pass", "fail"]


def test_a_tolerance_on_the_command_line_counts(files, capsys):
    assert run(capsys, "compare", "ref.safetensors", "loud.safetensors", "--tol-db", "3.53")[0] == 0
    assert run(capsys, "compare", "ref.safetensors", "loud.safetensors", "--tol-db", "3.51")[0] == 1


def test_stages_are_paired_by_name_and_renamed_only_on_request(files, capsys):
    status, out, _ = run(capsys, "compare", "ref.safetensors", "renamed.safetensors")
    assert status == 1
    assert "missing" in out
    assert run(capsys, "compare", "ref.safetensors", "renamed.safetensors", "--rename", "hidden=h")[0] == 0


def test_only_leaves_other_stages_out_and_a_glob_that_means_none_is_wrong_use(files, capsys):
    assert run(capsys, "compare", "ref.safetensors", "loud.safetensors", "--only", "h")[0] == 0
    status, _, err = run(capsys, "compare", "ref.safetensors", "loud.safetensors", "--only", "h", "--only", "mle")
    assert status == 2
    assert "'mle' matches no stage, did you mean 'mel'?" in err


def test_two_npy_files_are_a_pair_whatever_their_names(files, capsys):
    assert run(capsys, "compare", "ref.npy", "port.npy")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "ref.safetensors", "nowhere.safetensors"], "does not exist"),
        (["compare", "ref.safetensors", "ref.txt"], ".safetensors, .npz, .npy"),
        (["compare", "ref.safetensors", "same.safetensors", "--rename", "x"], "A=B"),
        (["compare", "ref.safetensors", "same.safetensors", "--rename", "x=y"], "no tensor 'x'"),
        (["compare", "ref.safetensors", "same.safetensors", "--tol-db", "-1"], "tol_db=-1.0"),
        (["compare", "ref.safetensors", "same.safetensors", "--precision", "fp8"], "fp32, fp16, bf16, int8"),
        (["inspect", "damaged.safetensors"], "truncated"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(files, capsys, arguments, said):
    (files / "damaged.safetensors").write_bytes((files / "ref.safetensors").read_bytes()[:-9])
    (files / "ref.txt").write_text("no tensors")
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_an_unknown_command_is_status_2():
    with pytest.raises(SystemExit) as stop:
        main(["comapre"])
    assert stop.value.code == 2


def test_inspect_shows_every_stage_with_shape_and_range(files, capsys):
    status, out, _ = run(capsys, "inspect", "ref.npz")
    assert status == 0
    assert "h  8x20 float32" in out
    assert f"{MEL.max():.4g}" in out


def test_inspect_json_holds_the_same(files, capsys):
    _, out, _ = run(capsys, "inspect", "ref.safetensors", "--json")
    told = json.loads(out)
    assert [(stage["name"], stage["shape"], stage["max"]) for stage in told["stages"]] == [
        ("h", [8, 20], float(H.max())),
        ("mel", [4, 20], float(MEL.max())),
    ]


def test_the_installed_command_runs_and_help_imports_no_numpy(files):
    code = "import sys; from pytest_audioparity.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert 'numpy' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).returncode == 0


def test_a_dump_in_another_layout_is_compared_once_its_axes_are_declared(tmp_path, capsys):
    golden = tmp_path / "golden.safetensors"
    stage = StageTensor(StageMeta("mel", axes="BCT"), np.arange(24.0).reshape(1, 4, 6))
    write_golden(golden, [stage], settings={}, provenance={})
    np.savez(tmp_path / "port.npz", mel=stage.array.swapaxes(1, 2))
    files = str(golden), str(tmp_path / "port.npz")
    assert run(capsys, "compare", *files)[0] == 1
    assert run(capsys, "compare", *files, "--axes", "mel=BTC")[0] == 0
    status, _, err = run(capsys, "compare", *files, "--axes", "mel")
    assert (status, err.count("\n")) == (2, 1)
