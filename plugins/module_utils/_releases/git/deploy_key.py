# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The deploy key of a project, which setup makes where it is needed: where it is, and how git uses it."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path

from ..errors import ReleaseError
from ..system.run import Run
from .client import Git

ONLY_THIS_KEY = "-o IdentitiesOnly=yes"


def key_file(home: Path, project: str) -> Path:
    """Return where the key of a project is."""
    return home / ".ssh" / f"deploy_{project}"


def ssh_command(base: str, key: Path) -> str:
    """Return the ssh command by which git uses this key and no other."""
    return f"{base} -i {shlex.quote(str(key))} {ONLY_THIS_KEY}"


def uses_key(command: str, key: Path) -> bool:
    """Return whether an ssh command of git is one of `ssh_command` with this key."""
    return command.endswith(ssh_command("", key))


def user_command(run: Run) -> str:
    """Return the ssh command that git would use for this user."""
    configured = run(["git", "config", "--global", "--get", "core.sshCommand"]).out.strip()
    system = run(["git", "config", "--system", "--get", "core.sshCommand"]).out.strip()
    found = os.environ.get("GIT_SSH_COMMAND") or configured or system
    return found or shlex.quote(os.environ.get("GIT_SSH") or "ssh")


def clone(git: Git, run: Run, url: str, project: str, *, bare: bool = False) -> None:
    """Clone as setup did: with the key of the project, if there is one, and otherwise as the user of the server.

    Raises ReleaseError with the reason of the first way when none leads to the repository.
    """
    key = key_file(Path.home(), project)
    # Where the user's environment names the command, git uses no other.
    if os.environ.get("GIT_SSH_COMMAND") or not key.is_file():
        git.clone(url, bare=bare)
        return
    try:
        git.clone(url, bare=bare, ssh_command=ssh_command(user_command(run), key))
    except ReleaseError:
        with suppress(ReleaseError):
            git.clone(url, bare=bare)
            return
        raise
