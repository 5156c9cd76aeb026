"""Traps that other golden tools fell into, one test each: what the trap is, where it was seen, and that it is avoided.

Those of comparisons are in `test_traps_judging`. Left out, for want of what could fall into them: a perceptual metric
that could not run and counts as passed (Polygraphy) or as 0.0 (versa), and pystoi's 1e-5 for "too few frames".
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from pytest_audioparity.cli import main
from tests.plugin.sources import ONE

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TWO = "def test_model(stages): stages['a'] = np.full(100, {value}); stages['b'] = np.full(100, {value})\n"


class TestUpdates:
    def test_goldens_of_tests_that_fail_before_they_compare_or_do_not_run(self, project):
        """syrupy: an update deletes or rewrites what tests that fail early, are left out or never run had stored."""
        names = ["early", "setup", "left_out", "skipped", "never"]
        healthy = "".join(f"def test_{name}(stages): stages['x'] = 1.0\n" for name in names)
        project.write(healthy + "def test_runs(stages): stages['x'] = 1.0")
        project.run("--update-golden")
        before = project.state()
        project.write("""
        def test_early(stages):
            raise RuntimeError("no model")
        @pytest.fixture
        def broken(): raise RuntimeError("no model")
        def test_setup(broken, stages): stages["x"] = 2.0
        def test_left_out(stages): stages["x"] = 2.0
        @pytest.mark.skip
        def test_skipped(stages): stages["x"] = 2.0
        def test_runs(stages): stages["x"] = 2.0
        """)
        project.run("--update-golden", "--deselect", "test_model.py::test_left_out")
        after = project.state()
        changed = [name for name in before if after.get(name) != before[name]]
        assert changed == ["golden/test_model/test_runs.safetensors"]

    def test_only_what_is_missing_can_be_added(self, project):
        """pytest-mpl#238: nobody could write new goldens without rewriting the others."""
        project.write(ONE.format(value=1.0))
        project.run("--update-golden")
        before = project.state()
        project.write(ONE.format(value=2.0) + "def test_new(stages): stages['x'] = 1.0")
        assert project.run("--update-golden-missing").parseoutcomes() == {"failed": 1, "updated": 1}
        after = project.state()
        assert {name: after[name] for name in before} == before
        assert after.keys() - before.keys() == {"golden/test_model/test_new.safetensors"}

    @pytest.mark.parametrize("flag", ["--update-golden", "--update-golden-missing", "--golden-plan"])
    def test_a_path_behind_the_flag(self, project, flag):
        """`--update tests/` where the option takes an optional value: the path is swallowed, and everything runs."""
        for folder in ("a", "b"):
            project.write(ONE.format(value=1.0), f"tests/{folder}/test_{folder}.py")
        assert sum(project.run(flag, "tests/a").parseoutcomes().values()) == 1
        assert not list((project.path / "golden").glob("tests/b/**/*.safetensors"))

    def test_a_write_that_breaks_off(self, project, monkeypatch):
        """Elsewhere a write that was not atomic cut 6000 lines off a snapshot, and the test still passed."""
        project.write(ONE.format(value=1.0))
        project.run("--update-golden")
        before = project.golden().read_bytes()
        project.write(ONE.format(value=2.0))

        def breaks_off(_):
            raise OSError("broken off")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", breaks_off)
            assert project.run("--update-golden").ret == pytest.ExitCode.TESTS_FAILED
        assert project.golden().read_bytes() == before
        assert len(list(project.golden().parent.iterdir())) == 1

    @pytest.mark.parametrize("left", [0, 8, 100, -800, -1])
    def test_a_file_that_was_cut_off(self, project, left):
        """Elsewhere what was left of a snapshot was compared, and passed."""
        project.write(TWO.format(value=1.0))
        project.run("--update-golden")
        project.golden().write_bytes(project.golden().read_bytes()[:left])
        for source in (TWO.format(value=1.0), "def test_model(stages): stages['a'] = np.ones(100)"):
            project.write(source)
            result = project.run()
            result.assert_outcomes(failed=1)
            result.stdout.fnmatch_lines("golden golden/test_model/test_model.safetensors is truncated*; *")


