"""Finding the project: its root and ini options are those that pytest finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.project import find_project

FILES = {
    "pytest.ini": "[pytest]\naudioparity_golden_dir = {dir}\naudioparity_golden_store = {store}\n",
    ".pytest.ini": "[pytest]\naudioparity_golden_dir = {dir}\naudioparity_golden_store = {store}\n",
    "tox.ini": "[testenv]\n[pytest]\naudioparity_golden_dir={dir}\naudioparity_golden_store={store}\n",
    "setup.cfg": "[metadata]\nname=x\n[tool:pytest]\naudioparity_golden_dir={dir}\naudioparity_golden_store={store}\n",
    "pyproject.toml": (
        '[tool.pytest.ini_options]\naudioparity_golden_dir = "{dir}"\naudioparity_golden_store = "{store}"\n'
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_root_and_options_are_those_of_pytest(pytester, name):
    (pytester.path / name).write_text(FILES[name].format(dir="my goldens", store="s3://bucket/x"))
    inner = pytester.mkdir("a") / "b"
    inner.mkdir()
    project = find_project(inner)
    config = pytester.parseconfig()
    assert config.rootpath == project.root == pytester.path
    assert config.getini("audioparity_golden_dir") == "my goldens"
    assert (project.golden_dir, project.store) == (pytester.path / "my goldens", "s3://bucket/x")
    assert project.cache == pytester.path / ".audioparity" / "cache"


@pytest.mark.parametrize(("name", "table"), [("pyproject.toml", "tool.pytest"), ("pytest.toml", "pytest")])
def test_the_tables_of_pytest_9_are_read(tmp_path, name, table):
    (tmp_path / name).write_text(f'[{table}]\naudioparity_golden_dir = "g"\ntestpaths = ["x"]\n')
    (tmp_path / "tox.ini").write_text("[pytest]\naudioparity_golden_dir = other\n")
    assert find_project(tmp_path).golden_dir == tmp_path / "g"


def test_the_nearest_sign_says_where_the_root_is(tmp_path):
    """A stray folder further up, of a run that had no options file, is not this project's."""
    (tmp_path / ".audioparity").mkdir()
    inner = tmp_path / "sub" / "inner"
    inner.mkdir(parents=True)
    assert find_project(inner).root == tmp_path
    (tmp_path / "sub" / "pytest.ini").write_text("")
    assert find_project(inner).root == tmp_path / "sub"
    (inner / ".audioparity").mkdir()
    assert find_project(inner).root == inner


def test_what_lies_above_the_repository_is_of_another_project(tmp_path):
    (tmp_path / ".audioparity").mkdir()
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    (repository / "a").mkdir()
    assert find_project(repository / "a").root == repository
    (repository / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert find_project(repository / "a").golden_dir == repository / "golden"


def test_without_any_sign_the_working_directory_is_the_root(tmp_path):
    assert find_project(tmp_path).root in (tmp_path, *tmp_path.parents)
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = x\n")
    assert find_project(tmp_path, root=".").root == tmp_path


def test_flags_are_relative_to_the_working_directory_and_go_first(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naudioparity_golden_dir = a\naudioparity_golden_store = s\n")
    (tmp_path / "sub").mkdir()
    project = find_project(tmp_path / "sub", root="..", golden_dir="g", store="t")
    assert project.root == tmp_path
    assert (project.golden_dir, project.is_chosen) == (tmp_path / "sub" / "g", True)
    assert project.store == str(tmp_path / "sub" / "t")
    assert find_project(tmp_path / "sub").store == str(tmp_path / "s")


@pytest.mark.parametrize(
    ("store", "found"),
    [
        ("s3://bucket", "s3://bucket"),
        ("simplecache::memory://x", "simplecache::memory://x"),
        ("/srv/x", "/srv/x"),
        ("~/x", str(Path("~/x").expanduser())),
        ("", None),
    ],
)
def test_only_a_plain_path_is_relative_to_the_root(tmp_path, store, found):
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\naudioparity_golden_store = {store}\naudioparity_golden_cache = ~/c"
    )
    project = find_project(tmp_path)
    assert project.store == found
    assert project.cache == Path("~/c").expanduser()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[tool.pytest"),
        ("pytest.ini", "no section\n"),
        ("pyproject.toml", "\xff"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naudioparity_golden_dir = 5"),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_use(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(AudioparityError, match=rf"{re.escape(name)}|audioparity_golden_dir"):
        find_project(tmp_path)


def test_a_root_that_does_not_exist_is_wrong_use(review):
    assert "--root nowhere: there is no such folder" in review.wrong("golden", "pending", "--root", "nowhere")


def test_the_root_may_be_given(review, tmp_path, monkeypatch):
    review.obtain(s_a=1)
    monkeypatch.chdir(tmp_path)
    assert "test_m" in review.run("golden", "pending", "--root", "project")[1]


COMMANDS = [
    "golden pending",
    "golden show",
    "golden accept",
    "golden reject x",
    "golden prune",
    "golden push --store s",
]
COMMANDS += ["golden pull --store s", "run merge .", "run recheck --tol-db 1"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_where_the_folder_of_the_last_run_should_be_is_one_line(review, command):
    (review.root / ".audioparity").write_text("in the way")
    line = review.wrong(*command.split())
    assert line.endswith("/.audioparity is no folder, so nothing of a run can be in it; move it away\n")
