"""The fixture `stages`: what is judged, when, and what the failure says."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

CHAIN = """
@parity
def test_model(stages):
    base = np.arange(1.0, 241.0, dtype=np.float32).reshape(2, 3, 40)
    x = stages.step("encoder", lambda: base)
    for i in range(3):
        x = stages.step(f"ode/{{i}}", lambda x: x + 1, x)
        x = x * {gain} if i == 1 else x
    stages.record("mel", x, kind="log_spectrum", unit="db", axes="BCT")
    stages["embedding"] = base.sum(axis=2) * {late}
"""


@pytest.fixture
def broken_chain(project):
    """Run a chain of stages whose second step is healthy and whose third is 6 dB off."""
    project.write(CHAIN.format(gain=1, late=1))
    assert project.run("--update-golden").ret == 0
    project.write(CHAIN.format(gain=2, late=2))
    return project, project.run()


def test_all_stages_are_judged_before_the_one_failure(broken_chain):
    """Every stage is in the table in data-flow order, healthy ones too, and the test fails once."""
    _, result = broken_chain
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["encoder *", "ode/0 *", "ode/1 *", "ode/2 *", "mel *", "embedding *"])


def test_the_failure_names_the_first_divergence_and_the_way_on(broken_chain):
    """The report has the first stage that differs, the smallest tolerance, the golden and the accept command."""
    _, result = broken_chain
    result.stdout.fnmatch_lines(["*stage 'ode/2'*", "*ode/2 (first divergence)", "*tol_db=*", "golden: *", "accept: *"])
    result.stdout.fnmatch_lines(["golden: golden/test_model/test_model.safetensors", "accept: pytest *--update-golden"])


def test_the_worst_place_is_named_by_axis(project):
    """Declared axes name the element that is furthest off."""
    source = """
    def test_model(stages):
        x = np.ones((2, 3, 40))
        x[1, 2, 17] += {error}
        stages.record("mel", x, axes="BCT")
    """
    project.write(source.format(error=0))
    assert project.run("--update-golden").ret == 0
    project.write(source.format(error=5))
    project.run().stdout.fnmatch_lines(["*worst at*B=1*C=2*T=17*"])


def test_the_smallest_tolerance_that_is_said_is_enough(project):
    """The tol_db that the report proposes makes the test pass, and a hundredth less does not."""
    source = "@parity(tol_db={tol})\ndef test_model(stages): stages['mel'] = np.linspace(1, 2, 50) * {gain}"
    project.write(source.format(tol=0.01, gain=1))
    assert project.run("--update-golden").ret == 0
    project.write(source.format(tol=0.01, gain=1.07))
    said = next(word for word in project.run().stdout.str().split() if word.startswith("tol_db="))
    proposed = float(said.strip(",").partition("=")[2])
    for tolerance, passes in ((proposed, True), (proposed * 0.98, False)):
        project.write(source.format(tol=tolerance, gain=1.07))
        project.run().assert_outcomes(passed=int(passes), failed=int(not passes))


@pytest.mark.parametrize("where", [".", "sub"])
@pytest.mark.parametrize("flags", [(), ("--golden-dir", "other dir")])
def test_running_the_accept_command_makes_it_pass(project, monkeypatch, where, flags):
    """The command behind `accept:`, typed where the run was started and with nothing added, writes the golden."""
    project.ini()
    project.write(
        "@pytest.mark.parametrize('v', ['a b', \"it's\"])\nclass TestA:\n"
        "    def test_model(self, stages, v): stages['mel'] = np.ones(3)",
        "sub/test_model.py",
    )
    monkeypatch.chdir(project.path / where)
    result = project.run(*flags)
    result.assert_outcomes(failed=2)
    commands = [line.removeprefix("accept: ") for line in result.outlines if line.startswith("accept: ")]
    assert len(commands) == 2
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "pytest"
        assert project.run(*arguments).parseoutcomes() == {"updated": 1}
    project.run(*flags).assert_outcomes(passed=2)


def test_a_stage_missing_from_either_side_fails(project):
    """A stage that disappeared and one that is new are both failures, named as such; nothing is paired by position."""
    project.write("def test_model(stages): stages['a'] = 1.0; stages['b'] = 2.0")
    assert project.run("--update-golden").ret == 0
    project.write("def test_model(stages): stages['a'] = 1.0; stages['c'] = 2.0")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines_random(["b *missing*", "c *extra*"])


OTHER_NAMES = [
    ("mell", "np.arange(9.0)", "did you mean 'mel', which has the same values?"),
    ("mell", "np.ones(3)", "did you mean 'mel'?"),
    ("latent", "np.arange(9.0)", "did you mean 'mel', which has the same values?"),
    ("latent", "np.ones(3)", None),
]


@pytest.mark.parametrize(("name", "value", "said"), OTHER_NAMES)
def test_a_stage_by_another_name_is_told(project, name, value, said):
    """One stage missing and one extra are named together where values or names agree, and still both fail."""
    project.write("def test_model(stages): stages['x'] = np.ones(2); stages['mel'] = np.arange(9.0)")
    assert project.run("--update-golden").ret == 0
    project.write(f"def test_model(stages): stages['x'] = np.ones(2); stages['{name}'] = {value}")
    result = project.run()
    result.assert_outcomes(failed=1)
    if said:
        result.stdout.fnmatch_lines([f"stage '{name}' is not among*; {said}", f"  {name} *: {said}"])
    result.stdout.fnmatch_lines_random(["mel *missing*", f"{name} *extra*"])
    assert ("did you mean" in result.stdout.str()) is bool(said)


def test_only_leaves_out_the_rest(project):
    """Stages outside `only` are neither compared nor missed; stages inside still fail."""
    source = "@parity(only=['m*'])\ndef test_model(stages): stages['mel'] = {mel}; stages['x'] = {x}"
    project.write("def test_model(stages): stages['mel'] = 1.0; stages['x'] = 1.0; stages['y'] = 1.0")
    assert project.run("--update-golden").ret == 0
    project.write(source.format(mel="1.0", x="5.0"))
    project.run().assert_outcomes(passed=1)
    project.write(source.format(mel="5.0", x="1.0"))
    project.run().assert_outcomes(failed=1)


@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
def test_only_that_leaves_out_everything_fails(project, flags):
    """A test whose `only` matches no recorded stage compares nothing, so it neither passes nor writes a golden."""
    project.write("@parity(only=['mle'])\ndef test_model(stages): stages['mel'] = 1.0")
    result = project.run(*flags)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*only=*'mle'* leaves out every stage*")
    assert project.goldens() == []


def test_the_users_own_failure_is_shown_as_theirs(project):
    """An assertion of the test's own is reported with its source line, and no parity table covers it."""
    project.write("def test_model(stages):\n    stages['mel'] = 1.0\n    value = 3\n    assert value == 4")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*assert value == 4", "E*assert 3 == 4"])
    result.stdout.no_fnmatch_line("accept:*")


