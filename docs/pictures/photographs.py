"""Photograph the page of a run for docs/report.md: ``python docs/pictures/photographs.py``.

A small project is run as a user runs it: the speaking model and the codec of examples/, with bugs that ports had, and a
front end that forgets to divide by the areas of its filters. The page of that run is opened in Chromium and
photographed. Needs the dependency group ``pictures``.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from pytest_audioparity.cli import main

_HERE = Path(__file__).parent
_EXAMPLES = _HERE.parents[1] / "examples"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_MOST_BYTES = 150_000
_COLOURS = 256
# What changes from run to run, and is no part of the pictures.
_STEADY = {"finished": "2026-01-15T09:30:00+00:00", "commit": "4f2a9c1"}
_NAME = "speech-port"


def make_page(folder: Path) -> Path:
    """Run the project in a folder, and return the page of the run."""
    project = folder / _NAME
    project.mkdir()
    for path in (*(_HERE / "run").glob("test_*.py"), _EXAMPLES / "token_tts" / "test_reference.py"):
        shutil.copy(path, project)
    paths = (f"{_EXAMPLES / name}" for name in ("token_tts", "streaming_codec"))
    (project / "pytest.ini").write_text(f"[pytest]\npythonpath = {' '.join(paths)}\n")
    _pytest(project, "--update-golden")
    _pytest(project, FAULT="1", expected=1)
    record = project / ".audioparity" / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **_STEADY}))
    if main(["run", "report", f"--root={project}", "--dir", str(project / "page")]):
        sys.exit("there is no page")
    return project / "page" / "index.html"


def _pytest(project: Path, *flags: str, expected: int = 0, **more: str) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "GITHUB_ACTIONS", "PYTEST_ADDOPTS")}
    kept |= {"TTS_RUNTIME": "numpy", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **more}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_audioparity.plugin", *flags]
    done = subprocess.run(command, cwd=project, env=kept, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        sys.exit(done.stdout)


def _test(page: Page, name: str) -> Locator:
    """Open a test and return it."""
    test = page.locator("details.test", has=page.locator("summary .name", has_text=name)).first
    test.evaluate("(one) => { one.open = true; one.scrollIntoView(); }")
    page.wait_for_timeout(500)  # players load
    return test


def _save(png: bytes, name: str, into: Path) -> None:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    small = picture.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(into / name, optimize=True)
    size = (into / name).stat().st_size
    sys.stdout.write(f"{name}: {small.width} x {small.height}, {size / 1000:.0f} kB\n")
    if size > _MOST_BYTES:
        sys.exit(f"{name} is larger than {_MOST_BYTES / 1000:.0f} kB")


def photograph(address: str, into: Path) -> None:
    """Take the pictures of a page."""
    browser_path = next(filter(None, map(shutil.which, _BROWSERS)), None) or sys.exit("install chromium")
    wide: dict[str, Any] = {"viewport": {"width": 1200, "height": 620}}
    phone: dict[str, Any] = {"viewport": {"width": 360, "height": 720}, "is_mobile": True, "has_touch": True}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])

        def opened(**options: Any) -> Page:
            page = browser.new_page(**options)
            page.goto(address)
            page.add_style_tag(content=".filters { position: static !important }")
            return page

        _save(opened(**wide).screenshot(), "overview.png", into)
        _save(_test(opened(**wide, color_scheme="dark"), "test_frontend").screenshot(), "stages.png", into)
        _save(
            _test(opened(**wide), "test_decoder_stream").locator("section").last.screenshot(),
            "garbled.png",
            into,
        )
        small = opened(**phone, device_scale_factor=2)
        _test(small, "test_decoder_stream")
        _save(small.screenshot(), "phone.png", into)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        photograph(make_page(Path(temporary)).as_uri(), Path(sys.argv[1]) if sys.argv[1:] else _HERE / "report")
