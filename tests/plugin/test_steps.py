"""`stages.step`: which part of a deviation is a step's own, and which it inherited, as a failing test reports it."""

from __future__ import annotations

import contextlib
import importlib

import pytest

from pytest_audioparity.golden.pending import read_pending

RUNTIMES = ["numpy", "torch", "mlx.core"]

CHAIN = """
import importlib
WEIGHTS = [np.random.default_rng(i).standard_normal((16, 16)).astype(np.float32) / 4 for i in range(5)]
def layers(make, matmul, tanh, gains):
    def layer(weight, gain):
        return lambda x: tanh(matmul(make(weight), x)) * gain
    return [layer(weight, gains.get(i, 1.0)) for i, weight in enumerate(WEIGHTS)]
START = np.random.default_rng(9).standard_normal((16, 40)).astype(np.float32)
RUNTIMES = {{
    "numpy": lambda numpy: (np.array, np.matmul, np.tanh),
    "torch": lambda torch: (lambda a: torch.from_numpy(np.array(a)), torch.matmul, torch.tanh),
    "mlx.core": lambda mx: (mx.array, mx.matmul, mx.tanh),
}}
@parity
def test_model(stages):
    make, matmul, tanh = RUNTIMES["{runtime}"](importlib.import_module("{runtime}"))
    x = stages.record("tokens", make(START))
    for i, layer in enumerate(layers(make, matmul, tanh, {gains})):
        x = stages.step(f"layer/{{i}}", layer, x)
"""


@pytest.fixture(scope="module", autouse=True)
def _runtimes():
    """Import what inner runs import: pytester drops what is new, and these cannot be imported twice in a process."""
    for name in RUNTIMES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


@pytest.fixture
def torch_there(needs):
    needs("torch")


@pytest.fixture(params=RUNTIMES)
def runtime(request, needs):
    needs(request.param.partition(".")[0])
    return request.param


def told(project, name="test_model/test_model"):
    """Return the JSON document of the failure that a test left for review, its stages by name."""
    document = dict(read_pending(project.pending(name))[0].result)
    return {**document, "stages": {stage["name"]: stage for stage in document["stages"]}}


def owned(project, healthy, faulty, **names):
    """Write the golden of one source, run another against it, and return what was told of each stage."""
    project.write(healthy)
    assert project.run("--update-golden").ret == 0
    project.run().assert_outcomes(passed=1)
    project.write(faulty)
    project.run().assert_outcomes(failed=1)
    return told(project, **names)