def test_a_skip_inside_the_test_is_a_skip(project):
    """pytest.skip after recording skips the test and writes nothing."""
    project.write("def test_model(stages):\n    stages['mel'] = 1.0\n    pytest.skip('no model')")
    project.run("--update-golden").assert_outcomes(skipped=1)
    assert project.goldens() == []


@pytest.mark.parametrize("mark", [
    "@pytest.mark.xfail(strict=True)", "@pytest.mark.xfail(True, reason='x', strict=True)",
    "@pytest.mark.xfail(raises=AssertionError, strict=True)", "@pytest.mark.xfail(condition=True, reason='x')",
])  # fmt: skip
@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
def test_an_expected_parity_failure_is_an_xfail(project, mark, flags):
    """A test marked xfail whose stages differ is XFAIL, and its output never becomes the golden."""
    project.write("def test_model(stages): stages['mel'] = 1.0")
    assert project.run("--update-golden").ret == 0
    before = project.state()
    project.write(f"{mark}\ndef test_model(stages): stages['mel'] = 2.0")
    result = project.run(*flags)
    result.assert_outcomes(xfailed=1)
    assert result.ret == 0
    assert project.state() == before


def test_an_xfail_that_passes_is_strict(project):
    """A test marked xfail whose stages agree fails under strict=True, so the mark cannot outlive the fault."""
    project.write("def test_model(stages): stages['mel'] = 1.0")
    assert project.run("--update-golden").ret == 0
    project.write("@pytest.mark.xfail(strict=True)\ndef test_model(stages): stages['mel'] = 1.0")
    project.run().assert_outcomes(failed=1)


