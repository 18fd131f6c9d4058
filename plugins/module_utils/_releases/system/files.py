# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Files that survive a power loss, directories removed with all below them, locks."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from ..errors import ReleaseError
from .run import Run


def write_synced(path: Path, text: str) -> None:
    """Replace a file atomically; it is on disk when this returns."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(path.parent)


def open_private(path: Path) -> FileIO:
    """Open a file to read and to append, for its owner alone: what programs have printed may hold secrets.

    A file of an earlier version, which others could read, is corrected. Raises OSError.
    """
    opened = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    found = os.fstat(opened)
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        os.fchmod(opened, 0o600)
    return os.fdopen(opened, "a+b", buffering=0)


def sync_directory(path: Path) -> None:
    """Flush the names in a directory to disk."""
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sync_file_systems(run: Run, *paths: Path) -> None:
    """Flush everything written to the file systems of these paths to disk.

    Raises ReleaseError when the disk reports an error.
    """
    # One call for what git, hooks and installers wrote in thousands of files; Python has none for it.
    one_each = {path.stat().st_dev: str(path) for path in paths}
    done = run(["sync", "-f", *one_each.values()])
    if done.rc:
        raise ReleaseError(f"could not flush the release to disk: {done.err.strip()}", "check the disk")


def remove_tree(directory: Path) -> None:
    """Remove a directory with all below it, also where a hook has removed the write permission."""
    if not directory.is_dir():
        return
    for parent, _children, _files in os.walk(directory):
        Path(parent).chmod(0o700)
    shutil.rmtree(directory)


def remove_path(path: Path) -> None:
    """Remove a file, a link, or a directory with all below it."""
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)


def list_directory(directory: Path) -> list[str]:
    """List a directory; an absent one is empty."""
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`; the kernel frees the lock of a process that was killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
