"""What users may rely on changes only when somebody says so: `tests/public_api.txt` lists it."""

from __future__ import annotations

import difflib

import pytest

from tests import public_api


def test_the_public_api_is_as_listed():
    """Every line of the list is still true, and nothing is there that it does not have."""
    listed, found = public_api.LISTING.read_text(encoding="utf-8"), public_api.listing()
    changes = difflib.unified_diff(listed.splitlines(), found.splitlines(), "listed", "now", lineterm="", n=0)
    if listed != found:
        pytest.fail("\n".join(["The public API has changed.", *changes, public_api.HOW]), pytrace=False)


def test_a_signature_says_names_kinds_annotations_and_plain_defaults():
    """A changed default, a parameter that became keyword-only, another type: each is another line."""

    def function(a, b: int = 1, *rest: float, c: str = "x", d=object, **more) -> bool: ...

    assert public_api.signature(function) == "(a, b: int = 1, *rest: float, c: str = 'x', d = ..., **more) -> bool"

    def short(a, *, b): ...

    assert public_api.signature(short) == "(a, *, b)"


@pytest.mark.parametrize("name", ["compare", "Stages", "parity"])
def test_a_name_that_is_gone_is_seen(name, monkeypatch):
    """Whether it is a function, a class or a mark: every line of it is missing then."""
    whole = set(public_api.listing().splitlines())
    monkeypatch.setattr("pytest_audioparity.__all__", [n for n in public_api.pytest_audioparity.__all__ if n != name])
    gone = whole - set(public_api.listing().splitlines())
    assert gone
    assert all(line.replace("class ", "").startswith(name) for line in gone)


def test_a_member_a_flag_and_a_command_that_are_gone_are_seen(monkeypatch):
    """One line for each."""
    whole = set(public_api.listing().splitlines())
    flags = {flag: told for flag, told in public_api.options.FLAGS.items() if flag != "--golden-dir"}
    monkeypatch.setattr(public_api.options, "FLAGS", flags)
    monkeypatch.delattr("pytest_audioparity.audio.records.Score.is_at_least")
    monkeypatch.setattr(public_api.terminal, "WRONG_USE", 3)
    gone = {line.split()[0] for line in whole - set(public_api.listing().splitlines())}
    assert gone == {"--golden-dir", "Score.is_at_least(self,", "wrong"}
