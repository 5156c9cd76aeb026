"""What the terminal says of goldens and audits at the end of a run: a few lines, or none when all is well."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_audioparity.golden.names import SUFFIX, VARIANT_SIGN
from pytest_audioparity.options import FROM_JOB, is_job
from pytest_audioparity.report.numbers import counted, cut, decibel, size_text
from pytest_audioparity.report.plain_text import clean_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_audioparity.runs import RunRecord
    from pytest_audioparity.settings import Settings

# Of orphans and variants, which are no news; -v shows all.
_SHOWN = 10


def summary_lines(
    record: RunRecord, *, asked: Collection[str] = (), warnings: Iterable[str] = (), show_all: bool = False
) -> list[str]:
    """Describe what a run did to goldens and found about them, in lines that are safe to show.

    Parameters
    ----------
    record : the run
    asked : the tests whose golden was to be written if need be, so that a refusal is news
    warnings : what went wrong around the run
    show_all : whether long lists are shown to their end
    """
    tests = record.tests
    lines = [line for test in tests if test.get("change") for line in _change(test)]
    if any(test["change"].get("to_push") and not test["change"]["planned"] for test in tests if test.get("change")):
        lines.append("their tensors are in the cache only; share them with: audioparity golden push")
    if count := planned_count(record):
        lines.append(f"{counted(count, 'golden')} would be written (--golden-plan), so this run counts as failed")
    lines += [f"not updated: {test['test']}: {test['refused']}" for test in tests if _is_refused(test, asked)]
    lines += _cut([_variant(test, record) for test in tests if test.get("variant")], show_all=show_all)
    orphans = [f"orphan {_path(record, orphan.golden)} (no collected test owns it)" for orphan in record.orphans]
    lines += _cut([f"{line}; delete with: audioparity golden prune" for line in orphans], show_all=show_all)
    if count := sum(bool(test.get("pending")) for test in tests):
        left = f"{counted(count, 'test')} left what {'it' if count == 1 else 'they'} obtained"
        lines.append(f"{left}; review: audioparity golden pending{FROM_JOB if is_job() else ''}")
    if count := sum(bool(test.get("removed")) for test in tests):
        gone = f"what {counted(count, 'test')} obtained made room for later ones"
        lines.append(f".audioparity is full: {gone} (ini audioparity_pending_mb)")
    said = dict.fromkeys((*warnings, *(test["warning"] for test in tests if test.get("warning"))))
    lines += [f"warning: {text}" for text in said]
    return [clean_line(line) for line in lines]


def audit_sections(settings: Settings, tests: Sequence[Mapping[str, Any]], *, show_all: bool) -> dict[str, list[str]]:
    """Return what the audits found that were asked for, by the title under which it is shown."""
    sections = {}
    if settings.mutants:
        from pytest_audioparity.audits import mutants

        sections["parity mutants"] = mutants.lines(tests, show_all=show_all)
    if settings.calibrate:
        from pytest_audioparity.audits import proposals

        sections["parity calibration"] = proposals.lines(tests)
    return {title: [clean_line(line) for line in lines] for title, lines in sections.items()}


def planned_count(record: RunRecord) -> int:
    """Return how many goldens would have been written by a run that only plans."""
    return sum(test.get("outcome") == "planned" for test in record.tests)


def _change(test: Mapping[str, Any]) -> Iterator[str]:
    change = test["change"]
    word = ("create" if change["created"] else "update") if change["planned"] else None
    verb = f"would {word}" if word else ("created" if change["created"] else "updated")
    size = size_text(change["size_bytes"])
    if change["created"]:
        yield f"{verb} {change['golden']} ({size}, {counted(len(change['stages']), 'stage')})"
        return
    before = change["size_before"]
    yield f"{verb} {change['golden']} ({size if before is None else f'{size_text(before)} -> {size}'})"
    for name, text in change["stages"]:
        yield f"  {name}: {text}"


def _is_refused(test: Mapping[str, Any], asked: Collection[str]) -> bool:
    return bool(test.get("refused")) and test["test"] in asked


def _variant(test: Mapping[str, Any], record: RunRecord) -> str:
    variant = test["variant"]
    used = f"{test['test']} uses {_path(record, test['golden'] + VARIANT_SIGN + variant['name'])}"
    if variant["deviation_db"] is None:
        return used
    return f"{used}, {decibel(variant['deviation_db'])} dB ({variant['stage']!r}) from the shared golden"


def _path(record: RunRecord, name: str) -> PurePosixPath:
    return PurePosixPath(record.golden_dir, f"{name}{SUFFIX}")


def _cut(lines: list[str], *, show_all: bool) -> list[str]:
    return lines if show_all else cut(lines, _SHOWN, hint=" like these (-v shows all)")
