# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Whether files and units of systemd are as setup would leave them, so that nothing has to be written or started."""

from __future__ import annotations

import hashlib
import pwd
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .._releases.system.run import run_command

PROPERTIES = ("Id", "ActiveState", "UnitFileState", "NeedDaemonReload")
RUNNING = ("active", "activating", "reloading")


def differs(wanted: Mapping[str, Any]) -> bool:
    """Return whether a file has another content, mode or group than wanted. Without a hash there must be no file."""
    path = Path(wanted["path"])
    try:
        found = path.lstat()
        if not wanted["sha256"] or not stat.S_ISREG(found.st_mode):
            return True
        content = path.read_bytes()
    except FileNotFoundError:
        return bool(wanted["sha256"])
    mode_differs = stat.S_IMODE(found.st_mode) != int(wanted["mode"], 8)
    return (
        mode_differs or hashlib.sha256(content).hexdigest() != wanted["sha256"] or group_differs(found.st_gid, wanted)
    )


def group_differs(group: int, wanted: Mapping[str, Any]) -> bool:
    """Return whether a file has another group than the first one of a user, where one is named."""
    user = wanted.get("group_of")
    if not user:
        return False
    try:
        return group != pwd.getpwnam(user).pw_gid
    except KeyError:
        return True


def ask_units(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the properties of units that systemd has, by name."""
    shown = run_command(["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *names], env={"LC_ALL": "C"})
    return parse_units(shown.out)


def parse_units(text: str) -> dict[str, dict[str, str]]:
    """Read what `systemctl show` prints: lines NAME=VALUE, and an empty line between units."""
    blocks = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n"))
    return {block["Id"]: block for block in blocks if "Id" in block}


def is_running(unit: Mapping[str, str]) -> bool:
    """Return whether a unit runs, starts at boot, and systemd knows its files as they are."""
    enabled, reload_needed = unit.get("UnitFileState"), unit.get("NeedDaemonReload")
    return unit.get("ActiveState") in RUNNING and enabled == "enabled" and reload_needed == "no"


def is_off(unit: Mapping[str, str]) -> bool:
    """Return whether a unit neither runs nor starts at boot."""
    return unit.get("ActiveState", "inactive") == "inactive" and unit.get("UnitFileState", "") != "enabled"
