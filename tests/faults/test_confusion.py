"""How often the diagnosis is right, on faults of a seed that it was not developed with. Everything is seeded."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pytest_audioparity import compare
from pytest_audioparity.check import check_stage, result_of
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.faults import faults_of
from pytest_audioparity.records import StageMeta, StageTensor
from tests.faults import confusion, corpus
from tests.faults.features import log_mel

_SEED = 2026
# Elements of a stage that is diagnosed in a tenth of a second.
_QUICK = 16_000


@pytest.fixture(scope="module")
def cases():
    """Judge one fault per cause of every second small stage: some eight hundred."""
    options = confusion.Options(seed=_SEED, fast=True)
    small = [i for i, stage in enumerate(corpus.stages()) if stage.array.size <= _QUICK]
    return [case for position in small[::2] for case in confusion.cases_of(position, options)]


def test_the_first_finding_is_a_true_one_in_95_of_100(cases):
    """Of every kind of tensor, with and without declared axes."""
    wrong = Counter((case.codes, case.first) for case in cases if not case.right)
    assert len(cases) > 700
    assert sum(wrong.values()) <= 0.05 * len(cases), wrong.most_common(20)


def test_most_causes_are_named_nearly_always(cases):
    """No cause lives on the others' share."""
    shares = {}
    for code in {case.codes[0] for case in cases}:
        some = [case.right for case in cases if case.codes[0] == code]
        if len(some) >= 10:
            shares[code] = sum(some) / len(some)
    assert len(shares) > 30
    assert min(shares.values()) >= 0.7, sorted(shares.items(), key=lambda item: item[1])[:5]
    assert sum(share >= 0.9 for share in shares.values()) >= 0.85 * len(shares)


def test_a_fault_above_the_tolerance_is_never_passed(cases):
    """What is not noticed is below the tolerance by its own number."""
    unseen = [case for case in cases if not case.detected]
    assert all(case.deviation_db is not None and case.deviation_db <= 0.01 for case in unseen)
    assert not {case.codes[0] for case in unseen} & {"missing_stage", "shape", "dtype", "nonfinite", "axes_permuted"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--codes", "gain,nosuch"], "no cause is called 'nosuch'; there are missing_stage, "),
        (["--kind", "mel"], "no kind is called 'mel'; there are tensor, waveform, "),
        (["--stage", "nosuch"], "no stage of such a kind has 'nosuch' in its name; names begin with waveform, mel, "),
        (["--stage", "mel/", "--kind", "codes"], "no stage of such a kind has 'mel/' in its name"),
    ],
)
def test_what_there_is_not_cannot_be_measured(capsys, words, said):
    """One line that says what there is, before anything is measured."""
    with pytest.raises(SystemExit) as stopped:
        confusion.main(words)
    assert stopped.value.code == 2
    assert f"error: {said}" in capsys.readouterr().err


def _steps(rng):
    """Return the steps of a small network over frames of 80 channels: what each makes of the one before."""
    weights = [rng.standard_normal((80, 80)) / 9 for _ in range(4)]
    kernel = rng.standard_normal((5, 1)) / 2

    def normalised(x):
        return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)

    return {
        "norm": normalised,
        "in": lambda x: x @ weights[0],
        "gelu": lambda x: 0.5 * x * (1 + np.tanh(0.7979 * (x + 0.0447 * x**3))),
        "conv": lambda x: np.stack([np.convolve(row, kernel[:, 0], "same") for row in x.T], axis=1),
        "residual": lambda x: x + np.tanh(x @ weights[1]),
        "norm2": normalised,
        "out": lambda x: x @ weights[2],
        "gate": lambda x: x / (1 + np.exp(-(x @ weights[3]))),
    }


def test_the_first_stage_that_diverges_is_found_in_99_of_100():
    """A fault in one step spoils all that comes after it; the first one is named."""
    rng = np.random.default_rng(_SEED)
    steps = _steps(rng)
    x = log_mel("austen", 80, 1024, 256, "ln")[:, :90].T
    expected = {}
    for name, step in steps.items():
        x = step(x)
        expected[name] = x
    right, wrong = 0, []
    for name, array in expected.items():
        stage = StageTensor(StageMeta(name, axes="TC"), array.astype(np.float32))
        for fault in faults_of(stage, rng=rng):
            if (
                fault.stage is None
                or fault.stage.array.shape != array.shape
                or fault.code in ("extra_stage", "nonfinite")
            ):
                continue
            actual, y, names = {}, fault.stage.array.astype(float), list(steps)
            for later in names[names.index(name) :]:
                y = y if later == name else steps[later](y)
                actual[later] = y
            actual = {**{n: expected[n] for n in names[: names.index(name)]}, **actual}
            with np.errstate(all="ignore"):
                first = _first_divergence(expected, actual)
            if first == name or _passes(array, fault.stage.array):
                right += 1
            else:
                wrong.append((name, fault.code, fault.name, first))
    assert right > 500
    assert len(wrong) <= 0.01 * (right + len(wrong)), wrong


def _first_divergence(expected, actual):
    """Compare without looking for causes, which take most of the time and do not decide this."""
    tolerance = layered(({"dtype": "any"},), "*")
    metas = {name: StageMeta(name, axes="TC") for name in expected}
    results = {
        name: check_stage(StageTensor(meta, expected[name]), StageTensor(meta, actual[name]), tolerance, causes=False)
        for name, meta in metas.items()
    }
    return result_of(results, expected_order=expected, actual_order=actual).first_divergence


def _passes(expected, actual):
    """Whether a fault is smaller than the tolerance, so that it may show only where later steps amplify it."""
    return compare(expected, actual, dtype="any").passed


def test_faults_made_by_computing_wrongly_are_named():
    """Of a port's own kind: another window, floor or scale of mel, a clamp to 16 bits, 8-bit samples."""
    cases = confusion.measure_ports()
    wrong = [(case.name, case.first) for case in cases if not case.right]
    assert len(cases) > 35
    assert len(wrong) <= 0.05 * len(cases), wrong


def test_two_faults_at_once_are_both_named_in_most_cases():
    """The first finding is one of the two, and both are named more often than not, unless one is rounding."""
    options = confusion.Options(seed=_SEED, mode="compounds")
    small = [i for i, stage in enumerate(corpus.stages()) if stage.array.size <= _QUICK]
    cases = [case for position in small[::4] for case in confusion.cases_of(position, options)]
    cases = [case for case in cases if "rounding" not in case.codes]
    assert len(cases) > 100
    assert sum(case.first in case.codes for case in cases) >= 0.7 * len(cases)
    assert sum(set(case.codes) <= set(case.found) for case in cases) >= 0.5 * len(cases)
