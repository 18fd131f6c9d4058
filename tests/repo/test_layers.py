"""What the rooms of procmon may import, and that none reaches into another's objects."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROCMON = Path(__file__).parents[2] / "roles/supervisor/files/procmon/src/procmon"
MODULES = sorted(PROCMON.rglob("*.py"))
NO_DECISION_NEEDS = {
    *("asyncio", "ctypes", "fcntl", "io", "multiprocessing", "os", "select", "shutil", "signal", "socket"),
    *("ssl", "subprocess", "tempfile", "threading", "time"),
    *("h11", "httpcore", "httpx", "uvicorn", "watchfiles"),
}
ROOMS = {
    "core": {"core", "config"},
    "master": {"core", "master", "config", "__init__"},
    "worker": {"worker"},
}
"""For each room, the rooms and the modules beside them that it may import."""

NAMED_LIKE_PRIVATE = {"os._exit", "argparse._SubParsersAction"}
"""Of the standard library: a documented function, and the only name of the type that `add_subparsers` returns."""


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """The path of each module that a module imports: absolute, or from procmon's root for what is procmon's own."""
    package = path.relative_to(PROCMON).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield tuple((node.module or "").split("."))
        elif isinstance(node, ast.ImportFrom):
            base = ("procmon", *package[: len(package) - node.level + 1], *filter(None, (node.module or "").split(".")))
            yield from (base if node.module else (*base, alias.name) for alias in node.names)


def room_of(path: tuple[str, ...]) -> str:
    """The room of a module of procmon, or the module itself when it is in none; `__init__` for the package's names."""
    name = path[1] if len(path) > 1 else "__init__"
    return name if (PROCMON / name).is_dir() or (PROCMON / f"{name}.py").exists() else "__init__"


def test_there_are_rooms() -> None:
    assert {path.parent.name for path in MODULES} == {"procmon", *ROOMS}
    assert ("procmon", "config") in set(imports(PROCMON / "core" / "worker.py"))
    assert room_of(("procmon", "__version__")) == "__init__"


@pytest.mark.parametrize("path", sorted((PROCMON / "core").glob("*.py")), ids=lambda path: path.name)
def test_decisions_touch_nothing(path: Path) -> None:
    """Time, signals, files and sockets come to the core as events, so that tests need none of them."""
    assert {name for name, *_rest in imports(path)} & NO_DECISION_NEEDS == set()


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_they_may(room: str) -> None:
    found = {
        (path.name, room_of(imported))
        for path in (PROCMON / room).glob("*.py")
        for imported in imports(path)
        if imported[0] == "procmon"
    }
    assert {(name, other) for name, other in found if other not in ROOMS[room]} == set()


def test_the_worker_finds_its_own_modules_by_relative_imports() -> None:
    """In the app's interpreter there is no package `procmon`."""
    absolute = {
        (path.name, node.module)
        for path in (PROCMON / "worker").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.level > 1 or (node.module or "").partition(".")[0] == "procmon")
    }
    assert absolute == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROCMON)))
def test_no_object_reads_what_is_private_to_another(path: Path) -> None:
    found = {
        f"{ast.unparse(node.value)}.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value)
    }
    assert found - NAMED_LIKE_PRIVATE == set()


def is_private(name: str) -> bool:
    """Whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


def is_own(owner: ast.expr) -> bool:
    """Whether it is the object or the class that the code belongs to."""
    return isinstance(owner, ast.Name) and owner.id in {"self", "cls"}
