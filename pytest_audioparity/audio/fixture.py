"""What the fixture `recogniser` returns where a project does not override it."""

from __future__ import annotations

import pytest

from pytest_audioparity.audio.recognition import Recogniser, default_recogniser
from pytest_audioparity.errors import AudioparityError


def recogniser_or_failure() -> Recogniser:
    """Return the default recogniser; without its package the test fails with one line that says what to install."""
    try:
        return default_recogniser()
    except AudioparityError as error:
        pytest.fail(str(error), pytrace=False)
