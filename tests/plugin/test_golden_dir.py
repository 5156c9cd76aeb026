"""Where goldens lie: the default, the ini option and --golden-dir."""

from __future__ import annotations

import pytest

ONE = "def test_model(stages): stages['mel'] = {value}"


def test_goldens_lie_below_the_root_directory(project, monkeypatch):
    """Without options it is golden/ below pytest's root directory, wherever pytest is started."""
    project.ini()
    project.write(ONE.format(value=1.0), "sub/test_model.py")
    monkeypatch.chdir(project.path / "sub")
    project.run("--update-golden")
    assert project.goldens() == ["golden/sub/test_model/test_model.safetensors"]


@pytest.mark.parametrize("value", ["data/goldens", "./data/goldens", "{root}/data/goldens"])
def test_the_ini_option_moves_them(project, monkeypatch, value):
    """audioparity_golden_dir is relative to the root directory, or absolute."""
    project.ini(f"audioparity_golden_dir = {value.format(root=project.path)}")
    project.write(ONE.format(value=1.0), "sub/test_model.py")
    monkeypatch.chdir(project.path / "sub")
    project.run("--update-golden")
    assert project.goldens() == ["data/goldens/sub/test_model/test_model.safetensors"]
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("relative", [True, False])
def test_the_flag_wins_over_the_ini_option(project, monkeypatch, relative):
    """--golden-dir is relative to where pytest is started, as every path on a command line."""
    project.ini("audioparity_golden_dir = elsewhere")
    project.write(ONE.format(value=1.0), "sub/test_model.py")
    monkeypatch.chdir(project.path / "sub")
    directory = "../here" if relative else str(project.path / "here")
    project.run("--update-golden", "--golden-dir", directory)
    assert project.goldens() == ["here/sub/test_model/test_model.safetensors"]
    project.run(f"--golden-dir={directory}").assert_outcomes(passed=1)
    project.run().assert_outcomes(failed=1)


def test_an_empty_ini_option_is_the_default(project):
    """An empty value does not put goldens into the root directory itself."""
    project.ini("audioparity_golden_dir =")
    project.write(ONE.format(value=1.0))
    project.run("--update-golden")
    assert project.goldens() == ["golden/test_model/test_model.safetensors"]


def test_another_directory_is_another_comparison(project):
    """A test that passes in one directory fails in one whose golden differs."""
    project.write(ONE.format(value=1.0))
    project.run("--update-golden", "--golden-dir", "a")
    project.write(ONE.format(value=2.0))
    project.run("--update-golden", "--golden-dir", "b")
    project.run("--golden-dir", "a").assert_outcomes(failed=1)
    project.run("--golden-dir", "b").assert_outcomes(passed=1)
