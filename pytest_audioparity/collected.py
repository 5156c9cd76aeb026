"""What pytest collected: every file and test, and which parity tests with which goldens, before anything was left out.

Each process of pytest-xdist collects everything, so any worker knows it all and the controller asks the workers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.golden.names import SUFFIX, golden_name
from pytest_audioparity.identity import test_id
from pytest_audioparity.session import is_parity, problems_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(slots=True)
class Collected:
    """What was collected, growing until the tests run.

    Attributes
    ----------
    outcomes : outcomes of collecting, by node id of every file and of whatever else was skipped or failed
    found : what collecting found, as pytest keeps it until the collection ends
    tests : node ids of the tests that were to be run, of any kind
    seen : node ids of parity tests, also of those that were then left out
    claimed : names of the goldens that they own or compare with
    reasons : why tests may be missing
    left_out : node ids of tests of any kind that were collected and are not to be run
    renamed : ids of tests by what pytest-xdist calls them in this run, where that differs
    is_known : whether the collection has ended
    """

    outcomes: dict[str, set[str]]
    found: list[Sequence[pytest.Item | pytest.Collector]]
    tests: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    claimed: set[str] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    is_known: bool = False
    left_out: set[str] = field(default_factory=set)
    _items: list[pytest.Item] = field(default_factory=list)
    _deselected: list[pytest.Item] = field(default_factory=list)

    def add(self, items: Iterable[pytest.Item]) -> None:
        """Note parity tests as they are collected, which may be dropped later."""
        self._items.extend(items)

    def deselect(self, items: Iterable[pytest.Item]) -> None:
        """Note tests that were left out and said to be."""
        self._deselected.extend(items)

    def end(self, items: Iterable[pytest.Item]) -> None:
        """Note the tests that are to be run, all of them."""
        ids = {item: test_id(item) for item in items}
        self.renamed = {item.nodeid: test for item, test in ids.items() if item.nodeid != test}
        self.tests = set(ids.values())
        # A plugin may have replaced a test by another object.
        dropped = (item for item in self._items if item not in ids and item.nodeid not in self.tests)
        for item in (*filter(is_parity, items), *dropped):
            test = ids.get(item, item.nodeid)
            self.seen.add(test)
            # One whose mark is wrong fails and says so.
            if not problems_of([item]):
                self.claimed.add((spec_of(item).golden or golden_name(test)).removesuffix(SUFFIX))
        self._note_left_out(ids)
        self._items.clear()
        self.is_known = True

    def _note_left_out(self, ids: Mapping[pytest.Item, str]) -> None:
        """Note what was collected and is not to be run: plugins that cut a suite into shards may drop tests unsaid."""
        if self._deselected:
            self.reasons.add(f"{len(self._deselected)} tests were deselected")
        found = (node for nodes in self.found for node in nodes if isinstance(node, pytest.Item) and node not in ids)
        # A plugin may have replaced a test by another object.
        self.left_out = {test_id(item) for item in found} - self.tests
        if unsaid := self.left_out - {test_id(item) for item in self._deselected}:
            self.reasons.add(f"{len(unsaid)} tests were collected and left out")
        self._deselected.clear()
        self.found.clear()

    def sent(self) -> dict[str, Any]:
        """Return what a worker tells, in plain types."""
        return {
            "outcomes": {node: sorted(words) for node, words in self.outcomes.items()},
            "seen": sorted(self.seen),
            "left_out": sorted(self.left_out),
            "claimed": sorted(self.claimed),
            "reasons": sorted(self.reasons),
            "renamed": self.renamed,
        }

    def receive(self, sent: Mapping[str, Any]) -> None:
        """Add what a worker told. The tests that are to be run, pytest-xdist tells itself."""
        for node, words in sent["outcomes"].items():
            self.outcomes.setdefault(node, set()).update(words)
        self.seen.update(sent["seen"])
        self.left_out.update(sent["left_out"])
        self.claimed.update(sent["claimed"])
        self.reasons.update(sent["reasons"])
        self.renamed.update(sent["renamed"])

    def ids(self, nodes: Iterable[str]) -> set[str]:
        """Return the ids of tests, which reports may call otherwise."""
        return {self.renamed.get(node, node) for node in nodes}

    def with_outcome(self, outcome: str) -> list[str]:
        """Return the node ids of what was skipped, or failed, when it was collected."""
        return sorted(node for node, words in self.outcomes.items() if outcome in words)

    def files(self) -> dict[str, tuple[str, ...]]:
        """Return the tests by file, without the file's name in front; of files that were collected as a whole."""
        files: dict[str, set[str]] = {node: set() for node, words in self.outcomes.items() if words == {"passed"}}
        incomplete = {node.partition("::")[0] for node, words in self.outcomes.items() if words != {"passed"}}
        for test in self.ids(self.tests) | self.left_out:
            file, _, name = test.partition("::")
            files.setdefault(file, set()).add(name)
        return {file: tuple(sorted(files[file])) for file in sorted(files) if file not in incomplete}
