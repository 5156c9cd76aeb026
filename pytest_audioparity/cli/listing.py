"""What waits, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.cli.terminal import age_text
from pytest_audioparity.golden.pending import IS_PORT
from pytest_audioparity.report.json import plain
from pytest_audioparity.report.numbers import counted
from pytest_audioparity.report.plain_text import cells, padded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.cli.scope import Scope
    from pytest_audioparity.review.waiting import Waiting


def document(entry: Waiting) -> dict[str, Any]:
    """Return an entry as a JSON-ready dictionary. What its file says is checked: it may come from anywhere."""
    pending, stages, settings = entry.pending, _rows(entry, "stages"), _rows(entry, "settings")
    first = pending.result.get("first_divergence")
    return {
        "name": entry.name,
        "test": pending.test,
        "golden": entry.shown,
        "file": str(entry.path),
        "status": "new" if entry.is_new else "changed",
        "acceptable": entry.refused is None,
        "refused": entry.refused,
        "forcible": entry.forcible,
        "obtained": pending.obtained,
        "run": pending.run,
        "stages": [
            {
                "name": change.name,
                "change": change.change,
                "text": change.text,
                "deviation_db": _number(stages.get(change.name, {}).get("deviation_db")),
            }
            for change in entry.changes
            if not change.is_setting
        ],
        "settings": [
            {
                "name": change.name,
                "change": change.change,
                "text": change.text,
                "expected": plain(settings.get(change.name, {}).get("expected")),
                "actual": plain(pending.settings.get(change.name)),
            }
            for change in entry.changes
            if change.is_setting
        ],
        "first_divergence": first if isinstance(first, str) else None,
    }


def _rows(entry: Waiting, key: str) -> dict[str, dict[str, Any]]:
    """Return what the result says of stages or settings, by their names."""
    listed = entry.pending.result.get(key)
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return {row["name"]: row for row in rows if isinstance(row.get("name"), str)}


def _number(value: object) -> float | None:
    number = plain(value)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


def listed(entry: Waiting, scope: Scope) -> Iterator[str]:
    """Write one entry of the list."""
    yield entry.pending.test
    word = "would create" if entry.is_new else "differs from" if entry.refused == IS_PORT else "would change"
    yield f"  {word} {entry.shown}, obtained {age_text(entry.pending.obtained)}{_origin(entry, scope)}"
    width = min(max((cells(change.label) for change in entry.changes), default=0), 40)
    for change in entry.changes:
        yield f"  {padded(change.label, width)}  {change.text}"
    if entry.refused is not None:
        yield f"  cannot be accepted: {entry.refused}"


def nothing(scope: Scope) -> str:
    """Say that nothing waits, of what was asked for."""
    return f"nothing is pending{' for ' if scope.idle else ''}{', '.join(scope.idle)}"


def _origin(entry: Waiting, scope: Scope) -> str:
    if scope.record is None or scope.record.id == entry.pending.run:
        return ""
    return f" by run {entry.pending.run}, not the last one"


def way_on(scope: Scope) -> Iterator[str]:
    """Say what can be done with what was listed."""
    if not scope.picked:
        yield nothing(scope)
        return
    ready = sum(entry.refused is None for entry in scope.picked)
    yield ""
    yield f"{counted(len(scope.picked), 'test')} wait{'s' if len(scope.picked) == 1 else ''}, {ready} can be accepted"
    name = scope.picked[0].name if len(scope.waiting) > 1 else ""
    for label, action in (("look", "show"), ("accept", "accept"), ("reject", "reject")):
        if action != "accept" or ready:
            yield f"{label:<7}: {scope.command(action, name if action == 'show' else '')}"


def _without_ways_on(lines: list[str]) -> Iterator[str]:
    """Leave out the commands at the end of a report: they were for where the test ran, those for here come below."""
    last = max((place for place, line in enumerate(lines) if not line.strip()), default=len(lines))
    yield from lines[:last]
    yield from (line for line in lines[last:] if not line.startswith(("accept: ", "review: ")))


def reported(entry: Waiting, scope: Scope) -> Iterator[str]:
    """Write one entry with the report that was stored: nothing is computed again."""
    yield entry.pending.test
    yield "\n".join(_without_ways_on(entry.pending.report.strip("\n").split("\n")))
    yield ""
    yield from list(listed(entry, scope))[1:]
    yield f"obtained: {entry.path}"
    if entry.refused is None:
        yield f"accept: {scope.command('accept', entry.name)}"
    elif entry.forcible:
        yield f"accept all the same: {scope.command('accept', entry.name)} --force --reason 'why'"
    yield f"reject: {scope.command('reject', entry.name)}"
    yield ""
