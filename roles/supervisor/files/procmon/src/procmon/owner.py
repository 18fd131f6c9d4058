# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that root types acts as the user who decides what is in the configuration, and so which files it names.

Otherwise that user could have root create a file anywhere, or stop the procmon of another project.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path


def become_owner(config: Path) -> None:
    """Drop the rights of root for the rest of this process where another user decides what is in a configuration."""
    # A file that is not there is reported when it is read.
    user = deciding_user(config) if os.geteuid() == 0 and config.exists() else 0
    if not user:
        return
    name, group = _name_and_group(user, config)
    os.initgroups(name, group) if name else os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def deciding_user(path: Path) -> int:
    """Return the first owner but root of what a path leads through: its directories, links and the file; 0 for root."""
    rest, here = [*reversed(path.absolute().parts)], Path("/")
    while rest:
        here = here / rest.pop()
        found = here.lstat()
        if found.st_uid:
            return found.st_uid
        if stat.S_ISLNK(found.st_mode):
            rest += reversed(here.readlink().parts)
            here = here.parent
    return 0


def _name_and_group(user: int, config: Path) -> tuple[str, int]:
    try:
        found = pwd.getpwuid(user)
    except KeyError:
        return "", config.stat().st_gid
    return found.pw_name, found.pw_gid