class TestChains:
    def test_the_step_with_the_fault_is_the_first_divergence_and_the_rest_inherited(self, project, runtime):
        document = owned(
            project, CHAIN.format(runtime=runtime, gains={}), CHAIN.format(runtime=runtime, gains={1: 1.5})
        )
        assert document["first_divergence"] == "layer/1"
        stages = document["stages"]
        assert stages["layer/0"]["own_deviation_db"] is None
        assert stages["layer/1"]["own_deviation_db"] == pytest.approx(3.52, abs=0.01)
        for i in (2, 3, 4):
            stage = stages[f"layer/{i}"]
            assert (stage["verdict"], stage["own_verdict"]) == ("fail", "pass")
            assert stage["own_deviation_db"] < 0.001 < 1 < stage["deviation_db"]
            assert stage["inherited_from"] == [f"layer/{i - 1}"]

    def test_two_faults_are_both_told_as_their_own(self, project, runtime):
        document = owned(
            project, CHAIN.format(runtime=runtime, gains={}), CHAIN.format(runtime=runtime, gains={1: 1.5, 3: 0.5})
        )
        assert document["first_divergence"] == "layer/1"
        verdicts = [document["stages"][f"layer/{i}"]["own_verdict"] for i in range(5)]
        assert verdicts == [None, "fail", "pass", "fail", "pass"]
        assert document["stages"]["layer/3"]["own_deviation_db"] == pytest.approx(6.02, abs=0.01)

    def test_the_report_has_a_column_the_earlier_stages_and_what_was_inherited(self, project):
        project.write(CHAIN.format(runtime="numpy", gains={}))
        project.run("--update-golden")
        project.write(CHAIN.format(runtime="numpy", gains={1: 1.5, 3: 0.5}))
        result = project.run()
        result.stdout.fnmatch_lines([
            "stage 'layer/1' is off by 3.52 dB, allowed 0.01 dB",
            "4 of 6 stages fail",
            "earlier: 'tokens' and 'layer/0' pass; the difference starts in 'layer/1' (own",
            "stage *dB off     own",
            "layer/0 * 0         ok",
            "layer/1 * 3.52    3.52 FAIL<",
            "layer/2 * inh.",
            "layer/3 * 6.02 FAIL",
            "layer/1 (first divergence)",
            "  own        : 3.52 dB on the golden's inputs, which are those that it got",
            "layer/3",
            "  own        : 6.02 dB on the golden's inputs, *",
            "  own fit    : actual = 0.5 * expected, correlation 1.000000",
            "inherited only",
            "  layer/2    : own * dB on the golden's inputs, the rest of * dB is *",
            "  layer/4    : *",
        ])  # fmt: skip
        report = read_pending(project.pending())[0].report
        assert all(len(line) <= 80 for line in report.splitlines())

    def test_of_a_long_chain_the_first_few_are_told(self, project):
        source = """
        def test_model(stages):
            x = stages.record("x", np.arange(9.0))
            for i in range(12):
                x = stages.step(f"ode/{{i}}", lambda x, i=i: x * (2 if i == {bad} else 1) + 1, x)
        """
        owned(project, source.format(bad=-1), source.format(bad=0))
        report = read_pending(project.pending())[0].report
        assert report.count("is inherited") == 6
        assert "and 5 more" in report

    def test_what_only_inherited_comes_first_when_there_is_nothing_else(self, project):
        """A healthy step may enlarge what its input is allowed to be off."""
        source = """
        def test_model(stages):
            x = stages.record("x", np.linspace(1.0, 2.0, 50) + {shift})
            stages.step("y", lambda x: x - 1.0, x)
        """
        document = owned(project, source.format(shift=0), source.format(shift=1e-3))
        assert document["stages"]["x"]["verdict"] == "pass"
        assert document["stages"]["y"]["own_verdict"] == "pass"
        assert document["stages"]["y"]["inherited_from"] == ["x"]
        assert document["first_divergence"] == "y"
        assert "is inherited from 'x'" in " ".join(read_pending(project.pending())[0].report.split())

    def test_an_enlarging_step_is_not_named_before_a_faulty_one(self, project):
        source = """
        def test_model(stages):
            x = stages.record("x", np.linspace(1.0, 2.0, 50) + {shift})
            y = stages.step("y", lambda x: x - 1.0, x)
            stages.step("z", lambda y: y * {gain}, y)
        """
        document = owned(project, source.format(shift=0, gain=1), source.format(shift=1e-3, gain=2))
        assert document["first_divergence"] == "z"
        assert "earlier: 'y' fails too, but only by what it inherited" in read_pending(project.pending())[0].report

    def test_tests_without_steps_keep_the_column_of_limits(self, project):
        source = "def test_model(stages): stages['x'] = np.ones(3) * {gain}"
        project.write(source.format(gain=1))
        project.run("--update-golden")
        project.write(source.format(gain=2))
        result = project.run()
        result.stdout.fnmatch_lines(["stage *dB off allowed", "x * 6.02    0.01 FAIL<"])
        assert "earlier:" not in result.stdout.str()
        assert "own" not in read_pending(project.pending())[0].report


