"""Ways to touch a file by which another one takes its place."""

from __future__ import annotations

from pathlib import Path


def rename_over(path: Path) -> None:
    """Put another file in its place, as editors and rsync do."""
    new = path.with_name("new")
    new.touch()
    new.rename(path)


def recreate(path: Path) -> None:
    """Delete it and create it again."""
    path.unlink()
    path.touch()
