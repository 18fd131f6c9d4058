"""docs/reference/messages.md has today's messages."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PRODUCT = ("plugins", "src", "roles/supervisor/files/procmon/src")
WITHOUT_A_TEXT_OF_ITS_OWN = {
    "ProjectsError": "lists Problems",
    "InvalidConfigurationError": "lists Problems, too",
    "RunFailedError": "has the summary of an outcome",
    "NoLifespanError": "of the worker, which goes on without a lifespan",
}


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script that writes the page."""
    argv = [sys.executable, str(root / "tools" / "messages"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_the_page_is_up_to_date(root: Path) -> None:
    done = run(root, "--check")
    assert done.returncode == 0, done.stderr


def test_a_page_that_is_out_of_date_is_found_and_written_again(root: Path, tmp_path: Path) -> None:
    """In a copy of what the script needs."""
    for name in ("tools/messages", "docs/reference/messages.md"):
        copy = tmp_path / name
        copy.parent.mkdir(parents=True)
        copy.write_text((root / name).read_text())
    for name in PRODUCT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(root / name)
    if (root / "docs/troubleshooting.md").exists():
        (tmp_path / "docs/troubleshooting.md").touch()
    page = tmp_path / "docs/reference/messages.md"
    before = page.read_text()
    page.write_text(before.replace("Mount it writable", "Mount it"))
    assert run(tmp_path, "--check").returncode == 1
    assert run(tmp_path).returncode == 0
    assert page.read_text() == before


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("the git on this server is too old", "Install git 2.30 or newer there"),
        (r"\<key> comes before the first \[section\]", ""),
        (r"sudo asks \<user> for a password on \<host>", "Run setup with -K and type it"),
        ("Give either N or --to, not both.", ""),
        (r"state_dir = \<state> is in use by the procmon with pid \<pid>: stop that one first", ""),
        ("no ref was given and the repository has no tag", "Set ref, such as origin/"),
        ("Which project? Name it with -e project=NAME.", ""),
        ("uv.lock does not match pyproject.toml: the lock is out of date", "Run `uv lock`"),
    ],
)
def test_each_kind_of_message_is_listed(root: Path, message: str, remedy: str) -> None:
    """Of a call, a table, a class of errors, and a function that returns the text."""
    lines = (root / "docs/reference/messages.md").read_text().splitlines()
    (row,) = {line.rpartition(" | ")[0] for line in lines if line.startswith(f"| {message}")}
    assert row.partition(" | ")[2].startswith(remedy)


def test_every_class_of_errors_is_read(root: Path) -> None:
    """A new one, with messages that users see, has to be named in the script."""
    known = (root / "tools" / "messages").read_text()
    errors = {
        name for directory in PRODUCT for path in (root / directory).rglob("*.py") for name in error_classes(path)
    }
    assert errors
    assert {name for name in errors - set(WITHOUT_A_TEXT_OF_ITS_OWN) if f'"{name}"' not in known} == set()


def error_classes(path: Path) -> set[str]:
    """Return the names of the classes in a file that are errors by their names."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name.endswith("Error")}
