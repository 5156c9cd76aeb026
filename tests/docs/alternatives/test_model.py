"""The same tests for every tool, whose `conftest.py` says what `check` is: one for each case of `model`."""

from __future__ import annotations

import model
import pytest


def of_case(name):
    def test(check):
        assert name != "early" or model.FAULT != "update"
        check(getattr(model, name)(), atol=2.0 if name == "words" else None)
        assert name != "late" or model.FAULT != "update"

    return test


globals().update({f"test_{name}": of_case(name) for name in model.CASES})


@pytest.mark.parametrize("gain", [1, 2])
def test_parameters(check, gain):
    check({"a": gain * model.LINE}, atol=None)
