"""The runner of the pages finds what is wrong in them, and says where."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.docs.blocks import ROOT, PageError, read_page
from tests.docs.transcripts import Difference, first_difference, first_unprinted


@pytest.fixture
def run(tmp_path):
    """Run a page as the test of the pages does; what it says is returned, nothing where all is well."""

    def of(text: str) -> str:
        page, folder = tmp_path / "page.md", tmp_path / f"project{len(list(tmp_path.iterdir()))}"
        page.write_text(textwrap.dedent(text), encoding="utf-8")
        folder.mkdir()
        command = [sys.executable, "-m", "tests.docs.run", str(page), str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == bool(done.stderr), done
        return done.stderr

    return of


HEALTHY = """
    # A page

    <!-- run: python
    limit = 3

    text = "unseen"
    -->

    ```python title="lib/answer.py"
    def answer():
        return 42
    ```

    ```python
    from lib.answer import answer

    assert __name__ == "__main__"
    assert answer() > limit
    ```

    ```python
    >>> answer()
    42
    >>> {"many":   "words", "more": 1}
    {'many': ..., 'more': 1}
    ```

    <!-- run: sh
    cat >file <<'END'
    one
    two
    END
    -->

    ```console
    $ cat file
    one
    two
    $ mkdir -p sub && cd sub && export WORD=kept
    $ basename "$PWD"; echo $WORD
    ...b
    kept

    $ cd .. && seq 1 9
    1
    ...
    8
    9
    $ echo "3 passed in 0.31s"; echo plugins: a, b
    3 passed in 12.07s
    ```

    ```console title="exit 2"
    $ audioparity inspect
    ...
    ```

    <!-- exit: 0 3 -->
    ```sh
    # a comment
    test -f \\
      file
    (exit 3)
    ```

    <!-- output of: seq 1 9 -->
    ```text
    2
    7
    ```

    <!-- run: sh
    grep -q 'limit = 3' "$BLOCKS"
    -->

    <!-- not run: needs another compiler -->
    ```rust
    fn main() {}
    ```

    ```json
    {"a": 1}
    ```
"""


def test_healthy_page_says_nothing(run):
    """A page that does what it says, with every kind of block, passes."""
    assert run(HEALTHY) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "at", "says"),
    [
        ("return 42", "return 2", "assert answer() > limit", "AssertionError"),
        ("from lib.answer", "from lib.asnwer", "from lib.asnwer import answer", "ModuleNotFoundError"),
        ("def answer():", "def answer(:", "def answer(:", "not Python"),
        (">>> answer()\n    42", ">>> answer()\n    43", ">>> answer()", "Expected:\n    43"),
        ("    one\n    two\n    $", "    one\n    three\n    $", "three", "the page says 'three', printed is 'two'"),
        (
            "    two\n    $ mk",
            "    $ mk",
            "$ mkdir -p sub && cd sub && export WORD=kept",
            "no further line, printed is 'two'",
        ),
        ("    8\n    9", "    8", "8", "the page says '8', printed is '9'"),
        ("3 passed in 12", "4 passed in 12", "4 passed in 12.07s", "the page says '4 passed"),
        (' title="exit 2"', "", "$ audioparity inspect", "exit status 2, not 0"),
        ("exit: 0 3", "exit: 0 1", "(exit 3)", "exit status 3, not 1"),
        ("exit: 0 3", "exit: 0", "# a comment", "1 exit statuses for 2 lines"),
        ("    2\n    7", "    7\n    2", "2", "no such line"),
        ("grep -q 'limit", "grep -q 'limits", """grep -q 'limits = 3' "$BLOCKS\"""", "exit status 1"),
        ("another compiler", "luck", "<!-- not run: needs luck -->", "none of: needs a Mac"),
        ("<!-- not run: needs another compiler -->", "", "```rust", "rust needs a title"),
        ("```json", "```jsno", "```jsno", "'jsno' is not known"),
        ('{"a": 1}', '{"a": 1,}', '{"a": 1,}', "not json"),
        ("<!-- run: python", "<!-- runs: python", "<!-- runs: python", "a comment that says nothing"),
        ("<!-- exit: 0 3 -->", "<!-- exit: 0 3 -->\n\n    Words.", "Words.", "directly before a block"),
    ],
)
def test_planted_fault_is_found_with_its_line(run, right, wrong, at, says):
    """A page with one thing wrong fails at that line and says what it is."""
    assert HEALTHY.count(right) == 1
    page = HEALTHY.replace(right, wrong)
    line = textwrap.dedent(page).splitlines().index(at) + 1
    said = run(page)
    assert said.startswith(f"page.md:{line}: "), said
    assert says in said


