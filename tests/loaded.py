"""What runs of pytest inside of a test find loaded already.

pytester drops every module that an inner run imports first. Extension modules load only once, caches go with their
module, and the package would be read, rewritten for its asserts and compiled again in each of thousands of runs.
"""

from __future__ import annotations

import importlib
import pkgutil

import pytest_audioparity

_EXTENSIONS = ("ml_dtypes", "numpy.fft", "scipy.optimize", "scipy.signal", "soundfile", "soxr", "xxhash")


def load_package() -> None:
    """Import every module of the package, and the extension modules that it imports only where it needs them."""
    modules = (found.name for found in pkgutil.walk_packages(pytest_audioparity.__path__, "pytest_audioparity."))
    for name in (*_EXTENSIONS, *modules):
        if not name.endswith("__main__"):
            importlib.import_module(name)
