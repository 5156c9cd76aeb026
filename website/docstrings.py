"""Read docstrings as this project writes them: behind the name of a parameter stands what it means, not its type."""

from __future__ import annotations

from typing import Any

import griffe


class Meanings(griffe.Extension):
    """Move what stands in the place of types to the descriptions; types come from the signatures."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the sections of one docstring."""
        for section in obj.docstring.parsed if obj.docstring else ():
            if section.kind in _NAMED:
                for part in section.value:
                    part.annotation, part.description = None, _joined(part.annotation, part.description)
            elif section.kind is griffe.DocstringSectionKind.raises:
                for part in section.value:
                    error, _, words = str(part.annotation).partition(" : ")
                    part.annotation, part.description = error, _joined(words, part.description)
            elif section.kind is griffe.DocstringSectionKind.returns:
                for part in section.value:
                    words = str(part.annotation or "")
                    if " " in words and "[" not in words:
                        part.annotation, part.description = None, _joined(words, part.description)


_NAMED = {
    griffe.DocstringSectionKind.parameters,
    griffe.DocstringSectionKind.other_parameters,
    griffe.DocstringSectionKind.attributes,
}


def _joined(first: object, second: str) -> str:
    return " ".join(part for part in (str(first or ""), second) if part)
