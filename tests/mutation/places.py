"""Where a line of a module is: in which function or class."""

from __future__ import annotations

import ast

MODULE = "module"


def places(source: str) -> list[str]:
    """Return for each line of a module the innermost function or class around it, with what is around that.

    Such as ``accept.apply``, or `MODULE` for what is in none.
    """
    found = [MODULE] * len(source.splitlines())

    def visit(node: ast.AST, outer: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                name = f"{outer}.{child.name}" if outer else child.name
                first, last = child.lineno - 1, child.end_lineno or child.lineno
                found[first:last] = [name] * (last - first)
                visit(child, name)
            else:
                visit(child, outer)

    visit(ast.parse(source), "")
    return found
