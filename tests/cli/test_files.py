"""The command line: exit status 0, 1 and 2, JSON, and one line for whatever is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
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


def test_audio_and_raw_files_are_pairs_whatever_their_names(files, capsys):
    soundfile.write("ref.wav", MEL[0] / 8, 24000, subtype="FLOAT")
    soundfile.write("loud.wav", MEL[0] / 4, 24000, subtype="FLOAT")
    Path("port.f32").write_bytes((MEL[0] / 8).tobytes())
    Path("port.f32.json").write_text('{"shape": [20], "name": "waveform"}')
    assert run(capsys, "compare", "ref.wav", "port.f32")[0] == 0
    assert run(capsys, "compare", "ref.wav", "loud.wav")[0] == 1
    assert "(waveform, T, 24000 Hz)" in run(capsys, "inspect", "ref.wav")[1]


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


def test_inspect_writes_one_stage_in_the_singular_and_packages_as_one_reads_them(files, capsys):
    stage = StageTensor(StageMeta("h", axes="CT"), H)
    made_with = {"packages": {"numpy": "2.4.6", "mlx": "0.32.4"}, "python": "3.11.7"}
    write_golden(files / "one.safetensors", [stage], settings={}, provenance=made_with)
    out = run(capsys, "inspect", "one.safetensors")[1]
    assert out.startswith("one.safetensors: 1 stage\n")
    assert "  packages: numpy 2.4.6, mlx 0.32.4\n" in out


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


@pytest.fixture
def compared(tmp_path, capsys):
    """Compare two goldens of one stage that have these settings; return the status, the document and the text."""

    def compare(expected, actual, *arguments):
        files = [str(tmp_path / "expected.safetensors"), str(tmp_path / "actual.safetensors")]
        for path, settings in zip(files, (expected, actual), strict=True):
            stage = StageTensor(StageMeta("x"), np.ones(3))
            write_golden(Path(path), [stage], settings=settings, provenance={})
        status, out, _ = run(capsys, "compare", *files, *arguments, "--json")
        text = run(capsys, "compare", *files, *arguments)
        assert text[0] == status
        return status, json.loads(out), text[1].replace(f"{tmp_path}/", "")

    return compare


def test_goldens_that_hold_the_same_settings_pass(compared):
    status, told, text = compared({"temperature": 0.9, "top_k": 50}, {"top_k": 50.0, "temperature": 0.9})
    assert (status, told["verdict"]) == (0, "pass")
    assert [(one["name"], one["verdict"]) for one in told["settings"]] == [("temperature", "pass"), ("top_k", "pass")]
    assert "1 of 1 stage passes" in text


def test_a_setting_that_differs_between_two_goldens_fails(compared):
    status, told, text = compared({"temperature": 0.9, "top_k": 50}, {"temprature": 0.9, "top_k": 40}, "--only", "x")
    assert (status, told["verdict"], told["first_divergence"]) == (1, "fail", None)
    assert told["settings"][2] == {
        "name": "top_k",
        "expected": 50,
        "actual": 40,
        "verdict": "fail",
        "problem": "expected 50, actual 40",
    }
    assert text.splitlines()[1:7] == [
        "setting 'temperature': expected 0.9, missing in actual",
        "",
        "3 of 3 settings differ",
        "  temperature : expected 0.9, missing in actual",
        "  temprature  : actual 0.9, missing in expected; did you mean 'temperature'?",
        "  top_k       : expected 50, actual 40",
    ]


@pytest.mark.parametrize("settings", [({"top_k": 50, "a": 1}, {}), ({}, {"top_k": 50, "a": 1})])
def test_settings_that_only_one_file_has_are_a_note_and_no_failure(compared, settings):
    status, told, text = compared(*settings)
    bare = "actual" if settings[0] else "expected"
    assert (status, told["settings"]) == (0, [])
    assert f"settings: a, top_k: not compared, {bare} has none\n" in text
    assert list(told["notes"]) == ["settings"]
    assert compared({}, {})[1]["notes"] == {}


def test_a_golden_with_settings_and_a_dump_of_any_kind_is_a_note(tmp_path, capsys):
    stage = StageTensor(StageMeta("x"), np.ones(3))
    write_golden(tmp_path / "golden.safetensors", [stage], settings={"top_k": 50}, provenance={})
    np.savez(tmp_path / "port.npz", x=stage.array)
    status, out, _ = run(capsys, "compare", str(tmp_path / "golden.safetensors"), str(tmp_path / "port.npz"))
    assert (status, "settings: top_k: not compared" in out) == (0, True)


def test_settings_that_cannot_be_compared_are_a_line(tmp_path, capsys):
    for name, settings in (("a", '{"t": NaN}'), ("b", '{"t": ' + "[" * 200 + "]" * 200 + "}")):
        said = '{"format": 1, "stages": [{"name": "x"}], "settings": ' + settings + "}"
        save_file({"x": np.ones(3)}, tmp_path / f"{name}.safetensors", metadata={"audioparity": said})
        path = str(tmp_path / f"{name}.safetensors")
        status, out, err = run(capsys, "compare", path, path)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert f"{name}.safetensors" in err
