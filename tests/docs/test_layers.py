"""The picture of ARCHITECTURE.md: the layers of pyproject.toml, and arrows that are imports of the code."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import layers
import pytest
from material import ROOT

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
ROWS = layers.layers(PYPROJECT)


def part(*calls):
    return (layers.Part("told", "somehow", "pass", calls),)


def written(svg):
    return [node.text for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_picture_is_that_of_the_layers_of_today():
    """What is kept is what the list in pyproject.toml gives; a layer more, or two that change places, give another."""
    kept = layers.PICTURE.read_text(encoding="utf-8")
    assert layers.draw(ROWS) == kept, "python docs/pictures/layers.py draws it again"
    for changed in ([*ROWS, ["words"]], [ROWS[1], ROWS[0], *ROWS[2:]]):
        assert layers.draw(changed) != kept


def test_every_module_stands_in_it_once_from_the_top():
    """The names of all layers are written, in their order."""
    names = [name for row in ROWS for name in row]
    assert "adapters" in names
    assert [text for text in written(layers.draw(ROWS)) if text in names] == names


def test_the_page_shows_it_and_says_its_parts_in_their_order():
    """ARCHITECTURE.md has the picture, and a numbered line for each part of the way."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert f"({layers.PICTURE.relative_to(ROOT).as_posix()})" in page
    assert re.findall(r"^\d\. \*\*(\w+)\.\*\*", page, re.MULTILINE) == [part.name.capitalize() for part in layers.WAY]


def places(page):
    """Return the place in the list of each module that the table of the layers names, from its first row."""
    row_of = {name: row for row, names in enumerate(ROWS) for name in names}
    table = page.partition("## The layers")[2].partition("\n\n|")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`(\w+)/?`", row.split("|")[1])]
    return [row_of[name] for name in named]


def test_the_table_has_the_order_of_the_list():
    """From the top, row by row and name by name; two rows that change places are noticed, and two names of a row."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert len(places(page)) > 25
    assert places(page) == sorted(places(page))
    for high, low in (("`page/`", "`weights/`"), ("`plugin`, ", "`adapters/`"), ("`causes`", "`check`")):
        changed = page.replace(f"| {high}", "| #").replace(low, high).replace("| #", f"| {low}")
        assert places(changed) != sorted(places(changed)), (high, low)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (("comparison", "check"), "comparison does not stand above check"),
        (("golden", "comparison"), "golden does not stand above comparison"),
        (("recording", "recording"), "recording does not stand above recording"),
        (("recording", "shelves"), "recording does not stand above shelves"),
        (("plugin", "keywords"), "plugin does not import keywords"),
    ],
)
def test_an_arrow_that_the_code_has_not_is_refused(call, says):
    """An arrow goes downward, between modules that there are, of which one imports the other."""
    fine = ("recording", "check"), ("check", "comparison")
    assert layers.draw(ROWS, part(*fine))
    with pytest.raises(ValueError, match=says):
        layers.draw(ROWS, part(*fine, call))


def test_imports_are_found_in_modules_and_folders(tmp_path, monkeypatch):
    """At the top, in a function, for a type, of a module or of what is in it; others and its own are left out."""
    package = tmp_path / "package"
    (package / "folder").mkdir(parents=True)
    (package / "alone.py").write_text("import numpy\nfrom package import one\nfrom other.two import three\n")
    (package / "folder" / "a.py").write_text("def f():\n    from package.two.deep import x\n")
    (package / "folder" / "b.py").write_text("if TYPE_CHECKING:\n    from package.three import Y\n")
    (package / "folder" / "c.py").write_text("from package.folder.a import f\n")
    monkeypatch.setattr(layers, "PACKAGE", package)
    assert layers.imported_by("alone") == {"one"}
    assert layers.imported_by("folder") == {"two", "three"}