class TestWhatRunsAgain:
    COUNTED = """
    calls = []
    def double(x):
        calls.append("double")
        return x * {gain}
    def plus(x):
        calls.append("plus")
        return x + 1
    def test_model(stages):
        x = stages.record("x", np.arange(5.0))
        x = stages.step("double", double, x)
        x = stages.step("plus", plus, x)
        x = stages.step("same", lambda x: x * 0, x)
    def test_count():
        assert calls == {calls}
    """

    def test_nothing_when_a_test_passes(self, project):
        project.write(self.COUNTED.format(gain=2, calls=["double", "plus"]))
        assert project.run("--update-golden").parseoutcomes() == {"updated": 1, "passed": 1}
        project.run().assert_outcomes(passed=2)

    def test_failing_steps_twice_and_none_whose_inputs_are_the_goldens(self, project):
        project.write(self.COUNTED.format(gain=2, calls=["double", "plus"]))
        assert project.run("--update-golden").ret == 0
        project.write(self.COUNTED.format(gain=3, calls=["double", "plus", "plus", "plus"]))
        project.run().assert_outcomes(failed=1, passed=1)

    def test_nothing_when_the_golden_is_updated(self, project):
        project.write(self.COUNTED.format(gain=2, calls=["double", "plus"]))
        assert project.run("--update-golden").ret == 0
        project.write(self.COUNTED.format(gain=3, calls=["double", "plus"]))
        assert project.run("--update-golden").parseoutcomes() == {"updated": 1, "passed": 1}

    def test_steps_and_tensors_that_pass_are_not_kept_alive(self, project):
        source = """
        import gc, weakref
        def test_model(stages):
            references = []
            x = stages.record("x", np.ones(5))
            for i in range(3):
                y = stages.step(f"y/{{i}}", lambda x: x + 1, x)
                references.append(weakref.ref(x))
                x = y
            gc.collect()
            assert [reference() is None for reference in references] == [True, True, True], references
            stages["z"] = np.ones(3) * {gain}
        """
        project.write(source.format(gain=1))
        assert project.run("--update-golden").ret == 0
        project.run().assert_outcomes(passed=1)
        project.write(source.format(gain=2))
        result = project.run()
        result.stdout.fnmatch_lines("*stage 'z' is off by*")

    def test_what_is_left_for_review_is_what_was_recorded(self, project):
        source = CHAIN.format(runtime="numpy", gains={1: 1.5})
        owned(project, CHAIN.format(runtime="numpy", gains={}), source)
        obtained = {stage.meta.name: stage.array for stage in read_pending(project.pending())[1]}
        assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
        for name, array in obtained.items():
            assert (project.tensors()[name] == array).all()

    def test_warnings_and_output_are_not_repeated(self, project):
        source = """
        import warnings
        def noisy(x):
            print("said once")
            warnings.warn("warned once")
            return x + 1
        def test_model(stages):
            x = stages.record("x", np.arange(3.0) * {gain})
            stages.step("y", noisy, x)
        """
        project.ini("filterwarnings = default")
        project.write(source.format(gain=1))
        project.run("--update-golden")
        project.write(source.format(gain=2))
        result = project.run()
        result.assert_outcomes(failed=1, warnings=1)
        assert result.stdout.str().count("said once") == 1
        assert told(project)["stages"]["y"]["own_verdict"] == "pass"

    def test_a_model_that_records_stages_of_its_own_inside_a_step(self, project):
        """What is recorded inside runs again as well, and is not recorded twice."""
        source = """
        def test_model(stages):
            def encoder(x):
                stages.settings(heads=4)
                y = stages.step("encoder/inner", lambda x: x + 1, x)
                stages["encoder/mid"] = y
                return y * 2
            x = stages.record("x", np.arange(3.0) * {gain})
            stages.step("encoder", encoder, x)
        """
        document = owned(project, source.format(gain=1), source.format(gain=2))
        assert document["first_divergence"] == "x"
        assert [document["stages"][name]["own_verdict"] for name in ("encoder/inner", "encoder")] == ["pass", "pass"]
        assert read_pending(project.pending())[0].refused is None