def test_an_xfail_whose_condition_is_false_is_an_ordinary_test(project):
    """xfail(False) changes nothing: the parity failure counts, and the golden can be updated."""
    project.write("@pytest.mark.xfail(False, reason='not here')\ndef test_model(stages): stages['mel'] = 1.0")
    project.run().assert_outcomes(failed=1)
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}


MISUSE = [
    ("stages['mel'] = [[1, 2], [3]]", "differ in length"),
    ("stages['mel'] = np.array([object()])", "Python objects"),
    ("stages['mel'] = 'text'", "str is not array-like"),
    ("stages['mel'] = np.array(['text'])", "text is not a tensor"),
    ("stages['mel'] = None", "NoneType is not array-like"),
    ("stages['mel'] = {'a': 1}", "dict is not array-like"),
    ("stages['mel'] = 1.0; stages['mel'] = 1.0", "was recorded twice; number repeated steps"),
    ("stages[''] = 1.0", "is no stage name"),
    ("stages[3] = 1.0", "is no stage name"),
    ("stages.record(np.ones(9), 'mel')", "ndarray is no stage name; the name comes first, as in"),
    ("stages.step(np.sin, np.ones(9))", "ufunc is no stage name; the name comes first"),
    ("stages.step('mel', np.ones(9))", "give the function and its arguments: stages.step('mel', f, x)"),
    ("stages.step('mel', lambda x: x, np.ones(9), axes='T')", "takes no axes=, and step hands all keywords to the"),
    ("stages.step('mel', lambda x: x, np.ones(9), tol_db=1)", "parity(stages={'mel': {'tol_db': ...}})"),
    ("stages.step('mel', np.sin, np.ones(9), unit='db')", "with stages.record('mel', f(x), unit=...)"),
    ("stages.record('mel', 1.0, kind='mel')", "kind='mel' is none of"),
    ("stages.record('mel', 1.0, kind='codes')", "kind='codes' needs integers"),
    ("stages.record('mel', np.ones((2, 3)), axes='B')", "axes='B' must name each of its 2 dimensions"),
    ("stages.record('mel', np.ones(3), kind='log_spectrum', unit='bel')", "unit='bel' of a log_spectrum is none of"),
    ("stages.record('mel', np.ones(3), sample_rate=0)", "sample_rate=0 is not a positive number"),
    ("stages.record('mel', np.ones(3), tol_bd=1)", "unknown keyword 'tol_bd', did you mean 'tol_db'?"),
    ("stages.load('nothing.npz')", "nothing.npz does not exist in /"),
    ("stages.load('/nowhere/nothing.npz')", "/nowhere/nothing.npz does not exist; check the path"),
    ("stages.load('model.onnx')", "does not exist"),
    ("stages.load(__file__)", "is none of the files that can be read"),
    ("np.savez('empty.npz'); stages.load('empty.npz')", "load('empty.npz'): it holds no tensor"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "message"), MISUSE)
def test_misuse_is_one_line_with_its_place_in_the_test(project, statement, message):
    """What cannot be recorded fails with one line: file, line and what is wrong, without a traceback."""
    project.write(f"def test_model(stages):\n    pass\n    {statement}")
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    at = result.outlines.index(next(line for line in result.outlines if line.startswith("____")))
    assert result.outlines[at + 1].startswith("test_model.py:7: ")
    assert message in result.outlines[at + 1]
    assert result.outlines[at + 2].startswith("====")
    assert project.goldens() == []


