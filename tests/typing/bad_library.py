"""What callers of the library get wrong: each marked line is refused by both checkers, and no other line is.

After `E:` stand the codes of mypy's errors, then those of pyright's; each once, by name.
"""

# pyright: standard, reportUnnecessaryComparison=true

# ruff: noqa: B018, I001, T201 - misuse is the point

from __future__ import annotations

from pytest_audioparity import (
    assert_parity,
    assert_sampler,
    check_output,
    check_roundtrip,
    compare,
    compare_weights,
    score,
)
from pytest_audioparity import partiy  # E: attr-defined | reportAttributeAccessIssue

compare([1.0], [1.0], tol_dB=0.1)  # E: call-overload | reportCallIssue
compare([1.0], [1.0], kind="spectrum")  # E: call-overload | reportArgumentType reportCallIssue
assert_parity([1.0], [1.0], stages={"mel": 0.1})  # E: dict-item | reportArgumentType
score([1.0], [1.0])  # E: call-arg | reportCallIssue
compare([1.0], [1.0]).deviation  # E: attr-defined | reportAttributeAccessIssue
check_output([1.0], [1.0], min_sdr=10)  # E: call-arg | reportCallIssue
check_roundtrip(encode=list, decode=list, min_stoi=0.9)  # E: call-arg | reportCallIssue
compare_weights("a.pt", "b.pt", precision="fp4")  # E: arg-type | reportArgumentType
assert_sampler(list, [0.1], temprature=0.8)  # E: call-arg | reportCallIssue
assert_sampler(list, [0.1], order=("top_q",))  # E: arg-type | reportArgumentType

if compare([1.0], [1.0]).verdict == "failed":  # E: comparison-overlap | reportUnnecessaryComparison
    print(partiy)
