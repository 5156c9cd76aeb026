"""What tests of captures record into."""

from __future__ import annotations

import pytest

from pytest_audioparity.recording import Recording
from pytest_audioparity.spec import Spec
from pytest_audioparity.stages import Stages


@pytest.fixture
def recording(tmp_path):
    """Make a recording without a golden, which keeps all that it takes."""
    return Recording(spec=Spec(layers=(), only=None), path=tmp_path / "golden" / "test.safetensors")


@pytest.fixture
def stages(recording):
    """Give what a test records into it with."""
    return Stages(recording)
