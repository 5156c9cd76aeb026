"""Finding what waits for a decision while somebody else decides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_audioparity.golden.pending import find_pending


@pytest.fixture
def folder(tmp_path):
    for name in ("b/test_y.safetensors", "a/test_x.safetensors", "a/.test_x.safetensors", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_files_are_found_in_the_order_of_their_names_and_hidden_ones_are_not(folder):
    assert find_pending(folder) == [folder / "a/test_x.safetensors", folder / "b/test_y.safetensors"]
    assert find_pending(folder / "none") == []


def test_a_folder_with_the_name_of_a_file_is_told_too(folder):
    (folder / "a/test_z.safetensors").mkdir()
    assert folder / "a/test_z.safetensors" in find_pending(folder)


def test_a_folder_that_goes_meanwhile_holds_nothing(folder, monkeypatch):
    """As where two people, or two jobs, accept at once: the last file of a folder takes it along."""
    plain = os.scandir

    def slow(path):
        if Path(path) == folder / "b":
            (folder / "b/test_y.safetensors").unlink()
            (folder / "b").rmdir()
        return plain(path)

    monkeypatch.setattr(os, "scandir", slow)
    assert find_pending(folder) == [folder / "a/test_x.safetensors"]


def test_a_folder_that_may_not_be_listed_is_an_error(folder, monkeypatch):
    """What waits there would be passed over in silence."""
    plain = os.scandir

    def closed(path):
        if Path(path) == folder / "b":
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(PermissionError):
        find_pending(folder)