class TestArguments:
    @pytest.mark.parametrize(
        "call",
        [
            "stages.step('y', lambda a, b: a + b, a, noise)",
            "stages.step('y', lambda both: both[0] + both[1], [a, noise])",
            "stages.step('y', lambda both: both['a'] + both['b'][0], {'a': a, 'b': (noise,)})",
            "stages.step('y', lambda *, a, b: a + b, b=noise, a=a)",
        ],
    )
    def test_recorded_stages_are_found_wherever_they_stand_and_the_rest_is_used_as_given(self, project, call):
        source = """
        def test_model(stages):
            noise = np.arange(5.0)
            a = stages.record("a", np.ones(5) * {gain})
            {call}
        """
        stage = owned(project, source.format(gain=1, call=call), source.format(gain=3, call=call))["stages"]["y"]
        assert (stage["own_deviation_db"], stage["inherited_from"]) == (0, ["a"])
        assert len(stage["used_as_given"]) == 1

    def test_what_was_not_recorded_is_named_where_the_step_is_at_fault(self, project):
        source = """
        def test_model(stages):
            a = stages.record("a", np.arange(1.0, 6.0))
            stages.step("y", lambda a, b, *, mask: a + b, a, np.ones(5) * {gain}, mask=np.ones(3))
        """
        stage = owned(project, source.format(gain=1), source.format(gain=3))["stages"]["y"]
        assert (stage["own_verdict"], stage["used_as_given"]) == ("fail", ["argument 2", "mask="])
        assert "argument 2 and mask=: no recorded stage, used as given" in read_pending(project.pending())[0].report

    def test_several_recorded_inputs_are_all_replaced(self, project):
        source = """
        def test_model(stages):
            a = stages.record("a", np.arange(5.0) * {gain})
            b = stages.record("b", np.arange(5.0)[::-1] * {gain})
            c = stages.record("c", np.ones(5))
            stages.step("y", lambda a, b, c: a * b + c, a, b, c)
        """
        stage = owned(project, source.format(gain=1), source.format(gain=3))["stages"]["y"]
        assert (stage["own_deviation_db"], stage["inherited_from"]) == (0, ["a", "b"])

    def test_a_view_of_a_stage_is_no_stage(self, project):
        source = """
        def test_model(stages):
            a = stages.record("a", np.ones((2, 3)) * {gain})
            stages.step("y", lambda a: a + 1, a.T)
        """
        document = owned(project, source.format(gain=1), source.format(gain=3))
        stage = document["stages"]["y"]
        assert (stage["own_verdict"], stage["own_deviation_db"]) == (None, None)
        assert stage["own_note"] == "none of its arguments is a recorded stage that the golden has"
        assert document["first_divergence"] == "a"

    def test_an_input_that_the_golden_lacks_is_used_as_given(self, project):
        source = (
            "def test_model(stages):\n    b = np.ones(3) * {gain}\n    {a}\n    stages.step('y', lambda b: b + 1, b)"
        )
        document = owned(project, source.format(gain=1, a=""), source.format(gain=2, a="stages['a'] = b"))
        assert document["stages"]["y"]["own_note"].startswith("none of its arguments")

    def test_only_leaves_out_of_the_comparison_but_not_of_the_golden(self, project):
        source = """
        @parity(only={only})
        def test_model(stages):
            noise = stages.record("noise", np.arange(5.0) * {gain})
            stages.step("y", lambda noise: noise + 1, noise)
        """
        document = owned(project, source.format(only=None, gain=1), source.format(only=["y"], gain=2))
        assert document["stages"]["y"]["own_verdict"] == "pass"

    def test_another_length_is_inherited_too(self, project):
        source = """
        def test_model(stages):
            x = stages.record("x", np.arange(1.0, {frames}))
            stages.step("y", lambda x: x * 2, x)
        """
        document = owned(project, source.format(frames=9), source.format(frames=10))
        assert document["first_divergence"] == "x"
        assert document["stages"]["y"]["own_verdict"] == "pass"

    def test_codes_and_values_that_are_not_finite_are_inherited_too(self, project):
        source = """
        def test_model(stages):
            x = stages.record("x", np.array([1.0, 2.0, 3.0, {last}]))
            stages.step("codes", lambda x: np.isfinite(x).astype(np.int64), x)
            stages.step("y", lambda x: x + 1, x)
        """
        stages = owned(project, source.format(last=4.0), source.format(last="np.nan"))["stages"]
        assert (stages["codes"]["own_verdict"], stages["codes"]["own_match"]) == ("pass", 1)
        assert (stages["y"]["own_verdict"], stages["y"]["own_deviation_db"]) == ("pass", 0)


