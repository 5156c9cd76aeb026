"""What is promised of golden files: damage never passes for a golden, and every test has a file of its own."""

from __future__ import annotations

import json
import random
import re
import unicodedata

import numpy as np
import pytest

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.file import Golden

CORRUPTED = """
MEL = np.random.default_rng(5).standard_normal((4, 20)).astype("f")
@pytest.mark.parametrize("n", range({count}))
def test_model(stages, n):
    stages.record("mel", MEL * np.float32({gain}), axes="CT", frame_rate=50)
    stages["codes"] = np.arange(12) + {plus}
    stages.record("wave", np.sin(np.arange(50.0)) * {gain}, sample_rate=24000)
"""
LONG_REPORTS = """
import json
from pathlib import Path
def pytest_runtest_logreport(report):
    if report.when == "call":
        with Path("account.jsonl").open("a") as file:
            print(json.dumps([report.outcome, report.longreprtext]), file=file)
"""


def faults(content, other, chance):
    """Yield 1000 damaged versions of a golden; the other has tensors of the same sizes with other values."""
    end = 8 + int.from_bytes(content[:8], "little")
    other_end = 8 + int.from_bytes(other[:8], "little")

    def flipped(data, low, high):
        changed, bit = bytearray(data), chance.randrange(low * 8, high * 8)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    for _ in range(200):
        yield flipped(content, end, len(content))
        yield flipped(content, 0, end)
    for _ in range(200):
        yield content[: chance.randrange(len(content))]
    for _ in range(150):
        at, size = chance.randrange(len(content)), chance.randint(1, 40)
        yield content[:at] + chance.randbytes(size) + content[at:]
    for _ in range(100):
        at, size = chance.randrange(len(content)), chance.randint(1, 40)
        yield content[:at] + content[at + size :]
    for _ in range(50):
        yield flipped(content[:end], 8, end) + other[other_end:]
        yield flipped(other[:other_end], 8, other_end) + content[end:]
    yield from [content[:end] + other[other_end:], other[:other_end] + content[end:]] * 10
    yield from [content[:end] + content] * 10
    yield from [content[:8] + content[8:end] * 2 + content[end:]] * 10
    yield from [content + content[end:]] * 10


def read(path):
    """Return the tensors of a golden with every check, or None."""
    try:
        return {stage.meta.name: np.array(stage.array) for stage in Golden(path)}
    except GoldenError:
        return None


def same(left, right):
    """Whether tensors are the same, bit by bit."""
    return left.keys() == right.keys() and all(
        left[name].dtype == array.dtype and left[name].tobytes() == array.tobytes() for name, array in right.items()
    )


@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
def test_no_damage_lets_a_test_pass_with_other_tensors(project, flags):
    """A thousand damaged goldens: a test passes only where the tensors are what they were, and no other test's golden
    is overwritten; whatever is said is said without a traceback.
    """
    (project.path / "conftest.py").write_text(LONG_REPORTS)
    versions = []
    for gain, plus in ((2.0, 1), (1.0, 0)):
        project.write(CORRUPTED.format(count=1, gain=gain, plus=plus))
        project.run("--update-golden")
        versions.append(project.golden("test_model/test_model-0").read_bytes())
    other, content = versions
    tensors = read(project.golden("test_model/test_model-0"))
    damaged = list(faults(content, other, random.Random(1000)))
    assert len(damaged) == 1000
    project.write(CORRUPTED.format(count=1000, gain=1.0, plus=0))
    paths = [project.golden(f"test_model/test_model-{number}") for number in range(1000)]
    for path, data in zip(paths, damaged, strict=True):
        path.write_bytes(data)
    before = [read(path) for path in paths]
    (project.path / "account.jsonl").unlink()
    project.run("--tb=short", "-q", "-p", "no:cacheprovider", *flags)
    account = [json.loads(line) for line in (project.path / "account.jsonl").read_text().splitlines()]
    assert len(account) == 1000
    passes = 0
    for number, (outcome, text) in enumerate(account):
        after = paths[number].read_bytes()
        if outcome == "passed" and after == damaged[number]:
            assert before[number] is not None, number
            assert same(before[number], tensors), number
            passes += 1
        elif outcome == "passed":
            # What was damaged is a declaration, or, beside other tensors, the hashes: a golden that does not pass.
            assert flags, number
            assert before[number] is not None, (number, "damage was overwritten")
            assert same(read(paths[number]), tensors), number
        else:
            assert after == damaged[number], (number, "a failing test wrote its golden")
            assert text.startswith(("golden golden/", "stage '")) or re.match(r"\d stages? ", text), (number, text)
            assert "Traceback" not in text
            assert not re.search(r"\.py:\d", text), (number, text)
            assert not text.startswith("golden ") or "; " in text.partition("\n")[0]
    assert 0 < passes < 100


