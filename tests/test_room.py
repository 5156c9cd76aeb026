"""Folders that keep no more than they may."""

from __future__ import annotations

import os

import pytest

from pytest_audioparity.room import Room, make_room


def fill(folder, sizes):
    """Write files of so many bytes, each touched a second after the one before, every other one in a folder below."""
    for place, (name, size) in enumerate(sizes.items()):
        path = folder / ("below" if place % 2 else "") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        os.utime(path, (1000 + place, 1000 + place))


def names(folder):
    """Return the names of all files of a folder."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_the_oldest_go_until_the_rest_fits(tmp_path):
    """What was touched last stays, wherever it lies, and no more is deleted than has to be."""
    fill(tmp_path, {"a": 40, "b": 40, "c": 40, "d": 40})
    make_room(tmp_path, 100, "")
    assert names(tmp_path) == {"c", "d"}
    make_room(tmp_path, 80, "")
    assert names(tmp_path) == {"c", "d"}


def test_the_newest_stays_whatever_it_takes(tmp_path):
    """A limit never deletes what was just written."""
    fill(tmp_path, {"a": 1, "b": 500})
    make_room(tmp_path, 100, "")
    assert names(tmp_path) == {"b"}


def test_a_link_is_deleted_and_not_what_it_points_to(tmp_path):
    """Nothing outside the folder is touched, and no folder that a link leads to is looked through."""
    outside = tmp_path / "outside"
    fill(outside, {"kept": 50})
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").symlink_to(outside / "kept")
    (folder / "all").symlink_to(outside, target_is_directory=True)
    (folder / "new").write_bytes(bytes(50))
    make_room(folder, 0, "")
    assert names(outside) == {"kept"}
    assert "new" in names(folder)


def test_only_files_of_our_own_go(tmp_path):
    """What has another suffix is somebody's, and stays; what a kill left of ours is not."""
    fill(tmp_path, {"notes.txt": 40, ".x-0123abcd.tmp": 40, "a.score": 40, "b.tmp": 40, "c.score": 40})
    make_room(tmp_path, 50, ".score")
    assert names(tmp_path) == {"notes.txt", "b.tmp", "c.score"}


def test_what_is_being_written_is_not_taken_from_its_writer(tmp_path):
    """Another worker's file, which has its name in a moment, counts and stays, however little room there is."""
    fill(tmp_path, {"a": 40})
    (tmp_path / ".x-0123abcd.tmp").write_bytes(bytes(40))
    (tmp_path / "c").write_bytes(bytes(40))
    os.utime(tmp_path / "c", (2**32, 2**32))
    make_room(tmp_path, 10, "")
    assert names(tmp_path) == {".x-0123abcd.tmp", "c"}


def test_a_folder_that_is_a_link_is_left_alone(tmp_path):
    """It leads to what may be somebody else's, whatever their names are."""
    fill(tmp_path / "outside", {"a": 50, "b": 50})
    (tmp_path / "folder").symlink_to(tmp_path / "outside", target_is_directory=True)
    make_room(tmp_path / "folder", 0, "")
    assert names(tmp_path / "outside") == {"a", "b"}


def test_a_folder_that_is_not_there_needs_no_room(tmp_path):
    """Nothing happens, and nothing is made."""
    make_room(tmp_path / "none", 0, "")
    assert list(tmp_path.iterdir()) == []


def test_room_never_holds_more_than_its_size(tmp_path):
    """However many files of whatever size come, their sum stays within the limit, and most of it is used."""
    room, sizes = Room(tmp_path, 1600, ""), []
    for place in range(200):
        size = 10 + 7 * place % 60
        path = tmp_path / f"{place}"
        path.write_bytes(bytes(size))
        os.utime(path, (1000 + place, 1000 + place))
        room.take(size)
        sizes.append(sum(file.stat().st_size for file in tmp_path.iterdir()))
    assert max(sizes) <= 1600
    assert min(sizes[-100:]) > 1300
    assert {str(place) for place in range(190, 200)} <= names(tmp_path)


@pytest.mark.parametrize("writers", [4, 1])
def test_several_processes_keep_to_the_size_together(tmp_path, writers):
    """Four that know of each other stay within it; four that each take themselves for the only one do not."""
    rooms = [Room(tmp_path, 1600, "", writers) for _ in range(4)]
    largest = 0
    for place in range(600):
        path = tmp_path / f"{place}"
        path.write_bytes(bytes(9))
        os.utime(path, (1000 + place, 1000 + place))
        rooms[place % 4].take(9)
        largest = max(largest, 9 * len(names(tmp_path)))
    assert (largest <= 1600) == (writers == 4)
