# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Symbolic links that are replaced atomically, with a spare of the former one for a rollback."""

from __future__ import annotations

from pathlib import Path

from . import files


def points_to(place: Path, text: str | None) -> bool:
    """Return whether `place` is a link with this text; with None, whether it is not a link."""
    if text is None:
        return not place.is_symlink()
    return place.is_symlink() and str(place.readlink()) == text


def read(place: Path) -> str | None:
    """Return the text of a link, None where there is no link."""
    return str(place.readlink()) if place.is_symlink() else None


def replace(place: Path, text: str | None) -> None:
    """Make `place` a link with this text, atomically; remove the link where that is None."""
    if text is None:
        place.unlink(missing_ok=True)
    else:
        fresh = temporary(place, "new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(text)
        fresh.replace(place)
    files.sync_directory(place.parent)


def ensure(place: Path, text: str | None) -> None:
    """Make `place` a link with this text, unless it is one."""
    if not points_to(place, text):
        replace(place, text)


def keep_spare(place: Path) -> None:
    """Keep a copy of the link beside it: where a full disk allows no new one, it can still be renamed."""
    spare = temporary(place, "back")
    spare.unlink(missing_ok=True)
    if place.is_symlink():
        spare.symlink_to(place.readlink())


def restore(place: Path, text: str | None) -> None:
    """Make `place` a link with its former text, by the spare if there is one."""
    spare = temporary(place, "back")
    if text is not None and points_to(spare, text):
        spare.replace(place)
        files.sync_directory(place.parent)
    else:
        ensure(place, text)


def remove_spare(place: Path) -> None:
    """Remove the copy that `keep_spare` has made."""
    temporary(place, "back").unlink(missing_ok=True)


def temporary(place: Path, suffix: str) -> Path:
    """Return the name of the spare ("back") or of the link that is renamed to `place` ("new")."""
    return place.with_name(f".{place.name.lstrip('.')}.{suffix}")
