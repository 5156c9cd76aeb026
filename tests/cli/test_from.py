"""Reviewing a folder from elsewhere: how CI nests it, and what a hostile one cannot do."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from pytest_audioparity.runs import RunRecord, write_run

NAME, TEST = "tests/test_m/test_m", "tests/test_m.py::test_m"


@pytest.fixture
def download(review):
    """Make what a CI job left: pending files and a record, in the folder that an upload makes of ``.audioparity``."""

    def make(place="download", **keywords):
        folder = review.root.parent / place
        keywords = keywords or {"s_mel": 2}
        review.obtain(folder=folder / "pending", **keywords)
        write_run(folder / "run.json", RunRecord(id="run1", started="2026-11-21T16:00:00+00:00"))
        return folder

    return make


def outside(review):
    """Every file that is not in the project."""
    return sorted(str(path) for path in review.root.parent.rglob("*") if review.root not in path.parents)


@pytest.mark.parametrize("way", ["folder", "nested", "named", "pending", "around"])
def test_the_folder_may_be_nested_as_uploads_nest_it(review, download, way):
    folder = download("dl/parity/.audioparity" if way in ("nested", "around") else "dl")
    source = {"around": review.root.parent, "nested": review.root.parent / "dl"}.get(way, folder)
    if way == "around":
        shutil.move(review.root.parent / "dl", review.root / "dl")
        source = review.root / "dl"
    if way == "pending":
        source = folder / "pending"
        assert review.json("golden", "pending", "--from", source)[1]["pending"][0]["name"] == NAME
    arguments = [source] if way == "named" else ["--from", source]
    status, out, _ = review.run("golden", "accept", *arguments)
    assert status == 0, out
    assert review.values() == {"mel": 2}
    assert review.run("golden", "pending", "--from", folder if way != "around" else source)[1] == "nothing is pending\n"


def test_the_commands_that_are_shown_name_the_folder(review, download):
    folder = download("with space")
    out = review.run("golden", "show", "--from", folder)[1]
    assert f"accept: audioparity golden accept {NAME} --from '{folder}'" in out


def test_a_name_and_a_folder_go_together(review, download):
    folder = download()
    assert review.run("golden", "accept", NAME, folder)[0] == 0


def test_a_folder_without_anything_and_one_with_several_runs_are_wrong_use(review, download):
    (review.root / "empty").mkdir()
    assert "holds nothing that a run left" in review.wrong("golden", "accept", "--from", "empty")
    assert "there is no folder" in review.wrong("golden", "accept", "--from", "nowhere")
    download("all/linux")
    download("all/mac")
    line = review.wrong("golden", "accept", "--from", review.root.parent / "all")
    assert "holds 2 runs" in line
    assert "audioparity run merge" in line


@pytest.mark.parametrize(
    "golden",
    [
        "../evil",
        "../../evil",
        "tests/../../evil",
        "/tmp/evil",
        "C:/evil",
        "con",
        "aux/x",
        "a\\b",
        "a/./b",
        "~/x\x1b[31m",
        "x\ud800",
        "",
        "g@../../x",
        "g@UP",
    ],
)
def test_no_name_leaves_the_golden_directory(review, download, golden):
    folder = download(s_mel=2, golden=golden)
    before = outside(review)
    status, out, err = review.run("golden", "accept", "--from", folder)
    assert status == 1
    assert "accepted golden" not in out
    assert "Traceback" not in err
    assert not (review.root / "golden").exists()
    assert outside(review) == before
    assert review.run("golden", "show", "--from", folder)[0] == 0


@pytest.mark.parametrize(
    "said",
    ["/etc/golden", "../golden", "golden/../..", "C:\\golden", "\\\\host\\golden", ".git", "x/.github", "link", "\x00"],
)
def test_a_golden_directory_that_is_none_of_this_project_has_to_be_chosen(review, download, said):
    (review.root / "link").symlink_to(review.root.parent / "elsewhere")
    folder = download(s_mel=2, golden_dir=said)
    status, _, err = review.run("golden", "accept", "--from", folder)
    assert status == 1
    assert "--golden-dir DIR" in err
    assert not (review.root.parent / "elsewhere").exists()
    assert review.run("golden", "accept", "--from", folder, "--golden-dir", "golden")[0] == 0
    assert review.values() == {"mel": 2}


def test_no_escape_sequence_of_a_file_reaches_the_terminal(review, download):
    evil = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"
    folder = download(
        s_mel=2,
        test=f"tests/{evil}.py::t",
        golden_dir=evil,
        refused=f"no {evil}\n",
        report=f"{evil}\nsecond line",
        texts={"mel": evil},
        run=evil,
        obtained=evil,
        provenance={"x": evil},
        result={"first_divergence": evil, "stages": []},
    )
    for action in ("pending", "show", "accept"):
        for more in ([], ["--json"]):
            _, out, err = review.run("golden", action, "--from", folder, *more)
            assert "second line" in out or action != "show"
            for character in "\x1b\x07\u202e\x9b":
                assert character not in out + err, (action, more)
    told = json.loads(review.run("golden", "show", "--from", folder, "--json")[1])
    assert told["pending"][0]["report"] == f"{evil}\nsecond line", "JSON says what it says, in its own escapes"


def test_files_of_other_kinds_are_a_line_each(review, download):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(review.root / "unpickled"),))

    folder = download()
    pending = folder / "pending"
    (pending / "a.safetensors").write_bytes(pickle.dumps(Bomb()))
    (pending / "b.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    os.mkfifo(pending / "c.safetensors")
    (pending / "d.safetensors").mkdir()
    (pending / "e.safetensors").symlink_to("/dev/zero")
    (pending / "f.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    status, out, err = review.run("golden", "accept", "--from", folder)
    assert status == 1
    assert "accepted golden/tests/test_m/test_m.safetensors" in out
    assert err.count("\n") == 6
    assert not (review.root / "unpickled").exists()


@pytest.mark.parametrize(
    "said",
    [
        b'{"schema": 1}',
        b"[]",
        b"5",
        b"{" * 5000,
        b'{"schema": 99}',
        b'{"schema": 1, "x": NaN}',
    ],
)
def test_what_is_said_of_the_stages_may_be_anything(review, download, said):
    from safetensors.numpy import load_file, save_file

    folder = download()
    path = next((folder / "pending").rglob("*.safetensors"))
    save_file(load_file(path), path, metadata={"audioparity_pending": said.decode()})
    status, _, err = review.run("golden", "accept", "--from", folder)
    assert status == 1
    assert err.count("\n") == 1


@pytest.mark.parametrize("value", ["1e999", "[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300])
def test_what_json_can_say_and_python_cannot_write_is_a_line(review, download, value):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    folder = download()
    path = next((folder / "pending").rglob("*.safetensors"))
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    metadata["audioparity_pending"] = metadata["audioparity_pending"].replace("1.46", value, 1)
    save_file(load_file(path), path, metadata=metadata)
    for arguments in (["show"], ["pending"], ["accept", "--stage", "mel"], ["reject"], ["accept", "--json"]):
        status, _, err = review.run("golden", *arguments, "--from", folder)
        assert (status, err.count("\n")) == (1, int("--json" not in arguments))
    assert review.run("run", "merge", folder)[0] == 1
    text = (folder / "run.json").read_text()
    assert '"tests": []' in text
    (folder / "run.json").write_text(text.replace('"tests": []', f'"tests": [{{"test": "a", "x": {value}}}]'))
    assert "run.json is no record of a run" in review.wrong("run", "merge", folder)


@pytest.mark.parametrize(
    "field", ["test", "golden", "base", "golden_dir", "run", "obtained", "report", "order", "changes"]
)
@pytest.mark.parametrize("value", [None, 5, ["x", 1], {"a": 1}])
def test_a_field_of_another_type_is_a_line_and_no_traceback(review, download, field, value):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    folder = download()
    path = next((folder / "pending").rglob("*.safetensors"))
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    said = json.loads(metadata["audioparity_pending"])
    metadata["audioparity_pending"] = json.dumps({**said, field: value})
    save_file(load_file(path), path, metadata=metadata)
    for action in ("pending", "show", "accept", "reject"):
        status, _, err = review.run("golden", action, "--from", folder)
        assert status == 1
        assert err.count("\n") <= 1
    assert not (review.root / "golden").exists()


def test_a_folder_with_the_name_of_goldens_is_meant_as_these(review, download, monkeypatch):
    review.obtain(s_mel=1)
    shutil.move(download(), review.root / "tests")
    status, _, err = review.run("golden", "accept", "tests")
    assert (status, err, review.values()) == (0, "", {"mel": 1})
    assert review.run("golden", "accept", "--from", "tests")[0] == 1, "its base was another golden"
    shutil.move(review.root / "tests", review.root / "got")
    assert review.run("golden", "reject", "got")[::2] == (0, "reviewing the folder got (--from got)\n")


@pytest.mark.parametrize("name", ["x" * 300, "tests/test_m.py::test_m[" + "long " * 1000 + "]", "a\0b"])
def test_a_name_that_no_file_can_have_is_a_name(review, download, name):
    assert "matches nothing" in review.wrong("golden", "accept", name)
