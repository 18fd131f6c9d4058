"""What the rooms of the release transaction may import: each of them only those before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

RELEASES = Path(__file__).parents[2] / "plugins/module_utils/_releases"
MODULES = sorted(RELEASES.rglob("*.py"))
ORDER = (
    ("model", "errors"),
    ("system",),
    ("records",),
    ("git",),
    ("options", "environment", "report", "restart_file", "procmon"),
    ("project",),
    ("release",),
    ("deploy", "facts"),
    ("states",),
)
"""Folders and the modules beside them. What stands together imports nothing of its neighbours."""

BACKWARD = {("git/resolve.py", "project"), ("project.py", "release")}
"""What still has to go: a function that takes the whole project where some arguments would do."""


def rank(room: str) -> int:
    """Return the place of a room in the order."""
    return next(number for number, rooms in enumerate(ORDER) if room in rooms)


def room_of(path: Path) -> str:
    """Return the folder that a module is in, or the module's own name when it is in none."""
    parts = path.relative_to(RELEASES).with_suffix("").parts
    return parts[0]


def imported_rooms(path: Path) -> Iterator[str]:
    """Yield the room of each import from this package, absolute or relative."""
    package = path.relative_to(RELEASES).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = (node.module or "").split(".") if node.module else []
        if node.level:
            base = [*package[: len(package) - node.level + 1], *module]
            yield from [base[0]] if base else [alias.name for alias in node.names]
        elif "_releases" in module:
            below = module[module.index("_releases") + 1 :]
            yield from [below[0]] if below else [alias.name for alias in node.names]


def test_each_module_has_a_place_in_the_order() -> None:
    rooms = {room_of(path) for path in MODULES} - {"__init__"}
    assert rooms - {room for group in ORDER for room in group} == set()
    assert "system" in set(imported_rooms(RELEASES / "records" / "state.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(RELEASES)))
def test_a_room_imports_only_rooms_before_it(path: Path) -> None:
    own = room_of(path)
    name = str(path.relative_to(RELEASES))
    found = {(name, room) for room in imported_rooms(path) if room != own and rank(room) >= rank(own)}
    assert found - BACKWARD == set()
