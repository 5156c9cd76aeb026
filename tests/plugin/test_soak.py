"""A hundred failing tests: memory does not grow with their stages, and what is kept for review has its limit.

`python -m benchmarks soak` is the same with thousands.
"""

from __future__ import annotations

import os

import pytest

from benchmarks.soak import soak

# Each test obtains 0.2 MB and compares them with as much: were they kept, 75 tests would take 15 MB and more.
_STAGE_MB, _LIMIT_MB = 0.2, 2.0
_FEW, _MANY = 25, 100
# What pytest and the run's record keep of a failing test, its report among it: 10 to 45 kB were measured.
_KEPT_MB = 0.1


@pytest.mark.skipif(not hasattr(os, "link"), reason="goldens are links")
def test_failing_tests_leave_memory_and_disk_bounded(tmp_path):
    """From 25 to 100 failing tests memory grows by their texts; the newest stay for review, and the others are told."""
    soaked = soak(tmp_path, "stages", tests=_MANY, mb=_STAGE_MB, pending_mb=_LIMIT_MB)
    grown = soaked.peak("pytest", _MANY) - soaked.peak("pytest", _FEW)
    assert grown < (_MANY - _FEW) * _KEPT_MB
    assert soaked.largest_disk_mb <= _LIMIT_MB
    assert soaked.left
    newest = [f"test_model-{number}" for number in range(_MANY - len(soaked.left), _MANY)]
    assert sorted(soaked.left) == sorted(newest)
    (said,) = soaked.said
    assert f"what {_MANY - len(soaked.left)} tests obtained made room" in said