ODD = [
    *("x" * 300, "x" * 299 + "y", "X" * 300, "x" * 160, "名" * 100, "名" * 101, "é", unicodedata.normalize("NFD", "é")),
    *("ﬁ", "fi", "ß", "ss", "İ", "i", "🎵", "a/b", "ab", "a_b", "a-b", "a.b", "a b", "a\\b", "a:b", "..", ".", "..."),
    *("../../../etc/passwd", "/etc/passwd", ".hidden", "~", "CON", "con", "con.txt", "NUL", "com1", "lpt9.x", "aux."),
    *("trailing.", "trailing ", "A-B", "A_B", "test_model", "x-1c2d3e4f", "x.safetensors", "x@cuda", "a\tb", "a\nb"),
    *("*", "?", "<>|", '"', "'", "%00", "\u202e", "[", "]", "[]", "[a]", "$(id)", "`id`", "-", "_", "--update-golden"),
]
NAMES = """
ODD = {odd!r}
@pytest.mark.parametrize("value", range(len(ODD)), ids=ODD)
def test_model(stages, value): stages["x"] = 1000.0 + value
def test_Model(stages): stages["x"] = 2000.0
def test_müdel(stages): stages["x"] = 2001.0
class TestX:
    def test_y(self, stages): stages["x"] = 2002.0
    @pytest.mark.parametrize("value", ["y"])
    def test_z(self, stages, value): stages["x"] = 2003.0
class Testx:
    def test_y(self, stages): stages["x"] = 2004.0
def test_x_test_y(stages): stages["x"] = 2005.0
"""
RAW_IDS = "disable_test_id_escaping_and_forfeit_all_rights_to_community_support = True"
FILES = (
    "test_model.py",
    "tests/test_model.py",
    "tests/aux/test_con.py",
    "tests/na me/test_ü.py",
    "tests/.dots./test_model.py",
)


@pytest.mark.parametrize(("ini", "flags"), [((), ()), ((RAW_IDS,), ()), ((RAW_IDS,), ("-n2",))])
def test_every_name_has_a_golden_of_its_own_inside_the_golden_directory(project, ini, flags):
    """Long, foreign, reserved and hostile names: as many files as tests, on every file system, and all pass then."""
    project.ini("norecursedirs = none", *ini)
    for number, file in enumerate(FILES):
        project.write(NAMES.format(odd=ODD if number == 0 else ODD[:30]), file)
    run = project.run_apart if flags else project.run
    count = len(ODD) + 4 * 30 + 6 * len(FILES)
    arguments = ("--import-mode=importlib", *flags, *FILES)
    result = run("--update-golden", *arguments)
    assert result.parseoutcomes() == {"updated": count}
    outside = [path for path in project.path.rglob("*.safetensors") if "golden" not in path.parts]
    assert outside == []
    paths = [project.path / name for name in project.goldens()]
    assert len(paths) == count
    assert all(path.resolve().is_relative_to(project.path / "golden") for path in paths)
    folded = {unicodedata.normalize("NFKC", str(path.relative_to(project.path))).casefold() for path in paths}
    assert len(folded) == count, "some file systems ignore case, some normalise"
    for path in paths:
        parts = path.relative_to(project.path).parts
        assert all(len(part.encode()) <= 255 and part == part.strip(". ") for part in parts), path
        assert not any(part.partition(".")[0].lower() in ("con", "nul", "com1", "lpt9", "aux") for part in parts), path
    tests = {Golden(path).provenance["test"] for path in paths}
    assert len(tests) == count
    before = project.state()
    assert run(*arguments).parseoutcomes() == {"passed": count}
    assert project.state() == before
