"""Every code block of the documentation does what its page says; tests/docs/blocks.py has the rules."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.docs.blocks import ROOT, page_paths, read_page

PAGES = {path.relative_to(ROOT).as_posix(): path for path in page_paths()}


@pytest.mark.parametrize("name", PAGES)
def test_blocks_of_the_page_do_what_it_says(name, tmp_path, needs):
    """Each block runs, in a project that has nothing else, and prints what the page shows."""
    page = read_page(PAGES[name])
    for package in page.needs:
        needs(package)
    folder = tmp_path / "project"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.docs.run", str(PAGES[name]), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(done.stderr or done.stdout, pytrace=False)