class TestNotMeasured:
    STATE = """
    import random
    state = {{"calls": 0}}
    {define}
    def test_model(stages):
        {seed}
        x = stages.record("x", np.arange(1.0, 6.0) * {gain})
        y = stages.step("y", f, x)
        stages.step("z", lambda y: y + 1, y)
    """
    WITH_STATE = "def f(x): state['calls'] += 1; return x + state['calls']"
    RANDOM = "def f(x): return x + np.random.standard_normal(5)"
    RAISES = "def f(x):\n        state['calls'] += 1\n        if state['calls'] > 1: {raise_}\n        return x + 1"
    ELSE = "def f(x):\n        state['calls'] += 1\n        return x + 1 if state['calls'] == 1 else {value}"

    @pytest.mark.parametrize(
        ("define", "note"),
        [
            (WITH_STATE, "does not repeat itself on its own inputs"),
            (RANDOM, "does not repeat itself on its own inputs"),
            (RAISES.format(raise_="raise ValueError('cache is full')"), "raised ValueError: cache is full"),
            (RAISES.format(raise_="pytest.skip('no')"), "raised Skipped: no"),
            (RAISES.format(raise_="raise SystemExit(3)"), "raised SystemExit: 3"),
            (ELSE.format(value="'text'"), "str is not array-like"),
            (ELSE.format(value="None"), "NoneType is not array-like"),
            (ELSE.format(value="np.ones(2)"), "does not repeat itself"),
            (ELSE.format(value="np.ones(5, np.float16)"), "does not repeat itself"),
        ],
    )
    def test_a_step_that_cannot_be_believed_says_why_and_counts_as_before(self, project, define, note):
        seed = "np.random.seed(0)"
        document = owned(
            project,
            self.STATE.format(define=define, seed=seed, gain=1),
            self.STATE.format(define=define, seed=seed, gain=2),
        )
        y, z = document["stages"]["y"], document["stages"]["z"]
        assert note in y["own_note"]
        assert (y["verdict"], y["own_verdict"], y["own_deviation_db"]) == ("fail", None, None)
        assert (z["own_verdict"], document["first_divergence"]) == ("pass", "x")
        assert "not measured" in read_pending(project.pending())[0].report

    def test_a_step_without_a_known_part_may_be_the_first_divergence(self, project):
        source = """
        state = []
        def f(x): state.append(1); return x + {bias} * len(state)
        def test_model(stages):
            x = stages.record("x", np.arange(1.0, 6.0) + {shift})
            y = stages.step("y", f, x)
            stages.step("z", lambda y: y * 2, y)
        """
        document = owned(project, source.format(bias=1, shift=0), source.format(bias=3, shift=1e-7))
        assert document["first_divergence"] == "y"
        assert "own        : not measured: the step does not repeat" in read_pending(project.pending())[0].report

    @pytest.mark.parametrize("generator", ["np.random", "random", "argument"])
    def test_random_generators_are_left_as_they_were(self, project, generator):
        draw = {"np.random": "np.random.rand()", "random": "random.random()", "argument": "rng.random()"}[generator]
        source = f"""
        import random
        RNG = np.random.default_rng(0)
        def f(x, rng): {draw}; {draw}; return x + 1
        @pytest.fixture
        def drawn():
            rng = RNG
            np.random.seed(0); random.seed(0)
            yield
            seen = {draw}
            rng = np.random.default_rng(0)
            np.random.seed(0); random.seed(0)
            {draw}; {draw}
            assert seen == {draw}
        def test_model(stages, drawn):
            x = stages.record("x", np.arange(1.0, 6.0) * {{gain}})
            stages.step("y", f, x, RNG)
        """
        stage = owned(project, source.format(gain=1), source.format(gain=2))["stages"]["y"]
        assert stage["own_verdict"] == "pass"

    def test_an_input_changed_after_it_was_recorded_is_not_taken_for_it(self, project):
        source = """
        def test_model(stages):
            x = stages.record("x", np.arange(1.0, 6.0) * {gain})
            {change}
            stages.step("y", lambda x: x + 1, x)
        """
        healthy, changed = source.format(gain=1, change="pass"), source.format(gain=2, change="x += 3")
        assert "'x' was changed in place" in owned(project, healthy, changed)["stages"]["y"]["own_note"]
        project.write(source.format(gain=1.0000001, change="x += 3"))
        project.run().assert_outcomes(failed=1)
        assert "'x' was changed in place" in told(project)["stages"]["y"]["own_note"]

    def test_steps_that_change_their_input_in_place_are_told_apart_once_a_stage_has_failed(self, project):
        """A solver that reuses its buffer: from the first failing stage on, copies of what was recorded are at hand."""
        source = """
        def solve(x):
            x *= 0.5
            return x
        def test_model(stages):
            x = stages.record("x", np.arange(1.0, 6.0) * {gain})
            for i in range(3):
                x = stages.step(f"ode/{{i}}", solve, x)
        """
        document = owned(project, source.format(gain=1), source.format(gain=2))
        assert [document["stages"][f"ode/{i}"]["own_verdict"] for i in range(3)] == ["pass"] * 3

    def test_axes_of_an_input_that_are_not_declared_are_not_guessed(self, project):
        source = """
        def test_model(stages):
            x = stages.record("x", np.arange(6.0).reshape(2, 3){transposed})
            stages.step("y", lambda x: x + 1, x)
        """
        document = owned(project, source.format(transposed=""), source.format(transposed=".T"))
        assert "is 3x2, the golden's 2x3; declare axes= on both sides" in document["stages"]["y"]["own_note"]