def test_a_page_that_is_fine_is_counted(tmp_path):
    """So that nothing printed is not taken for nothing run: blocks that are run or written, and those that are not."""
    page = tmp_path / "page.md"
    page.write_text(textwrap.dedent(HEALTHY), encoding="utf-8")
    assert told(page) == (0, "page.md: 10 blocks run, 2 only parsed\n", "")


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--help"], 0, "usage: python -m tests.docs.run [-h] PAGE [FOLDER]"),
        ([], 2, "required: PAGE"),
        (["nosuch.md"], 2, "nosuch.md is no file; give the path of a page"),
        ([str(ROOT / "README.md"), "nosuch"], 2, "nosuch is no folder; make it first, or leave it out"),
    ],
)
def test_the_command_says_what_it_takes(words, status, says):
    """Its help, and one line where no page or no folder is meant."""
    done, out, err = told(*words)
    assert done == status
    assert says in (err if status else out)


def told(*words):
    """Run the command and return its status and what it prints."""
    command = [sys.executable, "-m", "tests.docs.run", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_failing_pytest_is_fine_where_the_page_shows_the_failure(run):
    """The exit status 1 of pytest is expected where its output is shown to fail, and nowhere else."""
    page = """
        ```python title="test_x.py"
        def test_x():
            assert False
        ```

        ```console
        $ pytest -q
        F{}
        ```
    """
    assert run(page.format("...\n        ...\n        1 failed in 0.01s")) == ""
    assert "exit status 1, not 0" in run(page.format(""))


def test_parsed_blocks_are_parsed(run):
    """A block that is not run still has to be in its language."""
    page = "<!-- not run: shortened -->\n```{}\n{}\n```\n"
    assert run(page.format("python", "x = stages.record(...)")) == ""
    assert "not Python" in run(page.format("python", "x = = 1"))
    assert "not for bash" in run(page.format("sh", "if true"))
    assert "not toml" in run(page.format("toml", "a = "))
    assert "not yaml" in run(page.format("yaml", "a: [1"))


def test_block_without_a_fence_is_refused(tmp_path):
    """A block by indentation has no language, so that nobody could tell whether it is to run."""
    page = tmp_path / "page.md"
    page.write_text("words\n\n    code\n")
    with pytest.raises(PageError, match=r"page\.md:3: a block by indentation"):
        read_page(page)


def test_transcripts_differ_at_their_first_line():
    """What is between two of the lines ``...`` may be anywhere, what is at the ends may not."""
    assert first_difference("a\n...\nc\n...\ne\n", "a\nb\nc\nc\nd\ne\n\n") is None
    assert first_difference("a\n...\nc\nd\n...\ne", "a\nb\nc\ne") == Difference(3, "'e'")
    assert first_difference("...\nb", "a\nb\nc") == Difference(1, "'c'")
    assert first_difference("a", "a\nb") == Difference(1, "'b'")
    assert first_difference("a ... c", "a b c") is None
    assert first_difference("", "") is None
    assert first_difference("off   2.3e-6 ok", "off  1.05e-6 ok") is None  # what rounding leaves
    assert first_difference("off 2.3e-5 ok", "off 2.8e-5 ok") is not None
    assert first_unprinted("a\nc\n", "a\nb\nc\n") is None
    assert first_unprinted("c\na\n", "a\nb\nc\n") == Difference(1, "no such line after the one before")
