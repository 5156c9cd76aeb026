"""Converts each model once per run."""

from collections.abc import Callable
from pathlib import Path

import conversion
import pytest


@pytest.fixture(scope="session")
def reference_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of the published weights."""
    return conversion.reference(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the file of a runtime's encoder."""
    folder, done = tmp_path_factory.mktemp("converted"), {}

    def path(runtime: str) -> Path:
        if runtime not in done:
            done[runtime] = conversion.convert(runtime, folder)
        return done[runtime]

    return path
