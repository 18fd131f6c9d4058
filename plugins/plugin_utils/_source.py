# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source of a program that setup installs: what identifies it, and how it is packed. Private to this collection."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

LEFT_OVER = ("__pycache__", "build", "dist")
"""Directories that running or building it in place leaves behind."""


def files(source: Path) -> Iterator[Path]:
    """Return what belongs to the source, in a fixed order."""
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source).parts
        if path.is_file() and not any(part in LEFT_OVER or part.endswith(".egg-info") for part in inside):
            yield path


def digest(source: Path) -> str:
    """Return a hash of all of its files and their names."""
    found = hashlib.sha256()
    for path in files(source):
        content = path.read_bytes()
        found.update(f"{path.relative_to(source)}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def pack(source: Path, folder: Path) -> Path:
    """Write it as an archive, below a directory of its own name; return the archive."""
    archive = folder / f"{source.name}.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for path in files(source):
            packed.add(path, f"{source.name}/{path.relative_to(source)}")
    return archive
