# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The processes of this machine, as far as this user may look at them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def is_alive(pid: int) -> bool:
    """Return whether a process with that id exists, of any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_lines(proc: Path = PROC) -> Iterator[tuple[list[str], Path]]:
    """Yield the arguments and the working directory of each process that this user may inspect."""
    for process in proc.glob("[0-9]*"):
        # It may have exited since, or belong to another user.
        with suppress(OSError):
            argv = (process / "cmdline").read_bytes().decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
            yield argv, (process / "cwd").readlink()


def in_use(directory: Path, proc: Path = PROC) -> bool:
    """Return whether a process that this user may inspect works in `directory` or below."""
    return any(_cwd_is_in(directory, process) for process in proc.glob("[0-9]*/cwd"))


def _cwd_is_in(directory: Path, cwd: Path) -> bool:
    with suppress(OSError):
        place = cwd.readlink()
        return place == directory or directory in place.parents
    return False
