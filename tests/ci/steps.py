"""The workflows of docs/ci as a runner has them: their shell steps run, their actions replaced by copies of folders."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[2] / "docs" / "ci"
# Actions without a counterpart here: the interpreter is ours, and a cache only saves time.
_NOTHING = ("actions/setup-python", "actions/cache")
# Steps without one: what they install is installed, and is the checkout under test.
_INSTALLS = re.compile(r"pip install|-m venv")


def read_workflow(name: str) -> dict[str, Any]:
    """Read a workflow of docs/ci."""
    workflow: dict[str, Any] = yaml.safe_load((DOCS / name).read_text(encoding="utf-8"))
    return workflow


@dataclass
class Pipeline:
    """One run of a workflow on one commit.

    Parameters
    ----------
    repository : what is checked out
    folder : gets a folder for each job and for each artifact
    """

    repository: Path
    folder: Path
    statuses: dict[str, list[int]] = field(default_factory=dict)
    output: dict[str, str] = field(default_factory=dict)

    def artifact(self, name: str) -> Path:
        """Return where an artifact lies."""
        return self.folder / "artifacts" / name

    def run_github(self, job: dict[str, Any], name: str, matrix: dict[str, str]) -> Path:
        """Run a job of GitHub Actions and return its working copy."""
        place, failed = self._begin(name), False
        for step in job["steps"]:
            condition = step.get("if", "success()")
            if failed and "!cancelled()" not in condition:
                continue
            with_ = {key: _filled(value, matrix) for key, value in step.get("with", {}).items()}
            if "run" not in step:
                self.act(step["uses"], with_, place)
            else:
                environment = {key: _filled(value, matrix) for key, value in step.get("env", {}).items()}
                failed |= self._shell(name, step["run"], place, {**environment, "GITHUB_ACTIONS": "true"})
        return place

    def run_gitlab(
        self, job: dict[str, Any], name: str, variables: dict[str, str], given: tuple[str, ...] = ()
    ) -> Path:
        """Run a job of GitLab CI with the artifacts of earlier ones, and return its working copy."""
        place = self._begin(name)
        for artifact in given:
            shutil.copytree(self.artifact(artifact), place, dirs_exist_ok=True)
        (place / ".venv").symlink_to(sys.prefix, target_is_directory=True)
        environment = {**variables, "CI_JOB_NAME_SLUG": name}
        for line in job["script"]:
            if self._shell(name, line, place, environment):
                break
        for line in job["after_script"]:
            self._shell(name, line, place, environment)
        excluded = [pattern.removesuffix("/**/*") for pattern in job["artifacts"].get("exclude", ())]
        self._keep(place, name, [*job["artifacts"]["paths"], *(f"!{path}" for path in excluded)])
        return place

    def _begin(self, name: str) -> Path:
        place = self.folder / "work" / name
        shutil.copytree(self.repository, place)
        self.statuses[name], self.output[name] = [], ""
        return place

    def act(self, action: str, given: dict[str, Any], place: Path) -> None:
        """Do in a working copy what an action of GitHub does."""
        action = action.partition("@")[0]
        if action == "actions/upload-artifact":
            paths = given["path"].split()
            # What the action does unless it is told otherwise.
            hidden = ["!.*"] if given.get("include-hidden-files") is not True else []
            self._keep(place, given["name"], [*paths, *hidden])
        elif action == "actions/download-artifact":
            for artifact in self.artifact("").iterdir():
                if fnmatch.fnmatch(artifact.name, given["pattern"]):
                    shutil.copytree(artifact, place / given["path"] / artifact.name)
        elif action != "actions/checkout" and action not in _NOTHING:
            raise AssertionError(f"the test knows no {action}")

    def _keep(self, place: Path, name: str, patterns: list[str]) -> None:
        """Copy what patterns name, less what those with an exclamation mark do, as it lies below the checkout."""
        left_out = [pattern[1:] for pattern in patterns if pattern.startswith("!")]

        def ignored(folder: str, names: list[str]) -> list[str]:
            relative = {one: (Path(folder) / one).relative_to(place).as_posix() for one in names}
            return [one for one, path in relative.items() if any(fnmatch.fnmatch(path, out) for out in left_out)]

        for pattern in patterns:
            source = place / pattern
            if pattern.startswith("!") or not source.exists() or any(fnmatch.fnmatch(pattern, out) for out in left_out):
                continue
            target = self.artifact(name) / pattern
            if source.is_dir():
                shutil.copytree(source, target, ignore=ignored)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)

    def _shell(self, name: str, command: str, place: Path, environment: dict[str, str]) -> bool:
        if _INSTALLS.search(command):
            return False
        path = os.pathsep.join((str(Path(sys.prefix) / "bin"), os.environ["PATH"]))
        variables = {**os.environ, "PATH": path, "CI": "true", "JOB": name, **environment}
        result = subprocess.run(
            ["bash", "-e", "-c", command], cwd=place, env=variables, capture_output=True, text=True, timeout=300
        )
        self.statuses[name].append(result.returncode)
        self.output[name] += result.stdout + result.stderr
        return result.returncode != 0


def _filled(value: Any, matrix: dict[str, str]) -> Any:
    return (
        re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: matrix[found[1]], value) if isinstance(value, str) else value
    )
