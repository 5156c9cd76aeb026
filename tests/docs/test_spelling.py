"""What the pages call by name exists under that name, and what exists is named on some page."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from typing import get_args

import pytest

import pytest_audioparity
from pytest_audioparity import cli, keywords, options
from pytest_audioparity.audio.measures import UNITS
from pytest_audioparity.audio.records import VERDICTS
from pytest_audioparity.roundtrip.limits import CHECKS
from tests.docs.blocks import ROOT, page_paths
from tests.docs.words import anchors_of, column_of, flags_of, ini_names_of, links_of, spans_of

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in page_paths()}
ALL = "\n".join(PAGES.values())
SPANS = set().union(*map(spans_of, PAGES.values()))
# Options of other programs: of pip, of measurements, of the programs that errors and docstrings have as examples.
OTHERS = {"--no-deps", "--import-mode", "--compounds", "--large", "--fast", "--text", "--bin", "--release"}

# Options that pytest takes, and lists under another spelling alone.
ALIASES = {"--junitxml"}
# Options that other plugins give to pytest, on the pages that speak of these.
OF_PEERS = {
    "docs/migration.md": {"--force-regen", "--regen-all", "--snapshot-update", "--torch-update-golden"},
}


def leaves(parser, path="audioparity"):
    """Give the options of each command of audioparity, those of its parents with them."""
    known = {option for action in parser._actions for option in action.option_strings}
    found = {path: known}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, choice in action.choices.items():
                found |= leaves(choice, f"{path} {name}")
    return found


COMMANDS = leaves(cli._parser())
OURS = set().union(*COMMANDS.values())


@pytest.fixture(scope="module")
def of_pytest(tmp_path_factory):
    """Every option that pytest lists with the plugin in it, and its ini options."""
    command = [sys.executable, "-m", "pytest", "--help"]
    text = subprocess.run(command, cwd=tmp_path_factory.mktemp("a"), capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z][\w-]*", text)) | ALIASES, set(
        re.findall(r"^  (audioparity_\w+)", text, re.MULTILINE)
    )


def unknown_flags(text, of_pytest):
    """List the options that the program before them does not have."""
    for word in flags_of(text):
        program = word.command
        while program and program not in COMMANDS and program.startswith("audioparity "):
            program = program.rpartition(" ")[0]
        known = COMMANDS.get(program) or (of_pytest if program else of_pytest | OURS | OTHERS)
        if word.text not in known:
            yield f"{word.line}: {word.command or 'no program'} has no {word.text}"


@pytest.mark.parametrize("name", PAGES)
def test_every_option_of_a_page_is_known_to_its_program(name, of_pytest):
    """An option behind pytest or audioparity, or alone between backticks, is one that the parser has."""
    assert list(unknown_flags(PAGES[name], of_pytest[0] | OF_PEERS.get(name, set()))) == []


def test_misspelled_options_are_found(of_pytest):
    """In commands, behind variables and other commands, between backticks, and where another command has them."""
    page = (
        "```sh\nA=1 pytest --update-goldens\n"
        "cd x && pytest --golden-dirs=y -k a | head --bytes 3\npip install --editable .\n"
        "audioparity golden accept x --tol-db 3\n```\n\nUse `--golden-resaon` or `audioparity compare --jsn`.\n"
    )
    assert list(unknown_flags(page, of_pytest[0])) == [
        "2: pytest has no --update-goldens",
        "3: pytest has no --golden-dirs",
        "5: audioparity golden accept x has no --tol-db",
        "8: no program has no --golden-resaon",
        "8: audioparity compare has no --jsn",
    ]


def test_every_option_is_documented():
    """Each flag of the plugin stands on a page, and each option of the command beside the command or in a table."""
    missing = [flag for flag in options.FLAGS if not re.search(rf"{flag}(?![\w-])", ALL)]
    left = {"--help", "-h", "--version"}
    missing += [
        f"{command} {option}"
        for command, known in COMMANDS.items()
        for option in sorted(known - left)
        if option.startswith("--") and not re.search(rf"(?<![\w-]){option}(?![\w-])", ALL)
    ]
    assert missing == []


def test_every_command_is_documented():
    """Each command that can be run stands on a page."""
    ends = [command for command in COMMANDS if not any(other.startswith(f"{command} ") for other in COMMANDS)]
    # `audioparity golden pending`, `show`: the second stands alone.
    missing = [command for command in ends if command not in ALL and command.rpartition(" ")[2] not in SPANS]
    assert missing == []


def test_ini_options_are_those_of_the_plugin(of_pytest):
    """Every ini name on a page is registered, and every registered one, or its keyword, is on a page."""
    known = of_pytest[1]
    named = {word.text for text in PAGES.values() for word in ini_names_of(text)}
    assert {name for name in named if not name.endswith("_")} - known == set()
    keywords_of_ini = {name.removeprefix("audioparity_") for name in known - named}
    assert keywords_of_ini - SPANS == set()


def test_help_texts_name_options_that_exist(of_pytest):
    """An option that a help text speaks of is one of the same program."""
    for flag, (_, _, text) in options.FLAGS.items():
        assert set(re.findall(r"--[a-z][\w-]*", text)) <= of_pytest[0], flag
    parsers = [cli._parser()]
    for parser in parsers:
        choices = [a.choices.values() for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        parsers += [choice for some in choices for choice in some]
        assert set(re.findall(r"--[a-z][\w-]*", parser.format_help())) <= OURS | of_pytest[0], parser.prog


def test_errors_name_options_that_exist(of_pytest):
    """An option that a message of the package speaks of is one of pytest, audioparity or git."""
    known = of_pytest[0] | OURS | OTHERS | {"--"}
    unknown = {}
    for path in sorted((ROOT / "pytest_audioparity").rglob("*.py")):
        flags = set(re.findall(r"(?<=[ \"'`(])--[a-z][\w-]*", path.read_text(encoding="utf-8")))
        if "git" not in path.read_text(encoding="utf-8") and flags - known:
            unknown[path.name] = flags - known
    assert unknown == {}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("docs/audio.md", set(get_args(keywords.AudioVerdict)) - {"not_measured"}),
        ("docs/roundtrip.md", set(CHECKS)),
        ("docs/weights.md", set(get_args(keywords.WeightStatus))),
        ("docs/golden-format.md", set(get_args(keywords.Kind)) | set(get_args(keywords.LogUnit))),
    ],
)
def test_words_of_the_vocabulary_are_on_their_page(page, words):
    """Each verdict, check, kind and unit is explained where such words are."""
    assert words - spans_of(PAGES[page]) == set()


def rows_to_mend(page, text, head, names):
    """Say which names have no row in the table, and which rows no name."""
    found = column_of(text, head)
    yield from (f"add a row for {name} to the table '{head}' of {page}" for name in names if name not in found)
    yield from (f"take the row of {name} out of the table '{head}' of {page}" for name in found if name not in names)


@pytest.mark.parametrize(
    ("page", "head", "names"),
    [
        ("docs/audio.md", "name", UNITS),
        ("docs/audio.md", "verdict", VERDICTS),
        ("docs/roundtrip.md", "name", CHECKS),
        ("docs/roundtrip.md", "keyword", keywords.RoundtripLimits.__annotations__),
        (
            "docs/stages.md",
            "keyword of `parity` and `record`, ini `audioparity_…`",
            keywords.Tolerances.__annotations__,
        ),
    ],
)
def test_a_table_has_a_row_for_each_name(page, head, names):
    """Each metric, verdict, check and keyword has its row, and no row is left of one that is gone."""
    assert list(rows_to_mend(page, PAGES[page], head, names)) == []


def test_a_row_that_is_missing_is_found():
    """One that was forgotten, one that was left, and a table that is not there; a word of another column is no row."""
    text = "# A\n\n| name | is |\n|---|---|\n| `a`, `b` | `e` |\n| `c` | |\n\n| other | |\n|---|---|\n| `d` | |\n"
    assert list(rows_to_mend("x.md", text, "name", ("a", "b", "c"))) == []
    assert list(rows_to_mend("x.md", text, "name", ("a", "c", "d", "e"))) == [
        "add a row for d to the table 'name' of x.md",
        "add a row for e to the table 'name' of x.md",
        "take the row of b out of the table 'name' of x.md",
    ]
    assert list(rows_to_mend("x.md", text, "kind", ("a",))) == ["add a row for a to the table 'kind' of x.md"]


def test_public_names_are_documented():
    """Each public name stands on some page, or is what a documented function returns or raises."""
    missing = {name for name in pytest_audioparity.__all__ if not re.search(rf"\b{name}\b", ALL)}
    assert missing - {"__version__"} == set()


def broken_links(page, text):
    """List the links that lead nowhere."""
    for link in links_of(text):
        target = ROOT / page if not link.target else (ROOT / page).parent / link.target
        if not target.exists():
            yield f"{link.line}: {link.target} does not exist"
        elif link.anchor and target.suffix == ".md" and link.anchor not in anchors_of(target):
            yield f"{link.line}: {link.target} has no heading #{link.anchor}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    """Each relative link names a file of the repository, and its anchor a heading of it."""
    assert list(broken_links(page, PAGES[page])) == []


def test_broken_links_are_found():
    """A file that is not there, a heading that is not there, a picture that is not there."""
    text = "[a](docs/steps.md#settings) [b](docs/step.md)\n\n[c](docs/steps.md#setting) [d](#limit) ![](docs/x.png)\n"
    assert list(broken_links("README.md", text)) == [
        "1: docs/step.md does not exist",
        "3: docs/steps.md has no heading #setting",
        "3:  has no heading #limit",
        "3: docs/x.png does not exist",
    ]
