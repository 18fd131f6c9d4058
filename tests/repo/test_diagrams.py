"""The diagrams in the documents show today's code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(root: Path, *arguments: str, script: str = "diagrams") -> subprocess.CompletedProcess[str]:
    """Run a script that writes diagrams."""
    argv = [sys.executable, str(root / "tools" / script), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_the_diagrams_are_up_to_date(root: Path) -> None:
    done = run(root, "--check")
    assert done.returncode == 0, done.stderr


def test_a_diagram_that_is_out_of_date_is_found_and_written_again(root: Path, tmp_path: Path) -> None:
    """In a copy of what the script needs."""
    for name in ("tools/diagrams", "docs/procmon.md"):
        copy = tmp_path / name
        copy.parent.mkdir()
        copy.write_text((root / name).read_text())
    (tmp_path / "roles").symlink_to(root / "roles")
    page = tmp_path / "docs" / "procmon.md"
    before = page.read_text()
    assert "ready --> accepting" in before
    page.write_text(before.replace("ready --> accepting", "ready --> gone"))
    assert run(tmp_path, "--check").returncode == 1
    assert run(tmp_path).returncode == 0
    assert page.read_text() == before


def test_the_picture_of_the_architecture_is_up_to_date_and_shown(root: Path) -> None:
    done = run(root, "--check", script="architecture")
    assert done.returncode == 0, done.stderr
    assert "(images/architecture.svg)" in (root / "docs/architecture.md").read_text()


def test_a_picture_that_is_out_of_date_is_found_and_written_again(root: Path, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "docs/images").mkdir(parents=True)
    (tmp_path / "tools/architecture").write_text((root / "tools/architecture").read_text())
    picture = tmp_path / "docs/images/architecture.svg"
    picture.write_text("<svg/>\n")
    assert run(tmp_path, "--check", script="architecture").returncode == 1
    assert run(tmp_path, script="architecture").returncode == 0
    assert picture.read_text() == (root / "docs/images/architecture.svg").read_text()
