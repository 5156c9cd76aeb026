"""Tolerances as ini options: for the whole project and per stage."""

from __future__ import annotations

import pytest

SOURCE = (
    "{mark}def test_model(stages): stages['mel'] = np.full(100, {value}{dtype}); stages['x'] = np.arange(9) {codes}"
)
# 0.5 dB louder, and one code of nine wrong.
LOUDER = 10 ** (0.5 / 20)


def prepare(project, *, mark="", value="1.0", dtype="", codes=""):
    """Write a healthy golden, then a test file with the given fault."""
    project.ini()
    project.write(SOURCE.format(mark="", value="1.0", dtype="", codes=""))
    assert project.run("--update-golden").ret == 0
    project.write(SOURCE.format(mark=mark, value=value, dtype=dtype, codes=codes))
    return project


@pytest.mark.parametrize(("line", "fault"), [
    ("audioparity_tol_db = 1", {"value": LOUDER}),
    ("audioparity_precision = int8", {"value": LOUDER}),
    ("audioparity_dtype = any", {"dtype": ", np.float32"}),
    ("audioparity_min_match = 0.8", {"codes": "* (np.arange(9) != 8)"}),
    ("audioparity_stages =\n  m*: tol_db=1", {"value": LOUDER}),
    ("audioparity_stages =\n  m*: tol_db=1, tol_peak_db=1", {"value": LOUDER}),
    ("audioparity_stages =\n  z*: tol_db=0\n  mel : tol_db = 1", {"value": LOUDER}),
    ("audioparity_stages =\n  m*: precision=int8", {"value": LOUDER}),
    ("audioparity_stages =\n  m*: tol_db=none, atol=0.1\n  m*: tol_peak_db=None", {"value": LOUDER}),
    ("audioparity_stages =\n  m*: dtype=any", {"dtype": ", np.float32"}),
    ("audioparity_stages =\n  x: min_match=0.8", {"codes": "* (np.arange(9) != 8)"}),
])  # fmt: skip
def test_an_option_loosens_the_default(project, line, fault):
    """A fault that fails by default passes with the option, and without it again fails."""
    prepare(project, **fault)
    project.run().assert_outcomes(failed=1)
    project.ini(line)
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("line", [
    "audioparity_tol_db = 0.4", "audioparity_tol_peak_db = 0.4", "audioparity_min_snr_db = 40",
    "audioparity_atol = 1e-3", "audioparity_rtol = 1e-3", "audioparity_stages =\n  m*: min_snr_db=40",
    "audioparity_stages =\n  m*: tol_db=0.4", "audioparity_stages =\n  *: atol=0.01",
])  # fmt: skip
def test_an_option_tightens_a_loose_default(project, line):
    """A 0.5 dB error that 9 dB allow is caught by each criterion that the option adds; 0 dB of error still pass."""
    prepare(project, value=LOUDER)
    loose = [] if line.startswith("audioparity_tol_db") else ["audioparity_tol_db = 9"]
    if loose:
        project.ini(*loose)
        project.run().assert_outcomes(passed=1)
    project.ini(*loose, line)
    project.run().assert_outcomes(failed=1)
    project.write(SOURCE.format(mark="", value="1.0", dtype="", codes=""))
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(("lines", "mark", "passes"), [
    (["audioparity_tol_db = 0.1"], "@parity(tol_db=1)\n", True),
    (["audioparity_tol_db = 1"], "@parity(tol_db=0.1)\n", False),
    (["audioparity_tol_db = 1"], "@parity(precision='fp32')\n", False),
    (["audioparity_stages =\n  m*: tol_db=1"], "@parity(tol_db=0.1)\n", False),
    (["audioparity_tol_db = 1"], "@parity\n", True),
])  # fmt: skip
def test_marks_win_over_ini_options(project, lines, mark, passes):
    """A mark that sets the keyword, or the precision it follows from, overrides the project's default."""
    prepare(project, mark=mark, value=LOUDER)
    project.ini(*lines)
    project.run().assert_outcomes(passed=int(passes), failed=int(not passes))


def test_the_command_line_overrides_the_file(project):
    """-o sets an option for one run."""
    prepare(project, value=LOUDER)
    project.run("-o", "audioparity_tol_db=1").assert_outcomes(passed=1)
    project.run().assert_outcomes(failed=1)


def test_a_colon_in_a_stage_name(project):
    """The glob of a line may contain a colon, the tolerance behind the last one does not."""
    project.ini("audioparity_stages =\n  a:mel: tol_db=1")
    source = "def test_model(stages): stages['a:mel'] = np.full(9, {value})"
    project.write(source.format(value=1.0))
    assert project.run("--update-golden").ret == 0
    project.write(source.format(value=LOUDER))
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(("line", "message"), [
    ("audioparity_tol_db = loud", "ini option audioparity_tol_db='loud' is not a number of dB"),
    ("audioparity_tol_db = -1", "ini option audioparity_tol_db=-1.0 is not"),
    ("audioparity_tol_db = nan", "ini option audioparity_tol_db=nan is not"),
    ("audioparity_min_match = 2", "ini option audioparity_min_match=2.0 is not a share"),
    ("audioparity_precision = fp23", "ini option audioparity_precision='fp23' is not one of fp32, fp16, bf16, int8"),
    ("audioparity_dtype = float32", "ini option audioparity_dtype='float32' is not"),
    ("audioparity_stages =\n  mel", "ini option audioparity_stages, line 'mel': write it as 'glob: keyword=value"),
    ("audioparity_stages =\n  mel:", "ini option audioparity_stages, line 'mel:': write it as"),
    ("audioparity_stages =\n  : tol_db=1", "line ': tol_db=1': write it as"),
    ("audioparity_stages =\n  mel: tol_bd=1", "line 'mel: tol_bd=1': unknown keyword 'tol_bd', did you mean 'tol_db'?"),
    ("audioparity_stages =\n  mel: tol_db", "line 'mel: tol_db': tol_db='' is not a number"),
    ("audioparity_stages =\n  mel: tol_db=x", "line 'mel: tol_db=x': tol_db='x' is not a number"),
])  # fmt: skip
@pytest.mark.parametrize("flags", [(), ("--update-golden",), ("--collect-only",)])
def test_a_wrong_value_is_a_usage_error(project, line, message, flags):
    """A wrong ini value stops every run with one line, before any test."""
    project.ini(line)
    project.write("def test_model(stages): stages['mel'] = 1.0")
    result = project.run(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [text for text in result.errlines if text]
    assert len(errors) == 1
    assert errors[0].startswith("ERROR: ini option audioparity_")
    assert message in errors[0]
    assert project.goldens() == []


def test_the_options_are_in_the_help(project):
    """The help lists every flag and every ini option."""
    text = project.run("--help").stdout.str()
    for flag in ("--update-golden", "--update-golden-in-ci", "--golden-reason", "--golden-dir", "--force-golden"):
        assert flag in text
    scores = ("min_stoi", "min_estoi", "min_pesq_wb", "min_pesq_nb", "words")
    numbers = ("tol_db", "tol_peak_db", "min_snr_db", "atol", "rtol", "min_match")
    for keyword in (*numbers, *scores, "precision", "dtype", "stages"):
        assert f"audioparity_{keyword}" in text
