"""The planted bugs that TTS_FAULT switches on: in the graph of the package, in the port, or in both."""

from __future__ import annotations

import os
from collections.abc import Collection

import hibari_port
import hibari_trace

ALL = tuple(dict.fromkeys((*hibari_trace.FAULTS, *hibari_port.FAULTS)))


def switched_on(known: Collection[str]) -> frozenset[str]:
    """Return those of `known` that TTS_FAULT names; a name that nobody knows is refused."""
    named = filter(None, os.environ.get("TTS_FAULT", "").split(","))
    return hibari_trace.checked_faults(list(named), ALL) & set(known)
