"""Own and inherited deviations of a chain of gains, by addition of decibels."""

from __future__ import annotations

import pytest

from pytest_audioparity.golden.pending import read_pending

CHAIN = """
GAINS_DB = {gains}
@parity
def test_model(stages):
    x = stages.record("start", np.sin(np.arange(200.0)))
    for i, gain in enumerate(GAINS_DB):
        x = stages.step(f"step/{{i}}", lambda x, gain=gain: np.roll(x, 3) * 10 ** (gain / 20), x)
"""


@pytest.mark.parametrize("gains", [[0, 2, 0, 3], [1.5, 0, -1.5, 0.5], [4, -4, 0, 0]])
def test_gains_of_a_chain_add_up_and_each_step_owns_its_part(project, gains):
    """A step deviates by the sum of all gains so far, and with the golden's inputs by its own gain alone."""
    project.write(CHAIN.format(gains=[0] * len(gains)))
    project.run("--update-golden")
    project.write(CHAIN.format(gains=gains))
    project.run()
    document = read_pending(project.pending("test_model/test_model"))[0].result
    steps = [stage for stage in document["stages"] if stage["name"].startswith("step/")]
    sums = [sum(gains[: place + 1]) for place in range(len(gains))]
    assert [stage["deviation_db"] for stage in steps] == pytest.approx([abs(one) for one in sums], abs=1e-9)
    for stage, own, whole in zip(steps, gains, sums, strict=True):
        assert stage["verdict"] == ("fail" if whole else "pass")
        if whole:
            assert stage["own_deviation_db"] == pytest.approx(abs(own), abs=1e-9)
    assert document["first_divergence"] == f"step/{next(place for place, gain in enumerate(gains) if gain)}"