PORT = """
@parity(tol_db=0.05)
def test_reference(stages):
    x = stages.record("x", np.linspace(-1, 1, 240, dtype=np.float32).reshape(2, 3, 40), axes="BCT")
    y = stages.record("y", x * 2, axes="BCT")
    stages.record("z", y.sum(axis=1), axes="BT")
@parity(golden="test_model/test_reference", port=True, {keywords})
def test_port(stages):
    {body}
"""


class TestPorts:
    def run(self, project, body, keywords="tol_db=0.05"):
        lines = "\n    ".join(body)
        project.write(PORT.format(body=lines, keywords=keywords))
        assert project.run("--update-golden", "-k", "reference").ret == 0
        project.run("-k", "port").assert_outcomes(failed=1)
        return told(project, "test_model/test_port")

    def test_the_goldens_inputs_come_in_the_ports_axis_order(self, project):
        body = [
            "x = np.ascontiguousarray(np.linspace(-1, 1, 240, dtype=np.float32).reshape(2, 3, 40).transpose(0, 2, 1))",
            "x = stages.record('x', x * np.float32(1.5), axes='BTC')",
            "y = stages.record('y', x * 2, axes='BTC')",
            "def total(y): assert y.shape == (2, 40, 3), y.shape; return y.sum(axis=2)",
            "stages.step('z', total, y)",
        ]
        document = self.run(project, body)
        assert document["first_divergence"] == "x"
        assert document["stages"]["z"]["own_verdict"] == "pass"
        assert document["stages"]["z"]["own_deviation_db"] < 0.001

    @pytest.mark.usefixtures("torch_there")
    @pytest.mark.parametrize("precision", ["fp16", "bf16"])
    def test_the_goldens_inputs_come_in_the_ports_precision(self, project, precision):
        dtype = {"fp16": "torch.float16", "bf16": "torch.bfloat16"}[precision]
        body = [
            "import torch",
            f"x = torch.linspace(-1, 1, 240).reshape(2, 3, 40).to({dtype})",
            "x = stages.record('x', x * 1.5)",
            f"def double(x): assert x.dtype == {dtype} and type(x) is torch.Tensor; return x * 2",
            "y = stages.step('y', double, x)",
            f"def total(y): assert y.dtype == {dtype}; return y.sum(1) * 2",
            "stages.step('z', total, y)",
        ]
        document = self.run(project, body, f"precision={precision!r}")
        assert document["first_divergence"] == "x"
        assert (document["stages"]["y"]["own_verdict"], document["stages"]["z"]["own_verdict"]) == ("pass", "fail")
        assert document["stages"]["z"]["own_deviation_db"] == pytest.approx(6.02, abs=0.1)

    def test_a_wrong_dtype_is_the_fault_of_the_step_that_made_it(self, project):
        body = [
            "x = stages.record('x', np.linspace(-1, 1, 240, dtype=np.float32).reshape(2, 3, 40))",
            "y = stages.step('y', lambda x: x.astype(np.float64) * 2, x)",
            "stages.step('z', lambda y: y.sum(axis=1), y)",
        ]
        document = self.run(project, body)
        assert document["first_divergence"] == "y"
        assert document["stages"]["z"]["own_verdict"] == "pass"


