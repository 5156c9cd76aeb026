"""From a failing test to an accepted golden, with pytest leaving what is reviewed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

# pytest spells letters beyond ASCII out.
TTS = "tests/test_tts.py::test_tts[{}]"
SOURCE = """\
import json, pathlib
import numpy as np
import pytest
from pytest_audioparity import parity

@pytest.mark.parametrize("voice", ["a b", "é"])
@parity
def test_tts(stages, voice):
    value = json.loads(pathlib.Path(__file__).with_name("values.json").read_text())
    stages["h"] = np.full(8, 1.0, np.float32)
    stages["mel"] = np.linspace(0, value["mel"], 8, dtype=np.float32)
    if value["wave"]:
        stages["wave"] = np.arange(8, dtype=np.float32) * value["wave"]

@parity(golden="shared/codec", port=True)
def test_port(stages):
    stages["codes"] = np.array([1, 2, json.loads(pathlib.Path(__file__).with_name("values.json").read_text())["code"]])
"""
OWNER = """\
import numpy as np
from pytest_audioparity import parity

@parity(golden="shared/codec")
def test_codec(stages):
    stages["codes"] = np.array([1, 2, 3])
"""


@pytest.fixture
def model(review):
    """Make a project with a model whose output a file decides, and with goldens of it."""
    (review.root / "tests").mkdir()
    (review.root / "tests" / "test_tts.py").write_text(SOURCE)
    (review.root / "tests" / "test_codec.py").write_text(OWNER)
    (review.root / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    set_values(review, mel=2, wave=1, code=3)
    # One to have a golden, and one that the port compares with.
    run_pytest(review, "--update-golden", "tests/test_codec.py")
    assert run_pytest(review, "--update-golden").returncode == 0
    return review


def set_values(review, **values):
    (review.root / "tests" / "values.json").write_text(json.dumps(values))


def run_pytest(review, *arguments):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": "-p no:hypothesispytest"}
    for name in [name for name in environment if name.startswith("PYTEST_XDIST")]:
        del environment[name]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=review.root,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "INTERNALERROR" not in done.stdout
    return done


def test_a_failing_run_is_reviewed_accepted_and_passes(model):
    set_values(model, mel=3, wave=0, code=3)
    failed = run_pytest(model)
    assert failed.returncode == 1
    status, told = model.json("golden", "pending")
    assert status == 0
    assert {entry["test"] for entry in told["pending"]} == {TTS.format("a b"), TTS.format(r"\xe9")}
    stages = {stage["name"]: stage for stage in told["pending"][0]["stages"]}
    assert {name: stage["change"] for name, stage in stages.items()} == {"mel": "changed", "wave": "removed"}
    assert stages["mel"]["deviation_db"] == pytest.approx(3.52, abs=0.01)
    report = model.run("golden", "show", TTS.format(r"\xe9"))[1]
    assert "stage 'mel' is off by 3.52 dB, allowed 0.01 dB" in report
    assert model.run("golden", "accept", "--stage", "mel")[0] == 0
    assert model.run("golden", "accept", "*[[]a b]", "--reason", "a new vocoder")[0] == 0
    assert model.run("golden", "accept")[0] == 0
    passed = run_pytest(model)
    assert passed.returncode == 0, passed.stdout
    assert model.json("golden", "pending")[1]["pending"] == []


def test_a_port_is_shown_and_cannot_be_accepted(model):
    set_values(model, mel=2, wave=1, code=4)
    assert run_pytest(model).returncode == 1
    status, _, err = model.run("golden", "accept")
    assert status == 1
    assert "port" in err
    assert model.run("golden", "reject", "*test_port*")[0] == 0
    assert model.json("golden", "pending")[1]["pending"] == []


def test_goldens_of_tests_that_are_gone_are_pruned_after_a_whole_run_only(model):
    source = SOURCE.replace(', "é"', "")
    (model.root / "tests" / "test_tts.py").write_text(source)
    assert run_pytest(model, "-k", "tts").returncode == 0
    status, _, err = model.run("golden", "prune")
    assert status == 1
    assert "-k" in err
    assert run_pytest(model).returncode == 0
    status, out, _ = model.run("golden", "prune")
    assert status == 0
    assert "deleted 1 file" in out
    assert model.run("golden", "prune")[1] == "nothing to delete\n"
    assert run_pytest(model).returncode == 0


def test_recheck_tells_what_another_tolerance_would_say(model):
    set_values(model, mel=2.01, wave=1, code=3)
    assert run_pytest(model).returncode == 1
    assert model.run("run", "recheck", "--tol-db", "0.01")[0] == 1
    status, out, _ = model.run("run", "recheck", "--tol-db", "0.1")
    assert status == 0, out
    assert "4 of 4 tests would pass" in out
    assert run_pytest(model, "-o", "audioparity_tol_db=0.1").returncode == 0


def test_shards_are_merged_and_reviewed_as_one_run(model):
    subprocess.run(["git", "init", "-q"], cwd=model.root, check=True)
    subprocess.run(["git", "add", "-A"], cwd=model.root, check=True)
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", *identity, "commit", "-qm", "x"], cwd=model.root, check=True)
    set_values(model, mel=3, wave=1, code=3)
    subprocess.run(["git", *identity, "commit", "-qam", "x"], cwd=model.root, check=True)
    for name, file in (("job-a", "tests/test_tts.py"), ("job-b", "tests/test_codec.py")):
        run_pytest(model, file)
        shutil.copytree(model.root / ".audioparity", model.root.parent / "artifacts" / name / ".audioparity")
    shutil.rmtree(model.root / ".audioparity")
    status, told = model.json("run", "merge", model.root.parent / "artifacts")
    assert status == 1
    assert (told["complete"], told["jobs"], told["tests"], told["pending"]) == (True, ["job-a", "job-b"], 4, 2), told
    assert model.run("golden", "accept")[0] == 0
    assert run_pytest(model).returncode == 0
