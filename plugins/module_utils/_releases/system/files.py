# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import os
from pathlib import Path

from ..model import ReleaseError
from .run import Run


def write_synced(path: Path, text: str) -> None:
    """Replace a file in one instant, on disk when this returns."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Have the names in a directory on disk when this returns."""
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sync_file_systems(run: Run, *paths: Path) -> None:
    """Have all that was written to the file systems of these paths on disk when this returns.

    Raises ReleaseError when the disk did not take it.
    """
    # One call for what git, hooks and installers wrote in thousands of files; Python has none for it.
    one_each = {path.stat().st_dev: str(path) for path in paths}
    done = run(["sync", "-f", *one_each.values()])
    if done.rc:
        raise ReleaseError(f"could not have the release on disk: {done.err.strip()}", "see to the disk")
