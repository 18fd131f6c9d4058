"""A source tree whose packages are not installed: a message that says what to do, in the place of a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"
CONFIG = "plugin: onetouch.deploy.projects\nprojects: {blog: {connection: local, repo: /r, path: /srv/blog}}\n"
REMEDY = (
    f" is not installed for {sys.executable}. Install onetouch-deploy with all of its parts: pip install PATH, where "
    "PATH is the source tree or the wheel.\n"
)


@pytest.mark.parametrize(
    ("argv", "missing"),
    [
        (["-m", "onetouch_deploy", "blog"], "ansible_collections"),
        (["-m", "onetouch_deploy", "blog", "config"], "ansible_collections"),
        # Without what is installed beside Python's own library.
        (["-S", "-m", "onetouch_deploy", "blog"], "click"),
    ],
    ids=["collection", "config", "click"],
)
def test_the_command(tmp_path: Path, argv: Sequence[str], missing: str) -> None:
    done = run(tmp_path, argv)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"deploy: The Python module {missing}{REMEDY}")


def test_a_function(tmp_path: Path) -> None:
    done = run(tmp_path, ["-c", "import onetouch_deploy; onetouch_deploy.deploy"])
    assert done.returncode == 1
    assert done.stderr.endswith(f"\nImportError: The Python module ansible_collections{REMEDY}")


def run(folder: Path, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run Python where it finds the package, and not the collection."""
    (folder / "projects.yml").write_text(CONFIG)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, *argv], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
