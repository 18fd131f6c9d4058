"""The diagrams in the documents show today's code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script that writes the diagrams."""
    argv = [sys.executable, str(root / "tools" / "diagrams"), *arguments]
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
