"""The commands that review what waits: pending, show, accept, reject."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from pytest_audioparity.cli.scope import scope_of
from pytest_audioparity.cli.terminal import FAILED, PASSED, ask, is_interactive, say, say_json
from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.report.numbers import counted, size_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from pytest_audioparity.cli.scope import Scope
    from pytest_audioparity.golden.pending import Change
    from pytest_audioparity.review.decisions import Decision
    from pytest_audioparity.review.waiting import Waiting

_SCHEMA = 1


def pending(parsed: argparse.Namespace) -> int:
    """List what waits."""
    from pytest_audioparity.cli.listing import document, listed, way_on

    scope = scope_of(parsed)
    if parsed.json:
        entries = [document(entry) for entry in scope.picked]
        say_json({"schema": _SCHEMA, "pending": entries, "damaged": list(scope.damaged)})
    else:
        for entry in scope.picked:
            say("\n".join(listed(entry, scope)))
        say("\n".join(way_on(scope)))
    return _status(parsed, scope)


def show(parsed: argparse.Namespace) -> int:
    """Show the stored report of what waits."""
    from pytest_audioparity.cli.listing import document, nothing, reported
    from pytest_audioparity.report.json import plain

    scope = scope_of(parsed)
    if len(scope.picked) > 1 and not parsed.names:
        names = ", ".join(entry.name for entry in scope.picked)
        raise AudioparityError(f"{len(scope.picked)} tests wait, name one or '*': {names}")
    if parsed.json:
        entries = [
            {**document(entry), "report": entry.pending.report, "result": plain(entry.pending.result)}
            for entry in scope.picked
        ]
        say_json({"schema": _SCHEMA, "pending": entries, "damaged": list(scope.damaged)})
    else:
        aside = _ports_aside(scope, parsed.names)
        for entry in scope.picked:
            if entry not in aside:
                say("\n".join(reported(entry, scope)))
        if aside:
            said = "its port waits too" if len(aside) == 1 else "its ports wait too"
            say(f"{said}: {scope.command('show', '')} {' '.join(shlex.quote(entry.name) for entry in aside)}")
        if not scope.picked:
            say(nothing(scope))
    return _status(parsed, scope)


def accept(parsed: argparse.Namespace) -> int:
    """Accept what waits."""
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.review import decisions

    if parsed.force and not (parsed.reason or "").strip():
        raise AudioparityError('--force needs --reason "why"; it is stored in the goldens')
    scope = scope_of(parsed)
    shelf = Shelf(store=scope.project.store, cache=scope.project.cache)

    def decide(entry: Waiting) -> Decision:
        return decisions.accept(entry, scope.project, shelf, reason=parsed.reason)

    return _decide(parsed, scope, decide, past="accepted")


def reject(parsed: argparse.Namespace) -> int:
    """Reject what waits."""
    from pytest_audioparity.review import decisions

    scope = scope_of(parsed)
    return _decide(parsed, scope, lambda entry: decisions.reject(entry, scope.project), past="rejected")


def _decide(parsed: argparse.Namespace, scope: Scope, decide: Callable[[Waiting], Decision], *, past: str) -> int:
    from pytest_audioparity.cli.listing import listed
    from pytest_audioparity.review.picking import narrow

    entries = narrow(scope.picked, scope.record, stages=parsed.stage, settings=parsed.setting)
    possible = [entry for entry in entries if past == "rejected" or entry.refused is None]
    if possible and is_interactive() and not (parsed.yes or parsed.json):
        for entry in entries:
            say("\n".join(listed(entry, scope)))
        changes = _counted([change for entry in possible for change in entry.changes])
        if not ask(f"{parsed.action} {changes} of {counted(len(possible), 'test')}?"):
            say("nothing was changed")
            return FAILED
    ports = _ports(entries) if past == "accepted" else []
    made = []
    for entry in entries:
        if entry in ports:
            continue
        made.append(decide(entry))
        if not parsed.json:
            _say_decision(made[-1], past)
    if not parsed.json:
        for entry in ports:
            say(f"{entry.pending.test} is a port of it; run it again")
    _say_rest(parsed, scope, made, past)
    status = _status(parsed, scope)
    return FAILED if any(decision.problem is not None for decision in made) else status


def _counted(changes: Sequence[Change]) -> str:
    """Write how many stages and settings some changes concern."""
    settings = sum(change.is_setting for change in changes)
    numbers = ((len(changes) - settings, "stage"), (settings, "setting"))
    return " and ".join(counted(number, word) for number, word in numbers if number)


def _ports_aside(scope: Scope, names: Sequence[str]) -> list[Waiting]:
    """Return the ports that were picked only because the golden of another picked test was named."""
    from pytest_audioparity.golden.names import SUFFIX
    from pytest_audioparity.golden.pending import IS_PORT

    asked = {name.removesuffix(SUFFIX) for name in names}
    owned = {entry.golden for entry in scope.picked if entry.refused != IS_PORT}
    return [
        entry
        for entry in scope.picked
        if entry.refused == IS_PORT
        and entry.golden in owned
        and entry.pending.golden in asked
        and entry.name not in asked
    ]


def _ports(entries: Sequence[Waiting]) -> list[Waiting]:
    """Return the ports whose golden is being accepted from its owner: they only have to run again."""
    from pytest_audioparity.golden.pending import IS_PORT

    accepted = {entry.golden for entry in entries if entry.refused is None}
    return [entry for entry in entries if entry.refused == IS_PORT and entry.golden in accepted]


def _say_decision(decision: Decision, past: str) -> None:
    entry = decision.entry
    subject = entry.shown if past == "accepted" else entry.pending.test
    done = _counted(decision.done)
    if decision.size_bytes is not None:
        say(f"{past} {subject}: {done} ({size_text(decision.size_bytes)})")
    elif decision.done and past == "accepted":
        say(f"{past} {subject}: {done}, which it has already")
    elif decision.done:
        say(f"{past} {subject}: {done}")
    elif decision.problem is None:
        say(f"{entry.name} was decided by someone else meanwhile")
    if decision.problem is not None:
        say(f"{'' if decision.done else f'not {past} '}{entry.pending.test}: {decision.problem}", error=True)


def _say_rest(parsed: argparse.Namespace, scope: Scope, made: Sequence[Decision], past: str) -> None:
    """Say what is still there after the decisions, as it lies on the disk."""
    from pytest_audioparity.cli.listing import nothing

    left = sum(entry.path.exists() for entry in scope.waiting)
    if parsed.json:
        say_json(
            {
                "schema": _SCHEMA,
                past: [_decision_document(decision) for decision in made if decision.done],
                "failed": [_decision_document(decision) for decision in made if decision.problem is not None],
                "damaged": list(scope.damaged),
                "pending": left,
            }
        )
        return
    if not made:
        asked = [word for word, globs in (("stages", parsed.stage), ("settings", parsed.setting)) if globs]
        among = f" in these {' and '.join(asked)}" if scope.picked else ""
        say(f"{nothing(scope)}{among}")
    if left:
        say(f"{counted(left, 'test')} still {'waits' if left == 1 else 'wait'}: {scope.command('pending')}")


def _decision_document(decision: Decision) -> dict[str, Any]:
    entry = decision.entry
    return {
        "name": entry.name,
        "test": entry.pending.test,
        "golden": entry.shown,
        "stages": [change.name for change in decision.done if not change.is_setting],
        "settings": [change.name for change in decision.done if change.is_setting],
        "size_bytes": decision.size_bytes,
        "problem": decision.problem,
    }


def _status(parsed: argparse.Namespace, scope: Scope) -> int:
    """Say what is damaged, a line each, where no JSON has said it, and return the exit status."""
    for text in scope.damaged if not parsed.json else ():
        say(text.replace("\n", " "), error=True)
    return FAILED if scope.damaged else PASSED
