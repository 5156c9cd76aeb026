"""A score as the text of a cache entry, and back, to the last bit.

It is JSON with Python's `Infinity`, because infinite is a true value here. Whatever reads as a score was written by
`stored_text`: the text holds its own hash and its key, and every field is checked.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from pytest_audioparity.audio.measures import UNITS
from pytest_audioparity.audio.records import VERDICTS, Measure, Score
from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.records import NOT_MEASURED, Finding

_FORMAT = 2
_ALIGNED_BY = ("waveform", "envelopes", "warp", "jumps", "none")
_SPANS = ("garbled_seconds", "invented_seconds", "estoi_over_time")
_PAIRS = ("uncovered_seconds", "surplus_seconds")


def stored_text(key: str, score: Score) -> bytes | None:
    """Return the content of an entry; None where the score would not come back equal, so that it is not kept."""
    body: dict[str, Any] = {
        "verdict": score.verdict,
        "findings": [[f.code, f.message, f.explains, dict(f.detail)] for f in score.findings],
        "measures": {name: [m.value, m.implementation, m.not_measured] for name, m in score.measures.items()},
        "sample_rate": score.sample_rate,
        "lag_samples": score.lag_samples,
        "aligned_by": score.aligned_by,
        **{name: getattr(score, name) for name in (*_PAIRS, *_SPANS)},
    }
    try:
        text = json.dumps([_FORMAT, key, body], separators=(",", ":")).encode()
    except (TypeError, ValueError):
        return None
    entry = content_hash(memoryview(text)).encode() + b"\n" + text
    return entry if read_stored(key, entry) == score else None


def read_stored(key: str, entry: bytes) -> Score | None:
    """Return the score of an entry; None where it is damaged, of another format or not of this key."""
    digest, _, text = entry.partition(b"\n")
    if content_hash(memoryview(text)).encode() != digest:
        return None
    try:
        form, own, body = json.loads(text, parse_constant=_infinite)
        if form != _FORMAT or own != key:
            return None
        return _score(body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _infinite(constant: str) -> float:
    value = float(constant)
    if math.isnan(value):
        raise ValueError(constant)
    return value


def _score(body: dict[str, Any]) -> Score:
    measures = body.pop("measures")
    if set(measures) != set(UNITS):
        _refuse("measures")
    score = Score(
        verdict=body.pop("verdict"),
        findings=tuple(_finding(*finding) for finding in body.pop("findings")),
        measures={name: _measure(name, *fields) for name, fields in measures.items()},
        sample_rate=_whole(body.pop("sample_rate")),
        lag_samples=_whole_or_none(body.pop("lag_samples")),
        aligned_by=body.pop("aligned_by"),
        uncovered_seconds=_pair(body.pop("uncovered_seconds")),
        surplus_seconds=_pair(body.pop("surplus_seconds")),
        garbled_seconds=tuple(_pair(span) for span in body.pop("garbled_seconds")),
        invented_seconds=tuple(_pair(span) for span in body.pop("invented_seconds")),
        estoi_over_time=tuple(_pair(pair) for pair in body.pop("estoi_over_time")),
    )
    if body or score.verdict not in (*VERDICTS, NOT_MEASURED) or score.aligned_by not in _ALIGNED_BY:
        _refuse("fields")
    return score


def _measure(name: str, value: Any, implementation: Any, reason: Any) -> Measure:
    if (value is None) != isinstance(reason, str) or not isinstance(implementation, str):
        _refuse(name)
    if value is not None and (reason is not None or not isinstance(value, float)):
        _refuse(name)
    return Measure(value, UNITS[name], implementation, reason)


def _finding(code: Any, message: Any, explains: Any, detail: Any) -> Finding:
    if code not in VERDICTS or not isinstance(message, str) or not isinstance(detail, dict):
        _refuse("findings")
    if explains is not None and not isinstance(explains, float):
        _refuse("findings")
    return Finding(code, message, explains, detail)


def _pair(value: Any) -> tuple[float, float]:
    start, end = value
    if not isinstance(start, float) or not isinstance(end, float):
        _refuse("seconds")
    return start, end


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse("whole numbers")
    return int(value)


def _whole_or_none(value: Any) -> int | None:
    return None if value is None else _whole(value)


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)
