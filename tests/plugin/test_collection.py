"""What is refused when tests are collected, before any of them runs."""

from __future__ import annotations

import pytest

WRONG = [
    ("tol_bd=0.1", "unknown keyword 'tol_bd', did you mean 'tol_db'?"),
    ("Tol_DB=0.1", "unknown keyword 'Tol_DB'"),
    ("tolerance=0.1", "unknown keyword 'tolerance'"),
    ("tol_db='0.1'", "tol_db='0.1' is not a number of dB"),
    ("tol_db=-1", "tol_db=-1 is not"),
    ("tol_db=float('nan')", "tol_db=nan is not"),
    ("tol_db=float('inf')", "tol_db=inf is not"),
    ("tol_db=True", "tol_db=True is not"),
    ("tol_peak_db='x'", "tol_peak_db='x' is not"),
    ("min_snr_db='40'", "min_snr_db='40' is not"),
    ("atol=-1e-3", "atol=-0.001 is not"),
    ("rtol=[1]", "rtol=[1] is not"),
    ("min_match=1.5", "min_match=1.5 is not a share between 0 and 1"),
    ("min_match=None", "min_match=None is not"),
    ("precision='fp23'", "precision='fp23' is not one of fp32, fp16, bf16, int8"),
    ("dtype='float32'", "dtype='float32' is not 'same' or 'any'"),
    ("port='yes'", "port='yes' is not True or False"),
    ("port=True", "port=True needs golden="),
    ("golden=3", "golden=3 is not a path below the golden directory"),
    ("golden='../up'", "golden='../up' is not a path below the golden directory"),
    ("golden='/etc/x'", "golden='/etc/x' is not"),
    ("golden=''", "golden='' is not"),
    ("only='mel'", "only='mel' is not a list of stage globs"),
    ("only=[1]", "only=[1] is not"),
    ("stages=['mel']", "stages=['mel'] is not a dictionary"),
    ("stages={'mel': 0.1}", "is not a dictionary from stage globs to dictionaries of tolerance keywords"),
    ("stages={'mel': {'tol_bd': 1}}", "stages['mel']: unknown keyword 'tol_bd', did you mean 'tol_db'?"),
    ("stages={'mel': {'tol_db': '1'}}", "stages['mel']: tol_db='1' is not"),
    ("stages={3: {'tol_db': 1}}", "is not a dictionary from stage globs to dictionaries of tolerance keywords"),
    ("0.1", "takes keywords only, such as parity(tol_db=0.1), not 0.1"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_a_wrong_mark_is_a_collection_error(project, arguments, message):
    """A wrong mark stops the run with pytest's code for collection errors and one line that names the test."""
    project.write(f"@parity({arguments})\ndef test_model(stages): stages['mel'] = np.ones(3)")
    result = project.run("--update-golden")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    found = [line for line in result.outlines if line.startswith("test_model.py::test_model: mark parity: ")]
    assert len(found) == 1
    assert message in found[0]
    assert project.goldens() == []


@pytest.mark.parametrize("source", [
    "@parity(tol_bd=1)\nclass TestA:\n    def test_model(self, stages): pass",
    "pytestmark = parity(tol_bd=1)\ndef test_model(stages): pass",
    "@parity(tol_bd=1)\nclass TestA(unittest.TestCase):\n    def test_model(self): pass",
    "@pytest.mark.parametrize('v', [pytest.param(1, marks=parity(tol_bd=1))])\ndef test_model(stages, v): pass",
    "@pytest.mark.skip\n@parity(tol_bd=1)\ndef test_model(stages): pass",
])  # fmt: skip
def test_a_wrong_mark_is_found_wherever_it_stands(project, source):
    """Marks on classes, modules, parameters, TestCases and skipped tests are checked as well."""
    project.write(source)
    result = project.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines("test_model.py::*test_model*: mark parity: unknown keyword 'tol_bd', did you mean*")


def test_a_wrong_mark_on_a_parametrised_test_is_said_once(project):
    """Ten parameters of one test with one wrong mark give one line."""
    project.write("@pytest.mark.parametrize('v', range(10))\n@parity(tol_bd=1)\ndef test_model(stages, v): pass")
    assert project.run().stdout.str().count("mark parity: unknown keyword 'tol_bd'") == 1


def test_two_wrong_marks_are_both_named(project):
    """All wrong marks of a module are listed in one go."""
    project.write("@parity(a=1)\ndef test_a(stages): pass\n@parity(b=1)\ndef test_b(stages): pass")
    project.run().stdout.fnmatch_lines(["test_model.py::test_a: mark parity*", "test_model.py::test_b: mark parity*"])


def test_other_modules_still_run(project):
    """With --continue-on-collection-errors the healthy modules run and the run still fails."""
    project.write("@parity(tol_bd=1)\ndef test_bad(stages): pass", "test_bad.py")
    project.write("def test_model(stages): stages['mel'] = np.ones(3)", "test_good.py")
    result = project.run("--continue-on-collection-errors", "--update-golden")
    assert result.parseoutcomes() == {"updated": 1, "errors": 1}
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.goldens() == ["golden/test_good/test_model.safetensors"]


def test_a_codec_roundtrip_that_sends_nothing_fails(project):
    """The mark codec_roundtrip cannot pass silently."""
    project.write("@codec_roundtrip(min_stoi=0.9)\ndef test_mimi(): pass")
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("the test is marked codec_roundtrip but sends nothing through a codec;*")


def test_a_healthy_module_is_collected(project):
    """Right marks of every keyword are accepted, and --collect-only lists the test and judges nothing."""
    project.write(
        "@parity(tol_db=0.1, tol_peak_db=None, min_snr_db=-3, atol=1e-3, rtol=0, min_match=0.5, precision='fp16',"
        " dtype='any', golden='a/b', port=False, only=['m*'], stages={'m*': {'tol_db': 2}})\n"
        "def test_model(stages): raise RuntimeError"
    )
    result = project.run("--collect-only", "-q", "--update-golden")
    assert result.ret == 0
    result.stdout.fnmatch_lines("test_model.py::test_model")
    assert project.goldens() == []


@pytest.mark.parametrize(("first", "second"), [
    ("@parity(golden='x')", "@parity(golden='x')"),
    ("@parity(golden='x')", "@parity(golden='x.safetensors')"),
    ("@parity(golden='x')", "@parity(golden='X')"),
    ("@parity", "@parity(golden='test_model/test_a')"),
])  # fmt: skip
@pytest.mark.parametrize("flags", [(), ("--collect-only",), ("--update-golden",)])
def test_two_owners_of_one_golden_are_a_usage_error(project, first, second, flags):
    """Two tests that claim one golden, neither a port, stop the run; names that differ by case are one golden too."""
    project.write(f"{first}\ndef test_a(stages): stages['a'] = 1.0\n{second}\ndef test_b(stages): stages['a'] = 1.0")
    result = project.run(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: two tests claim the golden golden/*: *::test_a and *::test_b; *port=True*")
    assert project.goldens() == []


def test_one_owner_may_appear_in_many_ways(project):
    """A test given twice, its parameters, and ports of its golden are no second owner."""
    project.write("""
    @parity(golden="shared/x")
    def test_owner(stages): stages["a"] = 1.0

    @parity(golden="shared/x", port=True)
    def test_port(stages): stages["a"] = 1.0

    @pytest.mark.parametrize("name", ["a-b", "a_b", "a/b", "ab", "A-b", "a b"])
    def test_each(stages, name): stages["a"] = 1.0
    """)
    result = project.run("--update-golden", "--keep-duplicates", "test_model.py::test_owner", "test_model.py")
    assert result.parseoutcomes()["updated"] == 7
    assert len(project.goldens()) == 7
    assert project.run("test_model.py::test_owner", "test_model.py::test_owner").ret == 0


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.fixture\ndef stages(): return {}\ndef test_model(stages): stages['x'] = 1.0",
        "@pytest.mark.parametrize('stages', [{}])\ndef test_model(stages): stages['x'] = 1.0",
    ],
    ids=["fixture", "parameter"],
)
def test_what_a_project_calls_stages_is_its_own(project, source):
    """A fixture or a parameter of this name has nothing to do with us; nothing is written."""
    project.write(source)
    assert project.run("--update-golden").parseoutcomes() == {"passed": 1}
    assert project.goldens() == []
    assert not (project.path / ".audioparity").exists()


def test_a_fixture_that_wraps_ours_is_ours(project):
    """A project may add to the recorder under the same name."""
    project.write(
        """
        @pytest.fixture
        def stages(stages):
            stages["first"] = 1.0
            return stages

        def test_model(stages): stages["x"] = 1.0
        """
    )
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    assert list(project.tensors()) == ["first", "x"]