# Each makes names that some tool, or some file system, takes for one.
CLASHES = {
    "a-b and a_b (pytest-regressions)": ["a-b", "a_b", "a b", "a.b"],
    "a/b and ab (syrupy)": ["a/b", "ab", "a\\b", "a//b"],
    "x.y and x": ["x.y", "x", "x.safetensors", "x.y.z"],
    "cut at 255 characters": ["x" * 300, "x" * 299 + "y", "x" * 255, "x" * 254, "é" * 200, "é" * 199],
    "case": ["mel", "Mel", "MEL", "ß", "SS"],
    "Unicode normal forms": ["\u00e9", "e\u0301", "ﬁ", "fi"],
    "like a hash": ["x", "x-1c2d3e4f", "X"],
    "parts of a path": ["..", ".", "../x", "/x", "x"],
}


class TestNames:
    @pytest.mark.parametrize("clash", CLASHES)
    def test_names_that_collide(self, project, clash):
        """Tools let two tests share a file, so that one overwrites the other's golden, or cut names without a hash."""
        project.ini("disable_test_id_escaping_and_forfeit_all_rights_to_community_support = True")
        names = CLASHES[clash]
        project.write(f"""
        @pytest.mark.parametrize("n", range({len(names)}), ids={names!r})
        def test_model(stages, n): stages["x"] = 10.0 ** n
        """)
        assert project.run("--update-golden").parseoutcomes() == {"updated": len(names)}
        assert len({name.casefold() for name in project.goldens()}) == len(names)
        assert project.run().parseoutcomes() == {"passed": len(names)}

    def test_tests_of_one_name_in_several_places(self, project):
        """pytest-arraydiff: six tests of one name wrote two files."""
        source = """
        def test_y(stages): stages["x"] = {}
        class TestA:
            def test_y(self, stages): stages["x"] = {}
        class TestB:
            def test_y(self, stages): stages["x"] = {}
            class TestA:
                def test_y(self, stages): stages["x"] = {}
        """
        for number, file in enumerate(("test_x.py", "a/test_x.py", "b/test_x.py")):
            project.write(source.format(*(10.0 ** (4 * number + n) for n in range(4))), file)
        flags = "--import-mode=importlib"
        assert project.run("--update-golden", flags).parseoutcomes() == {"updated": 12}
        assert len(project.goldens()) == 12
        assert project.run(flags).parseoutcomes() == {"passed": 12}


# Marks and statements of a test with a value of a type that is no plain one.
ODD = {
    "numpy tolerance": ("@parity(tol_db=np.float64(0.5))", "stages['mel'] = VALUE"),
    "numpy tolerance of a stage": ("@parity(stages={'mel': {'tol_peak_db': np.float32(7)}})", "stages['mel'] = VALUE"),
    "enum as name": ("", "stages[Odd.NAME] = VALUE"),
    "enum as unit": ("", "stages.record('mel', VALUE, kind='log_spectrum', unit=Odd.UNIT)"),
    "numpy rate": ("", "stages.record('mel', VALUE, sample_rate=np.int64(24000), frame_rate=np.float32(50))"),
    "odd parameter": (
        "@pytest.mark.parametrize('odd', [pytest.param(Odd.NAME, marks=parity(golden='test_model/test_model'))])",
        "stages['mel'] = VALUE",
    ),
}


