"""What `make setup` ends with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

MAKE = shutil.which("make") or "make"


def next_step(checkout: Path) -> str:
    return subprocess.check_output([checkout / "tools/bootstrap", "next"], text=True, cwd="/")


def test_the_next_step_is_to_describe_projects_or_to_set_one_up(root: Path, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(root / "tools/bootstrap", tmp_path / "tools")
    assert "next: make demo, or describe your projects in inventory/projects.yml" in next_step(tmp_path)
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/projects.yml").touch()
    expected = "bootstrap: ready; next: . .venv/bin/activate && ansible-playbook playbooks/setup.yml -e project=NAME\n"
    assert next_step(tmp_path) == expected


def test_only_make_setup_names_the_next_step(root: Path) -> None:
    """The other targets need it too, and go on."""

    def recipe(*goals: str) -> str:
        return subprocess.check_output([MAKE, "--dry-run", *goals], text=True, cwd=root)

    assert "tools/bootstrap next" in recipe("setup")
    assert "tools/bootstrap next" in recipe()
    assert "tools/bootstrap next" not in recipe("format")
