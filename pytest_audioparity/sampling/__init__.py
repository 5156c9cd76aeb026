"""Whether a sampler draws tokens from the distribution that its settings promise; `docs/sampling.md` explains it."""

from __future__ import annotations

from pytest_audioparity.sampling.records import FaultPower, SamplerResult
from pytest_audioparity.sampling.verdict import assert_sampler, check_sampler

__all__ = ["FaultPower", "SamplerResult", "assert_sampler", "check_sampler"]