class TestXdist:
    def test_a_worker_that_crashes(self, project):
        """`workeroutput` is absent after a crash, and the summary of what the others did dies of it."""
        project.write("""
        import os
        def test_crash(stages):
            stages["x"] = 1.0
            os._exit(3)
        @pytest.mark.parametrize("n", range(4))
        def test_model(stages, n): stages["x"] = float(n)
        """)
        result = project.run_apart("-n2", "--update-golden")
        assert result.parseoutcomes() == {"failed": 1, "updated": 4}
        assert sum(line.startswith("created golden/") for line in result.outlines) == 4
        assert "golden/test_model/test_crash.safetensors" not in project.goldens()

    @pytest.mark.parametrize("flags", [(), ("-n1",)])
    @pytest.mark.parametrize("odd", ODD)
    def test_values_that_cannot_be_sent(self, project, odd, flags):
        """Workers can send plain types only: enums and numpy's numbers, as tests use them, are an internal error."""
        source = """
        import enum
        class Odd(str, enum.Enum):
            UNIT = "ln"
            NAME = "mel"
        {mark}
        def test_model(stages{argument}):
            {record}
        """
        mark, record = ODD[odd]
        for value, flag, outcome in (
            ("1.0", "--update-golden", "updated"),
            ("9.0", "-v", "failed"),
            ("9.0", "--update-golden", "updated"),
        ):
            record_value = record.replace("VALUE", f"np.full((2, 9), {value})")
            argument = ", odd" if "parametrize" in mark else ""
            project.write(source.format(mark=mark, record=record_value, argument=argument))
            result = (project.run_apart if flags else project.run)(flag, *flags)
            assert result.parseoutcomes() == {outcome: 1}
        assert project.tensors()["mel"][0, 0] == 9.0

    @pytest.mark.parametrize("without", [("xdist",), ("rerunfailures",), ("xdist", "rerunfailures", "cacheprovider")])
    def test_hooks_of_plugins_that_are_not_there(self, project, without):
        """A hook of pytest-xdist that is not marked optional is an error where that is not installed."""
        project.write(ONE.format(value=1.0))
        flags = [flag for name in without for flag in ("-p", f"no:{name}")]
        assert project.run_apart("--update-golden", *flags).parseoutcomes() == {"updated": 1}
        assert project.run_apart(*flags).parseoutcomes() == {"passed": 1}

    @pytest.mark.parametrize("flags", [(), ("-n2",)])
    def test_reruns_in_the_summary(self, project, flags):
        """A summary that knows passed and failed only breaks on the outcome `rerun`."""
        project.write("""
        from pathlib import Path
        def test_model(stages):
            stages["x"] = 1.0
            path = Path("ran")
            again = path.exists()
            path.touch()
            assert again
        def test_bad(stages):
            stages["x"] = 1.0
            assert 0
        """)
        result = project.run_apart("--reruns", "1", "--update-golden", *flags)
        assert result.parseoutcomes() == {"updated": 1, "rerun": 2, "failed": 1}
        result.stdout.fnmatch_lines("created golden/test_model/test_model.safetensors*")
        assert project.goldens() == ["golden/test_model/test_model.safetensors"]


def orphans(project):
    """Return what the record of the last run calls orphans."""
    record = json.loads((project.path / ".audioparity" / "run.json").read_text())
    return [orphan["golden"] for orphan in record["orphans"]]


class TestOrphans:
    @pytest.mark.parametrize("flags", [(), ("-n2",)])
    def test_goldens_of_tests_that_are_skipped_or_expected_to_fail(self, project, flags):
        """Tests that are skipped or xfail do not read their goldens, which are then counted as unused."""
        names = ["skip", "skipif", "xfail", "norun", "late", "setup", "gone"]
        project.write("".join(f"def test_{name}(stages): stages['x'] = 1.0\n" for name in names))
        project.run("--update-golden")
        project.write("""
        @pytest.mark.skip
        def test_skip(stages): stages["x"] = 1.0
        @pytest.mark.skipif(True, reason="no GPU")
        def test_skipif(stages): stages["x"] = 1.0
        @pytest.mark.xfail
        def test_xfail(stages): stages["x"] = 2.0
        @pytest.mark.xfail(run=False)
        def test_norun(stages): stages["x"] = 1.0
        def test_late(stages): pytest.skip("no model")
        @pytest.fixture
        def model(): pytest.skip("no model")
        def test_setup(model, stages): stages["x"] = 1.0
        """)
        project.run_apart(*flags)
        assert orphans(project) == ["test_model/test_gone"]

    def test_what_may_be_deleted(self, project, monkeypatch):
        """pytest-regressions#30: nobody could tell which files may go; here a run of everything can, and only that."""
        monkeypatch.chdir(project.path)
        keep = "def test_keep(stages): stages['x'] = 1.0\n"
        project.write(keep + "def test_gone(stages): stages['x'] = 1.0\n")
        project.run("--update-golden")
        project.write(keep)
        project.run("--update-golden").stdout.fnmatch_lines("orphan golden/test_model/test_gone.safetensors*")
        assert len(project.goldens()) == 2
        assert main(["golden", "prune", "--yes"]) == 0
        assert project.goldens() == ["golden/test_model/test_keep.safetensors"]

    @pytest.mark.parametrize(
        "flags",
        [
            ("-k", "keep"),
            ("test_model.py",),
            ("--deselect", "test_other.py::test_other"),
            ("-x",),
            ("--lf",),
            ("-m", "not x"),
        ],
    )
    def test_no_deletion_after_a_part_of_the_tests(self, project, monkeypatch, flags):
        """syrupy#963: a run of some tests deletes the snapshots of the others."""
        monkeypatch.chdir(project.path)
        project.ini("markers = x")
        keep = "def test_keep(stages): stages['x'] = {}\n"
        project.write(keep.format(1.0) + "def test_gone(stages): stages['x'] = 1.0\n")
        project.write("def test_other(stages): stages['x'] = 1.0\n", "test_other.py")
        project.run("--update-golden")
        project.write(keep.format(2.0))
        project.run(*flags)
        assert orphans(project) == []
        before = project.state()
        main(["golden", "prune", "--yes"])
        assert project.state() == before
        project.run()
        assert orphans(project) == ["test_model/test_gone"]


