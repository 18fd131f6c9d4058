# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Links from a release into `shared/`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import ReleaseError
from ..model import ProjectPaths


def link_shared(paths: ProjectPaths, release: Path, final: Path, entries: Iterable[str]) -> None:
    """Put a link to `shared/<entry>` for each entry in the release at `release`, which will live at `final`.

    What the repository itself holds there becomes the first content of `shared/<entry>`.
    """
    for entry in entries:
        place, kept = release / entry, paths.shared / entry
        _check_inside(release, place)
        text = os.path.relpath(kept, (final / entry).parent)
        if place.is_symlink() and str(place.readlink()) == text and kept.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        _make_room(place, kept)
        place.symlink_to(text)


def _check_inside(release: Path, place: Path) -> None:
    """Raise ReleaseError when a link of the repository leads the way to `place`: it may lead anywhere."""
    way = [parent for parent in place.parents if release in parent.parents and parent.is_symlink()]
    if way:
        entry, link = place.relative_to(release), way[0].relative_to(release)
        raise ReleaseError(
            f"shared_paths has {entry}, but {link} is a link in the repository",
            "name a path without links, or remove the link",
        )


def _make_room(place: Path, kept: Path) -> None:
    if place.is_symlink():
        place.unlink()
    if not kept.exists() and place.exists():
        place.rename(kept)
    elif not kept.exists():
        kept.mkdir(parents=True)
    elif place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
