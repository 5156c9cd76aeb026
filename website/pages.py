"""Make pages of the site from files beside docs/, and mend links between them: GitHub shows the same files unchanged."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# address in the site -> the file in the repository
PAGES = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    **{f"examples/{path.parent.name}.md": path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/*/README.md")},
}
_LINK = re.compile(r"(?<!!)\[([^\]\n]*(?:\n[^\]\n]+)?)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^(```.*?^```|~~~.*?^~~~)$", re.DOTALL | re.MULTILINE)
# What the tests of the pages read (tests/docs/blocks.py) is of no use to readers and in the search.
_COMMENT = re.compile(r"^<!--.*?-->\n", re.DOTALL | re.MULTILINE)


@event_priority(-100)  # after the plugins
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the pages of a folder where the navigation says ``folder/*``, in the order of their titles."""
    # The plugin offline has this script loaded from a network; docs/javascripts/worker.js is for the same.
    config.extra["polyfills"] = ["javascripts/worker.js"]
    config.nav = [entry for entry in map(_entry, config.nav or []) if entry]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not below docs/, and files that pages link to."""
    for address, source in PAGES.items():
        files.append(File.generated(config, address, content=(ROOT / source).read_text(encoding="utf-8")))
    for source in _linked_files():
        files.append(File.generated(config, f"files/{source}", abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their target is in the site, and leave the comments for the tests out."""
    address = page.file.src_uri
    parts = _FENCE.split(_COMMENT.sub("", markdown))
    parts[::2] = [_LINK.sub(lambda link: _led(link, address), part) for part in parts[::2]]
    return "".join(parts)


def _entry(entry: Any) -> Any:
    title, target = next(iter(entry.items()))
    if not isinstance(target, str) or target in PAGES or target == "reference/python.md":
        return entry
    if target.endswith("/*"):
        folder = target[:-1]
        inside = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / folder).glob("*.md")}
        addresses = sorted(inside | {address for address in PAGES if address.startswith(folder)})
        return {title: addresses} if addresses else None
    return entry if (ROOT / "docs" / target).exists() else None


def _led(link: re.Match[str], address: str) -> str:
    source = PAGES.get(address, f"docs/{address}")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[2]))
    found = _address(target)
    if found is None:
        return link[0]  # mkdocs says that it leads nowhere
    return f"[{link[1]}]({posixpath.relpath(found, posixpath.dirname(address) or '.')}{link[3] or ''})"


def _address(target: str) -> str | None:
    """Find where a file or folder of the repository is in the site."""
    if (ROOT / target).is_dir():
        target = f"{target}/README.md"
    for address, source in PAGES.items():
        if source == target:
            return address
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return f"files/{target}" if (ROOT / target).is_file() else None


def _linked_files() -> set[str]:
    """Find the files beside docs/ that are no pages and that a page links to."""
    sources = [*PAGES.values(), *(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md"))]
    found = set()
    for source in sources:
        for _, target, _ in _LINK.findall((ROOT / source).read_text(encoding="utf-8")):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
            if (_address(path) or "").startswith("files/"):
                found.add(path)
    return found