STEPS = """
def inner(x, n=2): return x * n
def outer(x, **more): return inner(x, **more)
def model(x, axes="CT", unit=None):
    if unit: raise TypeError("unit has to be None")
    return x
def test_model(stages): stages.step("mel", {call})
"""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("model, np.ones(3), axes='T'", None),
        ("np.sum, np.ones((2, 3)), axis=0, dtype=float", None),
        ("model, np.ones(3), unit='db'", "TypeError: unit has to be None"),
        ("outer, np.ones(3), size=1", "TypeError: inner() got an unexpected keyword argument 'size'"),
        ("outer, np.ones(3), axes='T'", "test_model.py:*: stage 'mel': outer takes no axes=*"),
    ],
)
def test_a_step_gives_its_function_every_keyword_that_it_takes(project, call, said):
    """What a function raises itself stays what it is, whatever its keywords are called."""
    project.write(STEPS.format(call=call))
    result = project.run("--update-golden")
    assert (result.ret == 0) is (said is None)
    result.stdout.fnmatch_lines([] if said is None else [f"*{said}"])


@pytest.mark.parametrize("kind", ["helper", "fixture", "unittest", "teardown"])
def test_misuse_names_its_line_wherever_it_happens(project, kind):
    """In a helper module the caller's line in the test is named, in a fixture or a TestCase its own."""
    (project.path / "helper.py").write_text("def dump(stages):\n    stages['mel'] = 'text'\n")
    sources = {
        "helper": "import helper\ndef test_model(stages):\n    helper.dump(stages)",
        "fixture": "@pytest.fixture\ndef f(stages):\n    stages['mel'] = 'text'\ndef test_model(f): pass",
        "teardown": "@pytest.fixture\ndef f(stages):\n    yield; stages['mel'] = 'text'\n"
        "def test_model(f, stages): stages['x'] = 1.0",
        "unittest": "class TestA(unittest.TestCase):\n    @pytest.fixture(autouse=True)\n"
        "    def _s(self, stages): self.s = stages\n    def test_model(self): self.s['mel'] = 'text'",
    }
    line = {"helper": 7, "fixture": 7, "teardown": 7, "unittest": 8}[kind]
    project.write(sources[kind])
    project.ini("pythonpath = .")
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert any(text.startswith(f"test_model.py:{line}: stage 'mel': str is not array-like") for text in result.outlines)


def test_misuse_stays_the_exception_it_is(project):
    """An xfail can expect a StageError, and its type is in the summary line; a test that swallows one fails."""
    project.write("""
    from pytest_audioparity import StageError
    def test_swallowed(stages):
        stages["x"] = 1.0
        with pytest.raises(StageError, match="array-like"):
            stages["mel"] = "text"
    @pytest.mark.xfail(raises=StageError, strict=True)
    def test_xfail(stages):
        stages["mel"] = "text"
    def test_shown(stages):
        stages["mel"] = "text"
    """)
    result = project.run("--update-golden")
    assert result.parseoutcomes() == {"xfailed": 1, "failed": 2}
    result.stdout.fnmatch_lines("FAILED test_model.py::test_shown - StageError: test_model.py:*")


def test_a_mistake_that_the_model_swallows_still_fails(project):
    """A stage recorded twice under `except Exception` cannot pass with the first recording alone."""
    source = "def test_model(stages):\n    stages['x'] = 1.0\n"
    project.write(source)
    assert project.run("--update-golden").ret == 0
    project.write(source + "    try: stages['x'] = 9.0\n    except Exception: pass\n")
    for flags in ((), ("--update-golden",)):
        result = project.run(*flags)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines("*stage 'x' was recorded twice*")


