"""What the rooms of `module_utils/_releases` may import: only those before them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "plugins/module_utils/_releases"
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")
LAYERS: list[set[str]] = [
    {"printable"},
    {"errors", "model", "restart_file", "unit"},
    {"system", "env_file"},
    {"progress"},
    {"git", "report"},
    {"options", "procmon"},
    {"project"},
    {"records", "environment", "configuration"},
    {"release"},
    {"deploy"},
    {"states", "facts"},
    {"configure", "question"},
]
"""Rooms and modules at the door, lowest first."""


def layer_of(name: str) -> int:
    """Return the number of the layer of a room or a module at the door."""
    [number] = [number for number, names in enumerate(LAYERS) if name in names]
    return number


def imports(path: Path) -> Iterator[str]:
    """Yield the room, or the module at the door, of each relative import."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *filter(None, (node.module or "").split("."))]
            yield from [base[0]] if base else [alias.name for alias in node.names]


def room_of(path: Path) -> str:
    """Return the room of a module, or its own name when it is at the door."""
    first, *rest = path.relative_to(ROOT).parts
    return first if rest else path.stem


def test_every_module_has_a_layer() -> None:
    assert {room_of(path) for path in MODULES} == set().union(*LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_is_below_it(path: Path) -> None:
    own = room_of(path)
    above = {name for name in imports(path) if name != own and layer_of(name) >= layer_of(own)}
    assert above == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_its_neighbours_by_relative_imports(path: Path) -> None:
    assert "ansible_collections" not in path.read_text()
