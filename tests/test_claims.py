"""Which test owns a golden in a run, and which ports have to wait."""

from __future__ import annotations

from pathlib import Path

from pytest_audioparity.claims import Claims

GOLDEN, OTHER = Path("golden/test_a/test_a.safetensors"), Path("golden/test_b/test_b.safetensors")
OWNER, SECOND = ("test_a.py::test_a", Path("test_a.py")), ("test_b.py::test_b", Path("test_b.py"))


def test_the_first_test_that_claims_a_golden_owns_it():
    """Goldens that one file system may take for the same are the same."""
    claims = Claims()
    assert claims.claim(GOLDEN, OWNER) == OWNER
    assert claims.claim(GOLDEN, SECOND) == OWNER
    assert claims.claim(Path("golden/TEST_A/test_a.safetensors"), SECOND) == OWNER
    assert claims.claim(OTHER, SECOND) == SECOND


def test_a_port_waits_for_an_owner_that_has_not_run_or_has_written():
    """An owner in another run, or one that left its golden as it was, does not hold up a port."""
    claims = Claims()
    claims.claim(GOLDEN, OWNER)
    assert (claims.waits(GOLDEN), claims.waits(OTHER)) == (True, False)
    claims.settle(GOLDEN, written=False)
    assert not claims.waits(GOLDEN)
    claims.settle(GOLDEN, written=True)
    assert claims.waits(GOLDEN)
    assert not Claims().waits(GOLDEN)
