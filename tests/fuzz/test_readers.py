"""However a file is damaged, its reader returns what it holds or one line that says what is wrong, within its bounds.

Two thousand inputs in all are tried here; ``python -m tests.fuzz --count 10000`` tries as many for each reader.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.planted import FAULTS, HEALTHY
from tests.fuzz.readers import READERS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each batch of inputs is a fork")
_ROOT = Path(__file__).parents[2]
# Inputs for each reader, and for those that run a whole command on a project, which takes twenty times as long.
_COUNT, _COMMAND_COUNT = 60, 4
COMMANDS = [name for name, reader in READERS.items() if reader.programs]
_SEED = "6"


def told(module: str, *words: str) -> list:
    """Run a module of this folder in a process of its own and return the JSON documents that it prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def outcomes():
    """Say what became of the inputs of each reader."""
    fast = [name for name in READERS if name not in COMMANDS]
    documents = told("tests.fuzz", *fast, "--json", "--seed", _SEED, "--count", str(_COUNT))
    documents += told("tests.fuzz", "commands", "--json", "--seed", _SEED, "--count", str(_COMMAND_COUNT))
    return {document["reader"]: document for document in documents}


@pytest.mark.parametrize("name", READERS)
def test_damage_is_an_error_of_one_line_or_harmless(outcomes, name):
    """Some damage must be found, and some must not matter: otherwise nothing was tried."""
    outcome = outcomes[name]
    assert outcome["defects"] == []
    assert outcome["read"] > 0
    assert outcome["refused"] > 0 or READERS[name].reports
    assert outcome["read"] + outcome["refused"] == (_COMMAND_COUNT if name in COMMANDS else _COUNT)


@pytest.fixture(scope="module")
def seen():
    """Say what was seen of readers with a planted fault."""
    return dict(told("tests.fuzz.planted"))


@pytest.mark.parametrize("fault", FAULTS)
def test_the_watch_sees_a_reader_that_does_what_none_may(seen, fault):
    assert len(seen[fault]) == 1


def test_the_watch_lets_a_healthy_reader_be(seen):
    assert seen[HEALTHY] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "no reader is called 'nonsense'; there are 'golden', 'manifest', "),
        (["weights", "a.gguf"], "no reader is called 'a.gguf'; there are .*'weights a.gguf', "),
        (["--input", "3"], "--input is one of one reader's: name that reader"),
        (["weights", "--input", "3"], "--input is one of one reader's: name that reader"),
    ],
)
def test_a_reader_that_there_is_not_is_an_error(capsys, words, said):
    """What is not read has no defects, so a name with a mistake would look like a reader without any."""
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--count", "1"])
    assert stopped.value.code == 2
    assert re.search(f"error: {said}", capsys.readouterr().err)
