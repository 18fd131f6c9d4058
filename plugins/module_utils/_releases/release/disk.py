# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from ..git.client import Git
from ..model import Live, ReleaseError, Tree, Wanted
from ..system import files as durable
from . import plan

RELEASE_NAME = re.compile(r"[0-9a-f]{12}")


def read_layout(wanted: Wanted, git: Git) -> plan.Layout:
    """Look at what there is under the project's path."""
    tree = wanted.tree
    ours = [*plan.directories(wanted), *(tree.shared / entry for entry in wanted.shared_paths)]
    is_clone = tree.source.is_dir() and git.is_repository()
    return plan.Layout(
        present=frozenset(path for path in ours if os.path.lexists(path)),
        url=(git.url() or "") if is_clone else None,
        occupied=os.path.lexists(tree.source) and not is_clone,
        uploads=frozenset(entry for entry in wanted.shared_paths if is_clone and _is_upload(tree, git, entry)),
    )


def apply(step: plan.Step, tree: Tree, git: Git) -> None:
    """Do one step of a plan."""
    if isinstance(step, plan.MakeDirectory):
        step.path.mkdir(parents=True, exist_ok=True)
    elif isinstance(step, plan.Clone):
        _clone(step.url, tree, git)
    elif isinstance(step, plan.SetUrl):
        # First, for a wrong address must not be the one that every later run asks.
        git.fetch(step.url)
        git.set_url(step.url)
    else:
        _move_to_shared(step.entry, tree)


def read_live(tree: Tree, git: Git) -> Live:
    """Say what `current` stands for.

    Raises ReleaseError when `current` is not a symlink: it could not be replaced in one instant.
    """
    head = git.head() if tree.source.is_dir() else None
    if not os.path.lexists(tree.current):
        return Live(source_head=head)
    if not tree.current.is_symlink():
        raise ReleaseError(f"{tree.current} is not a symlink", "move it away: a deploy replaces it by a link")
    release = tree.current.resolve()
    commit = git.at(release).head() if release.is_dir() else None
    return Live(str(tree.current.readlink()), release, commit, head)


def point_current(tree: Tree, link: str | None) -> None:
    """Make `current` a symlink with the text `link` in one instant; without one, remove it."""
    if link is None:
        tree.current.unlink(missing_ok=True)
    else:
        fresh = tree.path / ".current.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(link)
        fresh.replace(tree.current)
    durable.sync_directory(tree.path)


def point_back(tree: Tree, link: str | None) -> None:
    """Make `current` what it was before, by the link that was kept for it if there is one: that needs no room."""
    if link is not None and _says(tree.way_back, link):
        tree.way_back.replace(tree.current)
        durable.sync_directory(tree.path)
    elif link is None or not _says(tree.current, link):
        point_current(tree, link)


def keep_way_back(tree: Tree, link: str | None) -> None:
    """Make the link back before anything is switched: later a hook may have filled the disk."""
    forget_way_back(tree)
    if link is not None:
        tree.way_back.symlink_to(link)


def forget_way_back(tree: Tree) -> None:
    """Remove the link back: what is live is proven."""
    tree.way_back.unlink(missing_ok=True)


def _says(path: Path, link: str) -> bool:
    return path.is_symlink() and str(path.readlink()) == link


def link_text(tree: Tree, release: Path) -> str:
    """Return what `current` says for a release: relative, so that the tree may be mounted elsewhere."""
    return os.path.relpath(release, tree.path)


def release_ages(tree: Tree) -> dict[str, float]:
    """Return the whole releases by name with their age mark (mtime, seconds since the epoch)."""
    with suppress(FileNotFoundError):
        found = [path for path in tree.releases.iterdir() if RELEASE_NAME.fullmatch(path.name)]
        return {path.name: path.stat().st_mtime for path in found if (path / ".git").exists()}
    return {}


def names(directory: Path) -> list[str]:
    """List a directory; an absent one is empty."""
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


def environment_links(tree: Tree) -> list[str]:
    """Return what the `.venv` links of the releases and of `source` say."""
    homes = [tree.source, *(tree.releases / name for name in release_ages(tree))]
    return [str((home / ".venv").readlink()) for home in homes if (home / ".venv").is_symlink()]


def set_aside(tree: Tree, release: Path) -> bool:
    """Clear the name of a release; what bore it is removed with the discarded. Returns whether anything did."""
    if not os.path.lexists(release):
        return False
    tree.discarded.mkdir(exist_ok=True)
    release.rename(tree.discarded / release.name)
    return True


def discard(tree: Tree, names: Collection[str]) -> None:
    """Remove releases. What is half removed never bears a release's name."""
    if not names:
        return
    tree.discarded.mkdir(exist_ok=True)
    for name in names:
        (tree.releases / name).rename(tree.discarded / name)
    remove_leftovers(tree.discarded)


def remove_leftovers(directory: Path) -> None:
    """Remove a directory with all below it, also where a hook took the write permission away."""
    if not directory.is_dir():
        return
    for parent, _children, _files in os.walk(directory):
        Path(parent).chmod(0o700)
    shutil.rmtree(directory)


def remove(path: Path) -> None:
    """Remove a file, a link, or a directory with all below it."""
    if path.is_dir() and not path.is_symlink():
        remove_leftovers(path)
    else:
        path.unlink(missing_ok=True)


def link_shared(tree: Tree, release: Path, final: Path, entries: Iterable[str]) -> None:
    """Put a link to `shared/<entry>` for each entry in the release at `release`, which will live at `final`.

    What the repository itself holds there becomes the first content of `shared/<entry>`.
    """
    for entry in entries:
        place, kept = release / entry, tree.shared / entry
        _check_inside(release, place)
        text = os.path.relpath(kept, (final / entry).parent)
        if place.is_symlink() and str(place.readlink()) == text and kept.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        _make_room(place, kept)
        place.symlink_to(text)


def _is_upload(tree: Tree, git: Git, entry: str) -> bool:
    place = tree.source / entry
    return place.is_dir() and not place.is_symlink() and not git.tracks(entry)


def _clone(url: str, tree: Tree, git: Git) -> None:
    # A clone that was killed half way must not look like one, nor one that a power loss took half of.
    fresh = git.at(tree.path / ".source.new")
    remove_leftovers(fresh.directory)
    fresh.clone(url)
    os.sync()
    if tree.source.is_dir():
        tree.source.rmdir()
    fresh.directory.rename(tree.source)


def finish_move(tree: Tree, entry: str) -> None:
    """Put the link of a move to `shared` in its place, when a run died just before."""
    place = tree.source / entry
    link = _link_of_move(place)
    if link.is_symlink() and not os.path.lexists(place) and (tree.shared / entry).exists():
        link.rename(place)


def _link_of_move(place: Path) -> Path:
    return place.with_name(f".{place.name}.new")


def _move_to_shared(entry: str, tree: Tree) -> None:
    place, kept = tree.source / entry, tree.shared / entry
    kept.parent.mkdir(parents=True, exist_ok=True)
    link = _link_of_move(place)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(kept, place.parent))
    # Readers of the old path find nothing for the time between these two lines only.
    place.rename(kept)
    link.rename(place)


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
