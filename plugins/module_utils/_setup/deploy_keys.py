# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Deploy keys: a key per project for a private git host, made on the server, of which only the public half leaves it.

The file is named for the project, so that several private repositories of one host work: most hosts accept a deploy key
for one repository only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .._releases.system.run import Run


def public_half(key: Path) -> str:
    """Return the public half of a key, as a git host takes it; nothing when there is no key."""
    public = key.with_name(f"{key.name}.pub")
    return public.read_text(encoding="utf-8").strip() if key.is_file() and public.is_file() else ""


def make(run: Run, key: Path, comment: str) -> str:
    """Make a key and return its public half. Raises OSError when it cannot be made.

    It is complete or not there: both halves are made beside their places, and the private one is renamed last.
    """
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = key.with_name(f"{key.name}.new")
    halves = (fresh, fresh.with_name(f"{fresh.name}.pub"))
    for half in halves:
        half.unlink(missing_ok=True)
    done = run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(fresh)])
    if done.rc:
        raise OSError(f"ssh-keygen could not make {key}: {done.err.strip() or done.out.strip()}")
    halves[1].replace(key.with_name(f"{key.name}.pub"))
    fresh.replace(key)
    return public_half(key)


def comment(project: str) -> str:
    """Return what names the key where a git host lists it: the project and the server."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', project)}@{os.uname().nodename}"
