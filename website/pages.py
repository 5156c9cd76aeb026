"""Make pages of the site from files beside docs/, and mend their links; GitHub shows the same files as they are."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# address in the site -> the file in the repository
PAGES = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "architecture.md": "ARCHITECTURE.md",
    "contributing.md": "CONTRIBUTING.md",
    **{
        f"examples/{path.parent.name}.md": path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("examples/*/README.md")
    },
}
_LINK = re.compile(r"(!?\[[^\]\n]*(?:\n[^\]\n]+)?\])\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^(```.*?^```|~~~.*?^~~~)$", re.DOTALL | re.MULTILINE)
# What the tests of the pages read (tests/docs/blocks.py) is of no use to readers and in the search.
_COMMENT = re.compile(r"^<!--.*?-->\n", re.DOTALL | re.MULTILINE)


@event_priority(-100)  # after the plugins
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the pages of a folder where the navigation says ``folder/*``."""
    # The plugin offline has this script loaded from a network; docs/javascripts/worker.js is for the same.
    config.extra["polyfills"] = ["javascripts/worker.js"]
    config.nav = list(_expanded(config.nav or []))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not below docs/, and files that pages link to."""
    for address, source in PAGES.items():
        files.append(File.generated(config, address, content=(ROOT / source).read_text(encoding="utf-8")))
    for source in _linked_files():
        files.append(File.generated(config, f"files/{source}", abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links to where their target is in the site, and leave the comments for the tests out."""
    address = page.file.src_uri
    parts = _FENCE.split(_COMMENT.sub("", markdown))
    parts[::2] = [_LINK.sub(lambda link: _led(link, address), part) for part in parts[::2]]
    return "".join(parts)


def _expanded(entries: list[Any]) -> Iterator[Any]:
    for entry in entries:
        if isinstance(entry, str) and entry.endswith("/*"):
            yield from _inside(entry[:-1])
        elif isinstance(entry, dict):
            yield from (
                {title: list(_expanded(part)) if isinstance(part, list) else part} for title, part in entry.items()
            )
        else:
            yield entry


def _inside(folder: str) -> list[str]:
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / folder).glob("*.md")}
    return sorted(written | {address for address in PAGES if address.startswith(folder)})


def _led(link: re.Match[str], address: str) -> str:
    source = PAGES.get(address, f"docs/{address}")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[2]))
    found = _address(target)
    if found is None:
        return link[0]  # mkdocs says that it leads nowhere
    return f"{link[1]}({posixpath.relpath(found, posixpath.dirname(address) or '.')}{link[3] or ''})"


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