@pytest.mark.usefixtures("torch_there")
class TestTorch:
    def test_gradients_inference_and_autocast_are_as_they_were(self, project):
        source = """
        import torch
        seen = []
        def note(x):
            state = (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"))
            seen.append((*state, x.requires_grad, x.is_leaf, x.is_inference(), x.dtype))
            return x * 2
        def test_model(stages):
            start = torch.linspace(-1, 1, 12) * {gain}
            x = stages.record("x", start.clone().requires_grad_())
            y = stages.step("y", note, x)
            stages.step("grad", note, y)
            with torch.no_grad():
                stages.step("no_grad", note, y)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                stages.step("autocast", note, x)
            with torch.inference_mode():
                v = stages.record("v", start * 1.0)
                stages.step("inference", note, v)
        def test_seen():
            first, again = seen[:5], seen[5:]
            assert again == ([] if {gain} == 1 else [one for one in first for _ in range(2)]), seen
        """
        document = owned_two(project, source.format(gain=1), source.format(gain=2))
        verdicts = {name: stage["own_verdict"] for name, stage in document["stages"].items()}
        assert verdicts == {"x": None, "v": None} | dict.fromkeys(
            ("y", "grad", "no_grad", "autocast", "inference"), "pass"
        )

    def test_in_place_layers_run_again(self, project):
        source = """
        import torch
        def test_model(stages):
            linear = torch.nn.Linear(3, 3)
            with torch.no_grad(): linear.weight.fill_(0.5), linear.bias.fill_(0.1)
            x = stages.step("x", linear, torch.linspace(-1, 1, 12).reshape(4, 3) * {gain})
            y = stages.step("y", torch.nn.ReLU(inplace=True), x)
            stages.step("z", torch.nn.ReLU(inplace=True), y)
        """
        stages = owned(project, source.format(gain=1), source.format(gain=2))["stages"]
        assert (stages["y"]["own_verdict"], stages["z"]["own_verdict"]) == ("pass", "pass")

    def test_the_global_generators_are_left_as_they_were(self, project):
        source = """
        import torch
        import mlx.core as mx
        def draw(x): torch.rand(3); mx.eval(mx.random.uniform(shape=(3,))); return x + 1
        @pytest.fixture
        def drawn():
            torch.manual_seed(0); mx.random.seed(0)
            yield
            seen = torch.rand(1).item(), mx.random.uniform().item()
            torch.manual_seed(0); mx.random.seed(0)
            draw(0)
            assert seen == (torch.rand(1).item(), mx.random.uniform().item())
        def test_model(stages, drawn):
            x = stages.record("x", torch.arange(1.0, 6.0) * {gain})
            stages.step("y", draw, x)
        """
        assert owned(project, source.format(gain=1), source.format(gain=2))["stages"]["y"]["own_verdict"] == "pass"


def owned_two(project, healthy, faulty):
    """As `owned`, of a file with a second test that passes."""
    project.write(healthy)
    assert project.run("--update-golden").ret == 0
    project.write(faulty)
    project.run().assert_outcomes(failed=1, passed=1)
    return told(project)


def test_a_function_may_have_arguments_called_as_those_of_step(project):
    project.write("""
    def test_model(stages):
        stages.step("y", lambda name, function: np.ones(name) * function, name=3, function=2.0)
    """)
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    assert project.tensors()["y"].tolist() == [2, 2, 2]


SOLVER = """
from pytest_audioparity import parity
DATA = np.random.default_rng(0).standard_normal((8, 40))
def step(x, dt):
    return x + dt * np.tanh(DATA - x)
@parity
def test_model(stages):
    x = stages.record("noise", np.random.default_rng(1).standard_normal((8, 40)))
    for i, dt in enumerate({steps}):
        x = stages.step(f"ode/{{i}}", step, x, dt)
"""


def test_a_step_that_adds_the_right_thing_too_often_is_told_so(project):
    """Of a solver with other time steps, the first step is off by a factor of what it adds: 0.8 dB that fit nothing."""
    healthy, faulty = (SOLVER.format(steps=steps) for steps in ([0.01, 0.03], [0.08, 0.24]))
    document = owned(project, healthy, faulty)
    assert document["first_divergence"] == "ode/0"
    first, second = document["stages"]["ode/0"], document["stages"]["ode/1"]
    assert [finding["code"] for finding in first["findings"]] == ["gain"]
    assert first["own_findings"] == first["findings"]
    assert first["findings"][0]["detail"] == pytest.approx({"gain": 8, "input": "noise"})
    assert second["own_findings"][0]["detail"] == pytest.approx({"gain": 8, "input": "ode/0"})


def test_an_output_of_the_goldens_inputs_that_is_another_stage_is_called_that(project):
    """Two parts of a head are exchanged, behind a deviation that the step inherited and that is allowed."""
    source = """
    @parity(tol_db=0.5)
    def test_model(stages):
        x = stages.record("x", np.random.default_rng(0).standard_normal((2, 8, 50)) * {gain}, axes="BCT")
        for name, part in {parts}.items():
            stages.record(name, stages.step(f"{{name}}/raw", lambda x, i: np.sin((i + 1) * x), x, part) * 2)
    """
    healthy = source.format(gain=1.0, parts={"low": 0, "mid": 1, "high": 2})
    faulty = source.format(gain=1.001, parts={"low": 0, "mid": 2, "high": 1})
    stages = owned(project, healthy, faulty)["stages"]
    (finding,) = stages["mid/raw"]["own_findings"]
    assert (finding["code"], finding["detail"]["stage"]) == ("stale", "high/raw")
