# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Whether files and units of systemd are as setup would leave them, so that nothing has to be written or started."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from .._releases.system.run import run_command

PROPERTIES = ("Id", "ActiveState", "UnitFileState", "NeedDaemonReload")
RUNNING = ("active", "activating", "reloading")


def differs(path: Path, wanted: Mapping[str, str]) -> bool:
    """Return whether a path is not the link, or not the file with the content, that is wanted. Neither is nothing."""
    if not wanted.get("link") and not wanted.get("sha256"):
        return os.path.lexists(path)
    try:
        if wanted.get("link"):
            return os.readlink(path) != wanted["link"]  # noqa: PTH115 - the text itself
        found = path.lstat()
        return not stat.S_ISREG(found.st_mode) or digest(path) != wanted["sha256"] or mode_differs(found, wanted)
    except OSError:
        return True


def digest(path: Path) -> str:
    """Return the hash of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mode_differs(found: os.stat_result, wanted: Mapping[str, str]) -> bool:
    """Return whether a file has another mode than wanted."""
    return stat.S_IMODE(found.st_mode) != int(wanted["mode"], 8)


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