class TestReview:
    def test_what_a_new_test_obtained_in_ci(self, project, monkeypatch, tmp_path_factory):
        """jest-image-snapshot#405: CI throws away what a test without a golden obtained; here it can be accepted."""
        monkeypatch.setenv("CI", "true")
        project.ini()  # the command line finds the project by it
        project.write(ONE.format(value=3.0))
        project.run().assert_outcomes(failed=1)
        assert project.goldens() == []
        assert load_file(project.pending())["mel"].tolist() == [3.0] * 100
        monkeypatch.delenv("CI")
        artifact = tmp_path_factory.mktemp("download") / "audioparity"
        (project.path / ".audioparity").rename(artifact)
        monkeypatch.chdir(project.path)
        assert main(["golden", "accept", "--yes", "--from", str(artifact)]) == 0
        project.run().assert_outcomes(passed=1)

    def test_without_a_terminal(self, project):
        """insta#815: a review that needs a terminal cannot be scripted; here each stage can, and nothing is asked."""
        project.write(TWO.format(value=1.0))
        project.run("--update-golden")
        project.write(TWO.format(value=2.0))
        project.run()
        command = [sys.executable, "-c", "import sys; from pytest_audioparity.cli import main; sys.exit(main())"]
        done = subprocess.run(
            [*command, "golden", "accept", "test_model/test_model", "--stage", "a"],
            cwd=project.path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert {name: value[0] for name, value in project.tensors().items()} == {"a": 2.0, "b": 1.0}

    def test_a_platform_that_differs(self, project):
        """pytest-mpl#178: where platforms differ, each rewrites the goldens of the other."""
        project.write(ONE.format(value=1.0))
        project.run("--update-golden")
        shared = project.golden().read_bytes()
        project.write(ONE.format(value=2.0))
        assert project.run("--update-golden", "--golden-variant", "cuda").parseoutcomes() == {"updated": 1}
        assert project.golden().read_bytes() == shared
        project.run("--golden-variant", "cuda").assert_outcomes(passed=1)
        project.write(ONE.format(value=1.0))
        project.run().assert_outcomes(passed=1)


class TestSurroundings:
    def test_a_git_lfs_pointer(self, project):
        """OmniParser#34, vllm#57975: a pointer that was not fetched surfaces as `HeaderTooLarge`."""
        project.write(ONE.format(value=1.0))
        project.run("--update-golden")
        project.golden().write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")
        result = project.run()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines("golden golden/*.safetensors is a Git LFS pointer, *; run: git lfs pull")

    def test_an_entry_point_that_imports_the_world(self):
        """jaxtyping#220: 2.7 seconds, elsewhere 15.8, at every start of pytest in an environment with the plugin."""
        code = (
            "import sys, pytest; before = set(sys.modules); import pytest_audioparity.plugin; "
            "print(*sorted(set(sys.modules) - before))"
        )
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        assert loaded == ["pytest_audioparity", "pytest_audioparity.options", "pytest_audioparity.plugin"]

    def test_packages_beside_the_golden_folder(self):
        """Automatic discovery (setuptools) gives up when `golden/` stands beside the package, so that is listed."""
        root = Path(__file__).parents[2]
        build = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
        assert build["packages"] == ["pytest_audioparity"]
        assert (root / "golden").is_dir()
