# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Links from a release into `shared/`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from ..errors import ReleaseError
from ..model import ProjectPaths
from ..system import files


def link_shared(paths: ProjectPaths, release: Path, final: Path, entries: Iterable[str]) -> None:
    """Put a link to `shared/<entry>` for each entry in the release at `release`, which will live at `final`.

    What the repository itself holds there becomes the first content of `shared/<entry>`. An entry that ends in a slash,
    or looks like a directory, is created as one. Raises ReleaseError for a file that is nowhere.
    """
    for entry in entries:
        place, kept = release / entry, paths.shared / entry
        if _is_below_own_link(paths, release, place):
            # A release that was made with wider shared_paths: the entry is shared by that link.
            continue
        _check_parents(release, place)
        text = os.path.relpath(kept, (final / entry).parent)
        if place.is_symlink() and str(place.readlink()) == text and kept.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not (paths.current / entry).is_symlink():
            _add_missing(place, kept)
        _provide(entry, place, kept)
        place.symlink_to(text)


def missing_links(paths: ProjectPaths, release: Path, entries: Iterable[str]) -> list[str]:
    """Return the entries that a release was made without: shared_paths has changed since."""
    return [entry for entry in entries if not _is_linked(paths, release, entry)]


def _is_linked(paths: ProjectPaths, release: Path, entry: str) -> bool:
    place = release / entry
    text = os.path.relpath(paths.shared / entry, place.parent)
    return _is_below_own_link(paths, release, place) or (place.is_symlink() and str(place.readlink()) == text)


def require_sources(paths: ProjectPaths, entries: Iterable[str], in_commit: Callable[[str], bool]) -> None:
    """Raise ReleaseError where an entry is a file that is nowhere: the release could not be made."""
    for entry in entries:
        if not (is_directory(entry) or os.path.lexists(paths.shared / entry) or in_commit(entry)):
            raise _nowhere(entry, paths.shared / entry)


def is_directory(entry: str) -> bool:
    """Return whether an entry that is nowhere yet is a directory: it ends in a slash, or its last part has no dot."""
    return entry.endswith("/") or "." not in PurePosixPath(entry).name


def _is_below_own_link(paths: ProjectPaths, release: Path, place: Path) -> bool:
    shared = paths.shared.resolve()
    links = [release / parent for parent in place.relative_to(release).parents if (release / parent).is_symlink()]
    return any(shared in link.resolve().parents for link in links)


def _add_missing(place: Path, kept: Path) -> None:
    """Move to an existing directory what it lacks of the repository's: the entry is new, or wider than before."""
    if place.is_symlink() or kept.is_symlink() or not (place.is_dir() and kept.is_dir()):
        return
    for child in place.iterdir():
        target = kept / child.name
        if os.path.lexists(target):
            _add_missing(child, target)
        else:
            child.rename(target)


def _check_parents(release: Path, place: Path) -> None:
    """Raise ReleaseError when what leads to `place` is a link of the repository, or a file."""
    entry = place.relative_to(release)
    for parent in reversed(entry.parents):
        within = release / parent
        if parent.parts and within.is_symlink():
            raise ReleaseError(
                f"shared_paths has {entry}, but {parent} is a link in the repository",
                "name a path without links, or remove the link",
            )
        if os.path.lexists(within) and not within.is_dir():
            raise ReleaseError(
                f"shared_paths has {entry}, but {parent} is a file in the repository",
                f"rename that file, or set shared_paths to paths that are not below {parent}",
            )


def _provide(entry: str, place: Path, kept: Path) -> None:
    """Make sure that `kept` has content, and that nothing is at `place`."""
    found = kept if os.path.lexists(kept) else place
    if entry.endswith("/") and found.is_file():
        raise ReleaseError(f"shared_paths has {entry}, but {found} is a file", "remove the slash, or the file")
    if found == place:
        _create(entry, place, kept)
    elif not kept.exists():
        broken = f"{kept} is a link to {kept.readlink()}, which does not exist"
        raise ReleaseError(broken, "create or mount what it leads to, or remove the link")
    files.remove_path(place)


def _create(entry: str, place: Path, kept: Path) -> None:
    """Create `kept`: from what the repository holds, otherwise as an empty directory."""
    if place.exists() and not place.is_symlink():
        place.rename(kept)
    elif is_directory(entry):
        kept.mkdir()
    else:
        raise _nowhere(entry, kept)


def _nowhere(entry: str, kept: Path) -> ReleaseError:
    return ReleaseError(
        f"shared_paths has {entry}, which is neither a file in the repository nor at {kept}",
        f"create the file {kept} on the server, or write {entry}/ in shared_paths if it is a directory",
    )