def test_an_interrupted_comparison_is_no_pass(project):
    """A stage whose comparison raised, which the model swallowed, counts as not compared and fails."""
    project.write("def test_model(stages): stages['x'] = 1.0; stages['y'] = 1.0")
    assert project.run("--update-golden").ret == 0
    project.write("""
    def test_model(stages, monkeypatch):
        import pytest_audioparity.recording as recording
        stages["x"] = 1.0
        def broken(*_, **__): raise MemoryError
        with monkeypatch.context() as patch:
            patch.setattr(recording, "check_stage", broken)
            try: stages["y"] = 9.0
            except MemoryError: pass
    """)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*stage 'y' was not compared*")


@pytest.mark.parametrize(("value", "message"), [
    ("np.array([1, np.nan])", "nan"), ("np.array([1, np.inf])", "inf"), ("np.array([-np.inf, 1])", "inf"),
])  # fmt: skip
def test_values_that_are_not_finite_fail(project, value, message):
    """NaN and infinities fail, also where the golden has the same ones, and are never written."""
    project.write("def test_model(stages): stages['mel'] = np.array([1.0, 2.0])")
    assert project.run("--update-golden").ret == 0
    project.write(f"def test_model(stages): stages['mel'] = {value}")
    before = project.state()
    for flags in ((), ("--update-golden",)):
        result = project.run(*flags)
        result.assert_outcomes(failed=1)
        assert message in result.stdout.str().lower()
    assert project.state() == before


def test_an_empty_stage_needs_permission(project):
    """A stage without elements cannot be measured; with allow_empty it passes."""
    project.write("def test_model(stages): stages['mel'] = np.zeros((0, 4))")
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*allow_empty=True*"])
    project.write("def test_model(stages): stages.record('mel', np.zeros((0, 4)), allow_empty=True)")
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ("1.5", "2.5"),
        ("np.float32(1.5)", "np.float32(2.5)"),
        ("np.array(1.5)", "np.array(2.5)"),
        ("[1, 2]", "[1, 3]"),
        ("True", "False"),
        ("1", "1.0"),
        ("np.arange(6.0).reshape(2, 3)", "np.arange(6.0).reshape(2, 3).T"),
    ],
)
def test_scalars_lists_and_integers_are_stages(project, value, other):
    """A number, a 0-d array and a list are recorded as what they are; another value, type or shape fails."""
    project.write(f"def test_model(stages): stages['x'] = {value}")
    assert project.run("--update-golden").ret == 0
    project.run().assert_outcomes(passed=1)
    project.write(f"def test_model(stages): stages['x'] = {other}")
    project.run().assert_outcomes(failed=1)


def test_a_stage_is_a_snapshot(project):
    """What the model does to its buffer afterwards changes neither the golden nor the comparison."""
    project.write("""
    def test_model(stages):
        buffer = np.zeros(4)
        for i in range(3):
            buffer += 1
            stages[f"ode/{i}"] = buffer
        buffer[:] = np.nan
    """)
    assert project.run("--update-golden").ret == 0
    assert [tensor[0] for tensor in project.tensors().values()] == [1.0, 2.0, 3.0]
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("place", ["fixture", "other test"])
def test_what_is_recorded_after_the_judgement_is_refused(project, place):
    """A stage that a fixture's teardown or a later test records into an ended recording is an error, not a pass."""
    sources = {
        "fixture": """
        @pytest.fixture
        def late(stages):
            yield stages
            stages["late"] = 1.0
        def test_model(late):
            late["x"] = 1.0
        """,
        "other test": """
        kept = []
        def test_model(stages):
            kept.append(stages)
            stages["x"] = 1.0
        def test_other():
            kept[0]["late"] = 1.0
        """,
    }
    project.write(sources[place])
    result = project.run("--update-golden")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "stage 'late' comes after its test was judged" in result.stdout.str()
    assert project.goldens() == (["golden/test_model/test_model.safetensors"] if place == "other test" else [])


