"""What a JUnit file says of a parity test beside passed or failed: one property per number or name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.report.brief import audio_verdict, finding_code, first_stage, is_infinite
from pytest_audioparity.report.plain_text import clean_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "audioparity."
# How XML Schema writes it (its type double); JavaScript and Java do not read Python's "inf" either.
_INFINITE = "INF"


def properties(account: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the properties of a test as names and texts; what does not exist is left out.

    Numbers are those of the first divergence, or of the stage that is farthest off where all pass.

    Parameters
    ----------
    account : what the record of the run says of the test
    """
    stage = first_stage(account)
    if stage is None and account.get("first_divergence") is None:
        stage = _farthest(account)
    said = {
        "verdict": account.get("verdict"),
        "outcome": account.get("outcome"),
        "golden": account.get("golden"),
        "first_divergence": account.get("first_divergence"),
        "second_jump": (account.get("second_jump") or {}).get("stage"),
        "finding": finding_code(account),
        "audio": audio_verdict(account),
        **({} if stage is None else _numbers(stage)),
    }
    return [(f"{_PREFIX}{name}", clean_line(str(value))) for name, value in said.items() if value is not None]


def _numbers(stage: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        "deviation_db": _INFINITE if is_infinite(stage) else _number(stage.get("deviation_db")),
        "own_deviation_db": _number(stage.get("own_deviation_db")),
        "tol_db": None if stage.get("match") is not None else _number(stage.get("tol_db")),
        "match": _number(stage.get("match")),
    }


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"


def _farthest(account: Mapping[str, Any]) -> Mapping[str, Any] | None:
    measured = [stage for stage in account.get("stages") or () if stage.get("deviation_db") is not None]
    return max(measured, key=lambda stage: float(stage["deviation_db"]), default=None)
