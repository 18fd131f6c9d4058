# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Directories that root finds, creates and removes, also where a user can exchange them for links meanwhile.

A path is followed one name at a time, each relative to the directory that is already open. A link is followed only
where root alone can have made it: in a directory of root that no one else may write to.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .._releases.errors import ReleaseError

# To pass through a directory one need not be able to read it.
PASS_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
CHANGE_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MODE = 0o755
# As many as the kernel follows.
MAX_LINKS = 40


class UnsafeLinkError(ReleaseError):
    """Raised instead of following a link that a user could lead elsewhere."""


@dataclass(frozen=True)
class Wanted:
    """A directory, and who is to own it. With `exact`, one that exists gets this owner and the mode 0755 as well."""

    path: Path
    owner: pwd.struct_passwd
    exact: bool = False


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a directory, and yield its descriptor. Raises OSError where there is none, and UnsafeLinkError."""
    descriptor = _walk(path, None)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def differs(wanted: Wanted) -> bool:
    """Return whether `ensure` would change something. Raises as `ensure` does."""
    try:
        with opened(wanted.path) as directory:
            return wanted.exact and not _is_exact(directory, wanted.owner)
    except FileNotFoundError:
        return True


def ensure(wanted: Wanted) -> None:
    """Create the directory, and those above it; each of these gets the owner of the one that holds it.

    Raises UnsafeLinkError, and OSError as the kernel reports it.
    """
    directory = _walk(wanted.path, wanted.owner)
    try:
        if wanted.exact and not _is_exact(directory, wanted.owner):
            _give(directory, ".", wanted.owner.pw_uid, wanted.owner.pw_gid)
    finally:
        os.close(directory)


def remove(path: Path) -> None:
    """Remove a file, a link, or a directory with all that is in it. Raises UnsafeLinkError."""
    with opened(path.parent) as parent:
        if stat.S_ISDIR(os.stat(path.name, dir_fd=parent, follow_symlinks=False).st_mode):
            # By the descriptor: what leads there may have been exchanged. rmtree itself follows no link.
            shutil.rmtree(f"/proc/self/fd/{parent}/{path.name}")
        else:
            os.unlink(path.name, dir_fd=parent)


def unsafe_link(path: Path) -> str:
    """Return the message about a link on the way to a path that a user could lead elsewhere; nothing without one.

    Of a path that does not exist, the part that does.
    """
    try:
        with opened(path):
            return ""
    except UnsafeLinkError as error:
        return error.msg
    except OSError:
        return ""


def _walk(path: Path, create_for: pwd.struct_passwd | None) -> int:
    """Return the descriptor of a directory. Missing ones are created where the last one has an owner to be."""
    directory, rest, links = os.open("/", PASS_FLAGS), [*reversed(path.parts[1:])], 0
    try:
        while rest:
            name = rest.pop()
            target = _link_target(directory, name, path)
            if target:
                links = _count_links(links, path)
                rest.extend(part for part in reversed(target.split("/")) if part)
            elif create_for:
                _create_missing(directory, name, None if rest else create_for)
            directory = _enter(directory, "/" if target.startswith("/") else "." if target else name)
    except BaseException:
        os.close(directory)
        raise
    return directory


def _enter(directory: int, name: str) -> int:
    """Open a directory in another one, which is closed then."""
    entered = os.open(name, PASS_FLAGS, dir_fd=directory)
    os.close(directory)
    return entered


def _count_links(number: int, path: Path) -> int:
    if number == MAX_LINKS:
        raise ReleaseError(f"{path} leads through too many links", "name the directory itself")
    return number + 1


def _exists(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _link_target(directory: int, name: str, path: Path) -> str:
    """Return where a name leads if it is a link. Raises UnsafeLinkError for one that root need not have made."""
    if not _exists(directory, name) or not _is_link(directory, name):
        return ""
    above = os.fstat(directory)
    if os.geteuid() == 0 and (above.st_uid or above.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        link = os.path.join(os.readlink(f"/proc/self/fd/{directory}"), name)  # noqa: PTH115, PTH118 - text for a message
        msg = f"{path} leads through the link {link}, which others than root can change"
        raise UnsafeLinkError(msg, f"name the directory itself, or let root own {os.path.dirname(link)}")  # noqa: PTH120
    return os.readlink(name, dir_fd=directory)


def _is_link(directory: int, name: str) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)


def _create_missing(directory: int, name: str, owner: pwd.struct_passwd | None) -> None:
    """Create a directory where nothing has its name, for its owner or for that of the directory that holds it."""
    if _exists(directory, name):
        return
    os.mkdir(name, MODE, dir_fd=directory)
    above = os.fstat(directory)
    _give(directory, name, owner.pw_uid if owner else above.st_uid, owner.pw_gid if owner else above.st_gid)


def _give(directory: int, name: str, user: int, group: int) -> None:
    """Set owner and mode of a directory in another one; by a descriptor, so that no link can take its place."""
    given = os.open(name, CHANGE_FLAGS, dir_fd=directory)
    try:
        os.fchown(given, user, group)
        os.fchmod(given, MODE)
    finally:
        os.close(given)


def _is_exact(directory: int, owner: pwd.struct_passwd) -> bool:
    found = os.fstat(directory)
    return (found.st_uid, stat.S_IMODE(found.st_mode)) == (owner.pw_uid, MODE)