def test_a_stage_after_the_judgement_fails_a_test_whose_teardown_swallows_that(project):
    """What the model's own code catches on its way out was compared by nobody."""
    project.write("""
        @pytest.fixture
        def model(stages):
            yield stages
            try:
                stages["late"] = 1.0
            except Exception:
                pass
        def test_model(model):
            model["x"] = 1.0
        @pytest.mark.xfail(strict=True)
        def test_xfail(model):
            model["x"] = np.nan
    """)
    result = project.run("--update-golden")
    result.assert_outcomes(errors=1, xfailed=1)
    result.stdout.fnmatch_lines("stage 'late' comes after its test was judged*")
    assert project.goldens() == []


@pytest.mark.parametrize("disturbance", [
    "monkeypatch.chdir(tmp_path)", "np.seterr(all='raise')", "monkeypatch.setenv('HOME', '/nowhere')",
    "monkeypatch.setattr('os.getcwd', lambda: '/nowhere')",
])  # fmt: skip
@pytest.mark.parametrize(("value", "passes"), [("1e-30", True), ("2e-30", False)])
def test_the_tests_own_surroundings_do_not_matter(project, disturbance, value, passes):
    """A changed directory and numpy errors that raise leave verdict and golden path as they are."""
    source = """
    @pytest.fixture(autouse=True)
    def _restored():
        with np.errstate(): yield
    def test_model(stages, monkeypatch, tmp_path):
        {disturbance}
        stages["x"] = np.array([{value}], np.float32)
        stages["y"] = np.zeros(3, np.float32)
    """
    project.write(source.format(disturbance=disturbance, value="1e-30"))
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    assert project.goldens() == ["golden/test_model/test_model.safetensors"]
    project.write(source.format(disturbance=disturbance, value=value))
    project.run().assert_outcomes(passed=int(passes), failed=int(not passes))


def test_random_generators_are_left_alone(project):
    """Recording draws nothing from the global generators of numpy and Python, in failing tests either."""
    project.write("""
    import random
    def test_model(stages):
        np.random.seed(0); random.seed(0)
        expected = np.random.rand(), random.random()
        np.random.seed(0); random.seed(0)
        stages["x"] = np.arange(1000.0)
        stages["x2"] = np.arange(1000.0)
        assert (np.random.rand(), random.random()) == expected
    """)
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    project.run().assert_outcomes(passed=1)


def test_load_records_a_file(project):
    """Every tensor of a file becomes a stage under its name or its new name."""
    np.savez(project.path / "dump.npz", h=np.ones(3), codes=np.arange(3))
    project.write("def test_model(stages): stages.load('dump.npz', rename={'h': 'mel'})")
    assert project.run("--update-golden").ret == 0
    assert list(project.tensors()) == ["mel", "codes"]
    project.run().assert_outcomes(passed=1)
    np.savez(project.path / "dump.npz", h=np.ones(3), codes=np.arange(3) + 1)
    project.run().assert_outcomes(failed=1)


