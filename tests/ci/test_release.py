"""The check of a release finds what is wrong with one."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from tests.release import problems

FILES = ("pytest_audioparity/__init__.py", "pytest_audioparity/py.typed", "pytest_audioparity/page/page.css")
INFO = ("METADATA", "RECORD", "entry_points.txt", "licenses/LICENSE")
SOURCES = (*FILES, "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO")


class Release:
    """A project, and what was built of it."""

    def __init__(self, root):
        self.root, self.folder = root, root / "dist"
        self.wheel = [*FILES, *(f"pytest_audioparity-1.2.0.dist-info/{name}" for name in INFO)]
        self.sources, self.version, self.changelog = list(SOURCES), "1.2.0", "# Changelog\n\n## 1.2.0 (2026-01-31)\n"
        self.tag = None

    def check(self):
        """Build it, and return what is wrong."""
        self.folder.mkdir()
        for name in FILES:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'__version__ = "{self.version}"\n')
        (self.root / "CHANGELOG.md").write_text(self.changelog)
        with zipfile.ZipFile(self.folder / "pytest_audioparity-1.2.0-py3-none-any.whl", "w") as wheel:
            for name in self.wheel:
                wheel.writestr(name, "")
        with tarfile.open(self.folder / "pytest_audioparity-1.2.0.tar.gz", "w:gz") as archive:
            for name in self.sources:
                archive.addfile(tarfile.TarInfo(f"pytest_audioparity-1.2.0/{name}"), io.BytesIO())
        return list(problems(self.folder, self.root, self.tag))


@pytest.fixture
def release(tmp_path):
    return Release(tmp_path)


def test_a_good_release_passes_with_its_tag_and_without(release):
    release.tag = "v1.2.0"
    assert release.check() == []


def test_what_is_not_released_yet_passes_without_a_tag(release):
    release.changelog = "## 1.2.0 (unreleased)\n"
    assert release.check() == []


@pytest.mark.parametrize("name", ["py.typed", "page/page.css"])
def test_a_file_that_the_wheel_lacks_is_named(release, name):
    release.wheel.remove(f"pytest_audioparity/{name}")
    assert f"the wheel lacks pytest_audioparity/{name}" in release.check()


def test_a_wheel_without_its_plugin_is_noticed(release):
    release.wheel.remove("pytest_audioparity-1.2.0.dist-info/entry_points.txt")
    assert release.check() == ["the wheel lacks pytest_audioparity-1.2.0.dist-info/entry_points.txt"]


@pytest.mark.parametrize("name", ["tests/test_a.py", "golden/a.safetensors", "pytest_audioparity/old.py"])
def test_what_is_no_part_of_the_package_is_named(release, name):
    release.wheel.append(name)
    assert release.check() == [f"the wheel holds what is no part of the package: {name}"]


def test_a_source_distribution_without_its_licence_or_with_an_environment_is_noticed(release):
    release.sources.remove("LICENSE")
    release.sources.append(".venv/bin/python")
    assert release.check() == [
        "the source distribution lacks LICENSE",
        "the source distribution holds what it is not built from: .venv",
    ]


def test_files_of_another_version_are_noticed(release):
    release.version = "1.3.0"
    found = release.check()
    assert "one wheel of version 1.3.0 is expected, not: pytest_audioparity-1.2.0-py3-none-any.whl" in found
    assert "CHANGELOG.md begins with 1.2.0, the package is 1.3.0" in found


@pytest.mark.parametrize(
    ("changelog", "tag", "told"),
    [
        ("# Changelog\n", None, "CHANGELOG.md has no section '## VERSION (YYYY-MM-DD)'"),
        ("## 1.2.0 (2026-01-31)\n", "v1.2.1", "the tag v1.2.1 is not v1.2.0"),
        ("## 1.2.0 (unreleased)\n", "v1.2.0", "CHANGELOG.md calls 1.2.0 unreleased: give it its date"),
    ],
)
def test_a_changelog_or_a_tag_that_does_not_fit_is_told(release, changelog, tag, told):
    release.changelog, release.tag = changelog, tag
    (found,) = release.check()
    assert found.startswith(told)
