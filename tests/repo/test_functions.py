"""How long functions are: short ones are read, long ones are believed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

LONGEST = 40
LONG = 25
MEDIAN = 8
MANY_LONG = 0.05
SOURCES = {
    "plugins": "plugins/**/*.py",
    "command": "src/**/*.py",
    "procmon": "roles/supervisor/files/procmon/src/**/*.py",
    "tests": "tests/**/*.py",
    "scenario": "molecule/**/*.py",
}


def functions(source: str) -> Iterator[tuple[str, int]]:
    """The name and the lines of each function, its docstring not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - docstring_lines(node)


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines the docstring takes."""
    first = node.body[0]
    return (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) is not None else 0


@pytest.mark.parametrize("pattern", SOURCES.values(), ids=SOURCES)
def test_functions_are_short(root: Path, pattern: str) -> None:
    found = {
        f"{path.relative_to(root)}:{name}": lines
        for path in root.glob(pattern)
        for name, lines in functions(path.read_text())
    }
    assert {name: lines for name, lines in found.items() if lines > LONGEST} == {}
    assert median(found.values()) <= MEDIAN
    long = {name: lines for name, lines in found.items() if lines > LONG}
    assert len(long) <= MANY_LONG * len(found), long