# pytest has subtests of its own since version 9.
@pytest.mark.parametrize("kind", ["subtests", "subTest"] if hasattr(pytest, "Subtests") else ["subTest"])
@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
def test_subtests_of_pytest_and_unittest(project, kind, flags):
    """A failing subtest fails its test as ever, whether its stages pass or are to be written."""
    sources = {
        "subtests": "def test_model(stages, subtests):\n    stages['x'] = 1.0\n"
        "    with subtests.test('part'): assert {ok}",
        "subTest": "class TestA(unittest.TestCase):\n    @pytest.fixture(autouse=True)\n"
        "    def _s(self, stages): self.s = stages\n    def test_model(self):\n        self.s['x'] = 1.0\n"
        "        with self.subTest('part'): assert {ok}",
    }
    project.write(sources[kind].format(ok=False))
    result = project.run(*flags)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.goldens() == []
    # In the failure, in the section of goldens, or in both: that depends on pytest's version.
    refused = {line.rpartition(": ")[2] for line in result.stdout.lines if line.startswith("not updated: ")}
    assert refused == ({"this test failed otherwise as well"} if flags else set())
    project.write(sources[kind].format(ok=True))
    assert project.run("--update-golden").ret == 0
    assert len(project.goldens()) == 1


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="before version 9 a skipped subTest skips the whole test")
@pytest.mark.parametrize("kind", ["subtests", "subTest"])
def test_a_skipped_subtest_takes_no_stage_out_of_the_golden(project, kind):
    """What it would have recorded is not there, which says nothing of the model; all else is updated."""
    sources = {
        "subtests": "def test_model(stages, subtests):\n    skip = pytest.skip\n    stages['x'] = {x}\n"
        "    with subtests.test('part'):\n        {skip}\n        stages['y'] = 1.0",
        "subTest": "class TestA(unittest.TestCase):\n    @pytest.fixture(autouse=True)\n"
        "    def _s(self, stages): self.s = stages\n    def test_model(self):\n        skip = self.skipTest\n"
        "        self.s['x'] = {x}\n        with self.subTest('part'):\n            {skip}\n"
        "            self.s['y'] = 1.0",
    }
    project.write(sources[kind].format(x=1.0, skip="skip('no device')"))
    assert project.run("--update-golden").ret == 0
    golden = project.goldens()[0].removeprefix("golden/").removesuffix(".safetensors")
    assert list(project.tensors(golden)) == ["x"]
    project.write(sources[kind].format(x=1.0, skip=""))
    assert project.run("--update-golden").ret == 0
    project.write(sources[kind].format(x=2.0, skip="skip('no device')"))
    result = project.run("--update-golden")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("*: a part of this test was skipped, and stage 'y' is missing")
    assert project.tensors(golden) == {"x": 1.0, "y": 1.0}


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest has subtests of its own since version 9")
def test_a_subtest_that_is_expected_to_fail_updates_nothing(project):
    """As a test that is expected to, whose output is no reference."""
    source = "def test_model(stages, subtests):\n    with subtests.test('part'):\n        stages['x'] = {}\n        {}"
    project.write(source.format(1.0, ""))
    assert project.run("--update-golden").ret == 0
    project.write(source.format(2.0, "pytest.xfail('known')"))
    result = project.run("--update-golden")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("*: this test is expected to fail (xfail), so its output is no reference")
    assert project.tensors() == {"x": 1.0}


def test_a_log_spectrum_without_a_unit_is_refused_before_it_can_become_a_golden(project):
    """The unit is missed when the stage is recorded, also in a plain run without a golden; a golden can supply it."""
    project.write("def test_model(stages): stages.record('mel', np.ones(3), kind='log_spectrum')")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("test_model.py:5: stage 'mel': a log_spectrum needs unit=*")
    project.write("def test_model(stages): stages.record('mel', np.ones(3), kind='log_spectrum', unit='ln')")
    assert project.run("--update-golden").ret == 0
    project.write("def test_model(stages): stages.record('mel', np.ones(3), kind='log_spectrum')")
    project.run().assert_outcomes(passed=1)


def test_a_misspelt_declaration_is_met_with_the_declaration_that_was_meant(project):
    """The suggestion knows declarations as well as tolerances."""
    project.write("def test_model(stages): stages.record('mel', np.ones(3), framerate=3)")
    project.run().stdout.fnmatch_lines(
        "test_model.py:5: stage 'mel': unknown keyword 'framerate', did you mean 'frame_rate'?"
    )


def test_a_mistake_swallowed_by_the_model_cannot_remove_a_stage_from_the_golden(project):
    """A hook that guards itself with `except Exception` would otherwise lose its stage with the next update."""
    source = """
    def hook(stages, name, tensor):
        try: stages[name] = tensor
        except Exception: pass
    def test_model(stages):
        stages["x"] = 1.0
        hook(stages, "h", {h})
    """
    project.write(source.format(h="[1.0, 2.0]"))
    assert project.run("--update-golden").ret == 0
    before = project.state()
    project.write(source.format(h="[[1.0], [2.0, 3.0]]"))
    for flags in ((), ("--update-golden",)):
        project.run(*flags).assert_outcomes(failed=1)
    assert project.state() == before
