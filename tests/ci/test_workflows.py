"""The workflows in docs/ci: valid for who runs them, and their commands do on a real project what they promise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_audioparity.cli import main
from tests.ci.steps import DOCS, Pipeline, read_workflow

ROOT = Path(__file__).parents[2]

OWN = ROOT / ".github" / "workflows" / "ci.yml"
GITHUB = ("--builtin-schema", "vendor.github-workflows")
SCHEMAS = {
    DOCS / "github.yml": GITHUB,
    DOCS / "gitlab.yml": ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"),
    OWN: GITHUB,
}
# Off by 6 dB in one job, as a port can be on one machine only.
MODEL = """
import os
import numpy as np
from pytest_audioparity import parity

GAIN = 2.0 if os.environ.get("JOB", "").endswith("macos") and os.environ.get("FAULT") else 1.0


def test_decoder(stages):
    h = stages.step("encoder", lambda x: x + 1, np.arange(40.0).reshape(1, 4, 10))
    stages.step("mel", lambda x: x * GAIN, h)


def test_other(stages): stages["x"] = np.arange(3)
"""


def git(folder, *arguments):
    names = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Give a committed project with two parity tests and their goldens."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_decoder.py").write_text(MODEL)
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
    (folder / ".gitignore").write_text(".venv\nbuild\njobs\n__pycache__\n")
    command = [sys.executable, "-m", "pytest", "-q", "--update-golden"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    return folder


@pytest.fixture
def pipeline(repository, tmp_path):
    return Pipeline(repository, tmp_path)


def run_github(pipeline):
    """Run all jobs of the workflow; return the working copy of the merging one."""
    jobs = read_workflow("github.yml")["jobs"]
    for entry in jobs["parity"]["strategy"]["matrix"]["include"]:
        pipeline.run_github(jobs["parity"], entry["name"], entry)
    return pipeline.run_github(jobs["merge"], "merge", {})


def run_gitlab(pipeline):
    jobs = read_workflow("gitlab.yml")
    names = ("linux", "macos")
    for name, entry in zip(names, jobs["parity"]["parallel"]["matrix"], strict=True):
        pipeline.run_gitlab(jobs["parity"], name, entry)
    return pipeline.run_gitlab(jobs["merge"], "merge", {}, given=names)


RUNS = {"github": run_github, "gitlab": run_gitlab}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_a_workflow_is_valid_and_a_typing_error_in_it_is_seen(path, tmp_path):
    """By the schema of the service, as check-jsonschema has it."""
    broken = tmp_path / path.name
    text = path.read_text(encoding="utf-8")
    broken.write_text(re.sub(r"^( +)(runs-on|stage):", r"\1\2x:", text, flags=re.MULTILINE))
    for given, status in ((path, 0), (broken, 1)):
        command = [sys.executable, "-m", "check_jsonschema", *SCHEMAS[path], str(given)]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == status, result.stdout + result.stderr


def test_our_own_workflow_runs_what_is_there_and_publishes_without_a_password():
    """Every job that it waits for exists, every target is in the Makefile, and only the release may ask for a token."""
    jobs = yaml.safe_load(OWN.read_text(encoding="utf-8"))["jobs"]
    for job in jobs.values():
        needs = job.get("needs", [])
        assert {needs} <= set(jobs) if isinstance(needs, str) else set(needs) <= set(jobs)
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = {found for command in commands for found in re.findall(r"\bmake ([a-z-]+)", command)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets == {"release-check"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert {command for command in commands if command.startswith(".ci/")} == {".ci/run"}
    asking = {name for name, job in jobs.items() if "id-token" in job.get("permissions", {})}
    assert asking == {"release"}
    assert set(jobs["release"]["needs"]) == {"everything", "matrix", "distribution"}
    assert "secrets." not in OWN.read_text(encoding="utf-8")


def test_the_rest_of_the_matrix_runs_each_night_and_before_a_release():
    """Not on every push; `matrix` is skipped with what it needs, so a tag that skipped that would never be released."""
    workflow = yaml.safe_load(OWN.read_text(encoding="utf-8"))
    events, jobs = workflow[True], workflow["jobs"]  # a key `on` is a truth value in YAML
    assert events["schedule"]
    assert events["push"]["tags"] == ["v*"]
    conditions = {name: job["if"] for name, job in jobs.items() if "if" in job}
    assert conditions == {
        "sessions": "github.event_name == 'schedule' || startsWith(github.ref, 'refs/tags/')",
        "release": "startsWith(github.ref, 'refs/tags/v')",
    }
    assert jobs["matrix"]["needs"] == "sessions"
    (listing,) = (step["run"] for step in jobs["sessions"]["steps"] if step.get("id") == "list")
    assert "nox --list --tags nightly" in listing


def test_every_checkout_has_the_goldens_and_not_their_pointers():
    """The job that merges runs no test, but its page draws what was expected."""
    steps = [step for job in read_workflow("github.yml")["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 2
    assert all(step.get("with", {}).get("lfs") is True for step in checkouts)


def test_what_a_workflow_refers_to_is_there():
    """No schema knows whether a value of the matrix, a job or a stage exists."""
    jobs = read_workflow("github.yml")["jobs"]
    used = set(re.findall(r"matrix\.(\w+)", (DOCS / "github.yml").read_text()))
    for entry in jobs["parity"]["strategy"]["matrix"]["include"]:
        assert used == set(entry)
    assert jobs["merge"]["needs"] in jobs
    told = read_workflow("gitlab.yml")
    assert {told["parity"]["stage"], told["merge"]["stage"]} == set(told["stages"])
    used = {told["parity"]["image"].strip("$"), *(tag.strip("$") for tag in told["parity"]["tags"]), "PACKAGES"}
    for entry in told["parity"]["parallel"]["matrix"]:
        assert used == set(entry)


@pytest.mark.parametrize("service", RUNS)
def test_a_healthy_project_passes_in_every_job_and_as_a_whole(pipeline, service):
    """All steps end with 0, the merge finds a whole run, and one page has both tests."""
    merged = RUNS[service](pipeline)
    assert {status for statuses in pipeline.statuses.values() for status in statuses} == {0}, pipeline.output
    assert "together the jobs are a complete run" in pipeline.output["merge"]
    record = json.loads((merged / "build" / "parity" / "parity.json").read_text())
    assert record["complete"]
    assert len(record["tests"]) == len(record["jobs"]) == 2
    assert (merged / "build" / "parity" / "index.html").is_file()


@pytest.mark.parametrize("service", RUNS)
def test_a_fault_on_one_machine_fails_there_and_as_a_whole_and_can_be_reviewed(pipeline, service, monkeypatch, capsys):
    """Artifacts are kept although the job failed, and a checkout can show and accept what they hold."""
    monkeypatch.setenv("FAULT", "1")
    merged = RUNS[service](pipeline)
    failed = {name for name, statuses in pipeline.statuses.items() if any(statuses)}
    assert failed == {"macos", "merge"}
    assert pipeline.statuses["merge"] == [1, 0]
    assert "failed tests/test_decoder.py::test_decoder" in pipeline.output["merge"]
    page = (merged / "build" / "parity" / "index.html").read_text(encoding="utf-8")
    assert "actual = 2 * expected" in page
    assert not list(pipeline.folder.glob("artifacts/**/cache"))
    artifact = pipeline.artifact("merged" if service == "github" else "merge")
    monkeypatch.chdir(pipeline.repository)
    assert main(["golden", "show", "--from", str(artifact), "tests/test_decoder/test_decoder"]) == 0
    assert "the difference starts in 'mel' (own 6.02 dB)" in " ".join(capsys.readouterr().out.split())


def test_a_job_that_is_missing_is_noticed(pipeline):
    """Without the artifact of a job that ran a file of tests, the merge is no whole run."""
    jobs = read_workflow("github.yml")["jobs"]
    job = jobs["parity"]
    (entry, _) = job["strategy"]["matrix"]["include"]
    (test,) = [step for step in job["steps"] if step.get("name") == "Test"]
    test["run"] += " -k other"
    pipeline.run_github(job, entry["name"], entry)
    pipeline.run_github(jobs["merge"], "merge", {})
    assert pipeline.statuses["merge"] == [1, 0]
    assert "no job ran tests/test_decoder.py::test_decoder" in pipeline.output["merge"]


def test_hidden_files_have_to_be_asked_for(pipeline, monkeypatch):
    """Without `include-hidden-files` there would be nothing to review, which this suite would notice."""
    monkeypatch.setenv("FAULT", "1")
    job = read_workflow("github.yml")["jobs"]["parity"]
    _, entry = job["strategy"]["matrix"]["include"]
    (upload,) = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    place = pipeline.run_github(job, entry["name"], entry)
    artifact = pipeline.artifact("parity-macos")
    assert (artifact / ".audioparity" / "pending").is_dir()
    assert (artifact / "build" / "junit.xml").is_file()
    given = {**upload["with"], "name": "without", "include-hidden-files": False}
    pipeline.act(upload["uses"], given, place)
    assert {path.name for path in pipeline.artifact("without").iterdir()} == {"build"}


def test_the_pages_of_the_documentation_show_no_other_workflow():
    """docs/ci.md points at the files rather than copying them, so that what is shown is what was tested."""
    page = Path(DOCS).with_suffix(".md").read_text(encoding="utf-8")
    assert "ci/github.yml" in page
    assert "ci/gitlab.yml" in page
