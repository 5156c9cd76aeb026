"""Traps of comparisons: what other tools let pass, or measure wrongly, and where that was seen; see `test_traps`."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pytest_audioparity import compare
from pytest_audioparity.golden.file import Golden


def model(project, statements, marks=""):
    """Write a test that runs these statements."""
    lines = "".join(f"    {statement}\n" for statement in statements.split("; "))
    project.write(f"{marks}\ndef test_model(stages):\n{lines}")


def judged(project, expected, actual, marks=""):
    """Make a golden of some statements, see it pass, and return the lines of the run with others, which must fail."""
    model(project, expected, marks)
    assert project.run("--update-golden").ret == 0
    project.run().assert_outcomes(passed=1)
    model(project, actual, marks)
    result = project.run()
    result.assert_outcomes(failed=1)
    return result.stdout


class TestSilentPasses:
    def test_a_comparison_that_needs_a_flag(self, project):
        """pytest-mpl and pytest-arraydiff compare nothing unless a flag says so, and the tests pass."""
        judged(project, "stages['x'] = 1.0", "stages['x'] = 2.0").fnmatch_lines("stage 'x' is off by 6.02 dB*")

    def test_no_golden(self, project):
        """A test that has nothing to compare with has not passed."""
        model(project, "stages['x'] = 1.0")
        project.run().assert_outcomes(failed=1)

    def test_nothing_recorded(self, project):
        """A model that delivers no output at all has not passed (Polygraphy compares what both sides have)."""
        judged(project, "stages['x'] = 1.0", "pass").fnmatch_lines("the test recorded no stage*")

    def test_a_missing_output(self, project):
        """Polygraphy: an output that one side lacks is not compared, and the rest passes."""
        out = judged(project, "stages['x'] = 1.0; stages['y'] = 1.0", "stages['x'] = 1.0")
        out.fnmatch_lines("y * missing*")

    def test_a_renamed_output(self, project):
        """Polygraphy: an output of another name is paired by its position."""
        out = judged(project, "stages['x'] = 1.0; stages['y'] = 2.0", "stages['x'] = 1.0; stages['z'] = 2.0")
        out.fnmatch_lines_random(["y * missing*", "z * extra*"])

    def test_outputs_that_swap_names(self, project):
        """Polygraphy: pairing by position takes two swapped outputs for right."""
        out = judged(project, "stages['x'] = 1.0; stages['y'] = 2.0", "stages['y'] = 1.0; stages['x'] = 2.0")
        out.fnmatch_lines("2 of 2 stages fail")

    def test_integers_against_floats(self, project):
        """Polygraphy: int64 against float16 passes when the values are equal."""
        judged(project, "stages['x'] = np.arange(9)", "stages['x'] = np.arange(9).astype('float16')")

    @pytest.mark.parametrize("count", [2, 4])
    def test_other_numbers_of_iterations(self, project, count):
        """Polygraphy: iterations that only one side has are dropped."""
        steps = "[stages.record(f'ode/{{i}}', float(i)) for i in range({})]"
        out = judged(project, steps.format(3), steps.format(count))
        out.fnmatch_lines("ode/2 * missing*" if count == 2 else "ode/3 * extra*")

    @pytest.mark.parametrize(("old", "new"), [("float32", "float64"), ("float64", "float32"), ("int32", "int64")])
    def test_a_dtype_that_drifts(self, project, old, new):
        """pytest-regressions: another dtype with equal values passes."""
        judged(project, f"stages['x'] = np.arange(9, dtype='{old}')", f"stages['x'] = np.arange(9, dtype='{new}')")

    @pytest.mark.parametrize("value", ["np.nan", "np.inf"])
    def test_nan_against_nan(self, project, value):
        """pytest-regressions: NaN equals NaN."""
        model(project, f"stages['x'] = np.array([1.0, {value}])")
        project.golden().parent.mkdir(parents=True)
        save_file({"x": np.array([1.0, {"np.nan": np.nan, "np.inf": np.inf}[value]])}, project.golden())
        project.run().assert_outcomes(failed=1)
        save_file({"x": np.array([1.0, 2.0])}, project.golden())
        model(project, "stages['x'] = np.array([1.0, 2.0])")
        project.run().assert_outcomes(passed=1)

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
    def test_unsigned_differences(self, project, dtype):
        """pytest-regressions: 0 − 255 of unsigned numbers wraps around to 1, which is within the tolerance."""
        stage = f"stages.record('x', np.array([{{}}, 7], '{dtype}'), kind='tensor')"
        most = np.iinfo(dtype).max
        marks = "@parity(tol_db=None, atol=2)"
        judged(project, stage.format(0), stage.format(most), marks)
        model(project, stage.format(1), marks)
        project.run().assert_outcomes(passed=1)

    def test_a_shape_error_before_others(self, project):
        """pytest-regressions: the first shape error hides whatever else is wrong."""
        out = judged(
            project,
            "stages['a'] = np.ones(4); stages['b'] = np.ones(4); stages['c'] = np.ones(4); stages['d'] = 1.0",
            "stages['a'] = np.ones(5); stages['b'] = np.ones((2, 2)); stages['c'] = np.ones(4) * 2; stages['d'] = 1.0",
        )
        out.fnmatch_lines(["3 of 4 stages fail", "a * FAIL*", "b * FAIL*", "c * 6.02 * FAIL*", "d * ok"])

    @pytest.mark.parametrize("lost", [1, 10])
    @pytest.mark.parametrize("longer", ["old", "new"])
    def test_samples_that_were_lost(self, project, lost, longer):
        """Scores are taken after both signals are cut to the shorter, so lost samples do not show."""
        lengths = (1000, 1000 - lost) if longer == "old" else (1000 - lost, 1000)
        stage = "stages.record('w', np.sin(np.arange({})), kind='waveform', axes='T')"
        judged(project, *(stage.format(length) for length in lengths))

    def test_a_sample_rate_nobody_declared(self, project):
        """A sample rate that defaults to 16000: nothing is stored unless it was declared, and another one fails."""
        stage = "stages.record('w', np.sin(np.arange(99.0)), kind='waveform', sample_rate={})"
        model(project, stage.format(None))
        project.run("--update-golden")
        assert Golden(project.golden()).stages[0].sample_rate is None
        project.golden().unlink()
        judged(project, stage.format(24000), stage.format(16000)).fnmatch_lines("*sample_rate*")


class TestNumbers:
    def test_the_number_that_is_shown_is_the_number_that_decides(self, project):
        """A relative error is printed over the obtained value while another one decides (pytest's approx)."""
        out = judged(project, "stages['x'] = np.full(9, 2.0)", "stages['x'] = np.full(9, 3.0)")
        line = next(line for line in out.lines if "would pass" in line)
        enough = float(line.partition("tol_db=")[2].partition(",")[0])
        for tol_db, outcome in ((enough, "passed"), (enough - 0.02, "failed")):
            model(project, "stages['x'] = np.full(9, 3.0)", f"@parity(tol_db={tol_db})")
            assert project.run().parseoutcomes() == {outcome: 1}

    def test_a_tolerance_that_grows_with_the_new_value(self):
        """pytest-arraydiff swaps the arguments of assert_allclose, so what is allowed grows with what was obtained."""
        keywords = {"tol_db": None, "rtol": 0.6, "atol": 0.0}
        assert not compare(np.full(9, 1.0), np.full(9, 2.0), **keywords).passed
        assert compare(np.full(9, 2.0), np.full(9, 1.0), **keywords).passed

    @pytest.mark.parametrize("scale", [1.0, 1.0011, 1.0012, 3.0, 1e-6, 1e6, 0.0])
    def test_the_two_sides_swapped(self, scale):
        """pytest-arraydiff: the verdict depends on which side is the new one; in dB it does not."""
        one = np.random.default_rng(1).standard_normal(1000)
        there, back = compare(one, one * scale), compare(one * scale, one)
        assert (there.passed, there.deviation_db) == (back.passed, pytest.approx(back.deviation_db, rel=1e-9))
        assert there.passed == (scale in (1.0, 1.0011))

    @pytest.mark.parametrize("noise", [1e-300, 1e-9, 1.0])
    def test_silence(self, project, noise):
        """Silence against silence scores 50 dB, by an epsilon (coremltools); any sound against silence is a failure."""
        silent = compare(np.zeros(99), np.zeros(99))
        assert (silent.passed, silent.deviation_db) == (True, 0.0)
        assert silent.comparison.snr_db in (None, np.inf)
        judged(project, "stages['x'] = np.zeros(99)", f"stages['x'] = np.full(99, {noise})")

    def test_a_tolerance_of_its_own_per_stage(self, project):
        """insta#316, syrupy#960: one tolerance for all, or none."""
        marks = "@parity(stages={'loose*': {'tol_db': 7}})"
        out = judged(
            project,
            "stages['loose/a'] = np.ones(9); stages['strict'] = np.ones(9)",
            "stages['loose/a'] = np.full(9, 2.0); stages['strict'] = np.full(9, 2.0)",
            marks,
        )
        out.fnmatch_lines(["1 of 2 stages fails", "loose/a * ok", "strict * FAIL*"])

    def test_where_it_begins_and_whether_it_matters(self, project):
        """TensorRT#4507, #4616: which layer diverged first, and is this error acceptable?"""
        chain = "[stages.record(f'layer/{{i}}', np.full(9, 1.0 + {} * (i > 1))) for i in range(4)]"
        out = judged(project, chain.format(0), chain.format(0.1))
        out.fnmatch_lines(
            [
                "stage 'layer/2' is off by 0.8279 dB, allowed 0.01 dB",
                "layer/1 * ok",
                "layer/2 * FAIL<",
                "* would pass * tol_db=*",
            ]
        )

    def test_several_stages_of_one_test(self, project):
        """pytest-mpl#133: one golden per test, so that a test has to be split to see what differs."""
        model(project, "stages['h'] = np.ones(9); stages['mel'] = np.ones((2, 3)); stages['codes'] = [1, 2]")
        project.run("--update-golden")
        assert project.goldens() == ["golden/test_model/test_model.safetensors"]
        assert {name: tensor.shape for name, tensor in load_file(project.golden()).items()} == {
            "h": (9,), "mel": (2, 3), "codes": (2,),
        }  # fmt: skip
        model(project, "stages['h'] = np.ones(9); stages['mel'] = np.full((2, 3), 2.0); stages['codes'] = [1, 3]")
        out = project.run().stdout
        out.fnmatch_lines(["2 of 3 stages fail", "h * ok", "mel * FAIL*", "codes * FAIL*"])
