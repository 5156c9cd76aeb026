"""Names of goldens: readable, injective on every file system, inside the golden directory."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.names import golden_name, golden_path

HERE = Path("golden")
FOLLOWED_BY_HASH = r"-[0-9a-f]{8}"


def location(nodeid):
    return golden_path(HERE, golden_name(nodeid))


def on_any_file_system(nodeid):
    """All spellings under which file systems may know a golden."""
    folded = str(location(nodeid)).casefold()
    return {unicodedata.normalize(form, folded) for form in ("NFC", "NFD", "NFKC", "NFKD")}


class TestReadable:
    @pytest.mark.parametrize(
        ("nodeid", "name"),
        [
            ("tests/test_decoder.py::test_decoder", "tests/test_decoder/test_decoder"),
            ("test_x.py::test_y", "test_x/test_y"),
            ("tests/tts/v1.2/test_x.py::test_y", "tests/tts/v1.2/test_x/test_y"),
            ("tests/test_x.py::test_y[hello]", "tests/test_x/test_y-hello"),
            ("tests/test_x.py::test_y[mlx-fp16-0.5]", "tests/test_x/test_y-mlx-fp16-0.5"),
            ("tests/test_x.py::test_y[-1]", "tests/test_x/test_y--1"),
            ("tests/test_x.py::test_y[]", "tests/test_x/test_y-"),
            ("tests/test_x.py::lower::test_y", "tests/test_x/lower.test_y"),
        ],
    )
    def test_usual_names_are_kept_as_they_are(self, nodeid, name):
        assert golden_name(nodeid) == name

    @pytest.mark.parametrize(
        ("nodeid", "slug"),
        [
            ("tests/test_x.py::TestY::test_z", "tests/test_x/TestY.test_z"),
            ("tests/test_x.py::test_y[FP16]", "tests/test_x/test_y-FP16"),
            ("tests/test_x.py::test_y[a/b]", "tests/test_x/test_y-a_b"),
            ("tests/test_x.py::test_y[a b]", "tests/test_x/test_y-a_b"),
            ("tests/test_x.py::test_y[a][b]", "tests/test_x/test_y-a__b"),
            ("tests/test_x.py::test_y[../../x]", "tests/test_x/test_y-.._.._x"),
            ("tests/test_x.py::test_y[C:\\x]", "tests/test_x/test_y-C__x"),
            ("tests/test_x.py::test_y[音]", "tests/test_x/test_y-_"),
            ("tests/test_x.py::test_y[a\n\x00]", "tests/test_x/test_y-a__"),
            ("tests/test_x.py::test_y[x.]", "tests/test_x/test_y-x"),
            ("tests/test_x.py::test_y[clip.safetensors]", "tests/test_x/test_y-clip.safetensors"),
            ("tests/test_x.py::test_y[1c2d3e4f]", "tests/test_x/test_y-1c2d3e4f"),
            ("tests/test_x.py::con", "tests/test_x/_con"),
            ("tests/test_x.py::con::test_y", "tests/test_x/_con.test_y"),
            ("tests/test_x.py", "tests/test_x/_"),
        ],
    )
    def test_what_is_not_reversible_gets_a_hash(self, nodeid, slug):
        assert re.fullmatch(re.escape(slug) + FOLLOWED_BY_HASH, golden_name(nodeid))

    @pytest.mark.parametrize(
        ("nodeid", "name"),
        [
            ("../outside/test_x.py::test_y", "_-HASH/outside/test_x/test_y"),
            ("/etc/test_x.py::test_y", "_-HASH/etc/test_x/test_y"),
            ("./test_x.py::test_y", "_-HASH/test_x/test_y"),
            ("Tests/Test_X.py::test_y", "Tests/Test_X/test_y"),
            ("nul/com1.txt/test_x.py::test_y", "_nul-HASH/_com1.txt-HASH/test_x/test_y"),
            ("tests/test_x.yaml::test_y", "tests/test_x.yaml-HASH/test_y"),
        ],
    )
    def test_folders_are_kept_or_hashed_by_the_same_rule(self, nodeid, name):
        assert re.fullmatch(re.escape(name).replace("HASH", "[0-9a-f]{8}"), golden_name(nodeid))

    def test_a_name_is_the_same_on_every_machine(self):
        assert golden_name("tests/test_x.py::TestY::test_z[a b]") == "tests/test_x/TestY.test_z-a_b-f0fe73b0"


ANYTHING = st.text(st.characters(), max_size=300)
# Small alphabets make the collisions likely that other tools have.
TRICKY = st.text(st.sampled_from("aAbſKé\u0301\u00e9_-.:[]/\\ ~0"), max_size=8)
PARTS = st.sampled_from(
    [
        "tests",
        "Tests",
        "..",
        ".",
        "",
        "con",
        "nul.txt",
        "aux",
        "test_x.py",
        "test_x",
        "a b",
        "a_b",
        "a-b",
        "é",
        "e\u0301",
    ]
)
FILES = st.one_of(st.lists(PARTS, max_size=3).map("/".join), TRICKY)
TESTS = st.builds(
    lambda base, parameters: base + "".join(f"[{p}]" for p in parameters),
    st.one_of(st.sampled_from(["test_x", "Test::test_x", "test.x", "test-x", "lpt1"]), TRICKY),
    st.lists(st.one_of(st.sampled_from(["a/b", "../../x", "a-b", "a_b", "a", "b"]), TRICKY), max_size=2),
)
NODEIDS = st.one_of(st.builds("{}::{}".format, FILES, TESTS), FILES, ANYTHING)


class TestInjective:
    @settings(max_examples=2000, deadline=None)
    @given(NODEIDS, NODEIDS)
    @example("t.py::a[b]", "t.py::a-b")
    @example("t.py::a[x][y]", "t.py::a[x-y]")
    @example("t.py::A::b", "t.py::a::b")
    @example("t.py::a::b", "t.py::a.b")
    @example("t.py::a[x.safetensors]", "t.py::a[x]")
    @example("t.py::t[é]", "t.py::t[e\u0301]")
    @example("a/t.py::t", "a\\t.py::t")
    @example("t.py::t", "t::t")
    @example("a//t.py::t", "a/t.py::t")
    @example("./t.py::t", "t.py::t")
    @example("t.py::", "t.py")
    @example("t.py::t[" + "x" * 300 + "1]", "t.py::t[" + "x" * 300 + "2]")
    def test_different_tests_have_different_goldens_on_every_file_system(self, one, other):
        # Test files whose paths differ by case alone are the one exception: see the next test.
        files = [nodeid.partition("::")[0] for nodeid in (one, other)]
        assume(files[0] == files[1] or files[0].casefold() != files[1].casefold())
        assert (one == other) or on_any_file_system(one).isdisjoint(on_any_file_system(other))

    def test_test_files_that_differ_by_case_alone_meet_and_are_left_to_the_check_of_owners(self):
        assert golden_name("A/t.py::t").casefold() == golden_name("a/t.py::t").casefold()

    @pytest.mark.parametrize("nodeid", ["t.py::t[X]", "t.py::A::t", "T/t.py::t", "t.py::t[a b]"])
    def test_no_other_test_can_spell_a_hashed_name(self, nodeid):
        module, _, test = golden_name(nodeid).partition("/")
        function, _, parameters = test.partition("-")
        for copy in (f"{module}.py::{test}", f"{module}.py::{function}[{parameters}]"):
            for spelling in (copy, copy.lower()):
                assert on_any_file_system(nodeid).isdisjoint(on_any_file_system(spelling))

    @settings(max_examples=500, deadline=None)
    @given(NODEIDS)
    def test_every_golden_lies_inside_under_a_safe_name(self, nodeid):
        path = location(nodeid)
        parts = path.relative_to(HERE).parts
        assert Path("/r/golden") in Path(f"/r/{path}").resolve().parents
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", part) for part in parts)
        assert all(len(part) <= 255 and part.strip(".") == part for part in parts)
        assert not any(re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", part, re.IGNORECASE) for part in parts)

    @pytest.mark.parametrize("length", [100, 159, 160, 161, 300, 5000])
    def test_long_names_stay_within_what_file_systems_take(self, length, tmp_path):
        path = golden_path(tmp_path, golden_name(f"tests/test_x.py::test_{'y' * length}[{'z' * length}]"))
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        assert path.is_file()


def outcome(name):
    """Return the path of a given name, or the error that refuses it. Any other error goes on."""
    try:
        return golden_path(Path("/r/golden"), name)
    except GoldenError as error:
        return error


class TestGivenNames:
    @pytest.mark.parametrize(
        "name", ["x", "a/b", "tests/test_x/test_y", "with space/名", "v1.2", ".hidden", "..a", "console"]
    )
    def test_a_usable_name_is_taken_with_or_without_the_suffix(self, name):
        assert golden_path(HERE, name) == golden_path(HERE, f"{name}.safetensors") == HERE / f"{name}.safetensors"

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".safetensors",
            "a/.safetensors",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            ".",
            "..",
            "../x",
            "a/../../x",
            "a/./b",
            "a\\b",
            "..\\x",
            "C:x",
            "C:/x",
            "a*",
            "a?",
            'a"',
            "a<b",
            "a|b",
            "a\0",
            "a\n",
            "a\x7f",
            "a\u200b",
            "a\udc80",
            "a.",
            "a ",
            "a. /b",
            "...",
            "con",
            "CON",
            "nul.txt",
            "aux .x",
            "a/com1",
            "lpt¹",
            "CONIN$",
            "x" * 241,
            "é" * 121,
        ],
    )
    def test_an_unusable_name_is_refused_in_one_line(self, name):
        with pytest.raises(GoldenError, match="give a path below the golden directory") as caught:
            golden_path(HERE, name)
        assert caught.value.cause == "name"
        assert "\n" not in str(caught.value)

    @settings(max_examples=1000, deadline=None)
    @given(st.one_of(ANYTHING, TRICKY, st.lists(PARTS, max_size=4).map("/".join)))
    def test_whatever_is_accepted_resolves_inside(self, name):
        result = outcome(name)
        if isinstance(result, GoldenError):
            assert result.cause == "name"
        else:
            assert Path("/r/golden") in result.resolve().parents
            assert result.name.endswith(".safetensors")
            assert len(result.name.encode()) <= 255
