# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook in place of this process, and what each program of Ansible needs in its environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from .errors import CommandError

PACKAGE = Path(__file__).parent
CALLBACK = "onetouch.deploy.terminal"
CHOSEN = re.compile(r"^stdout_callback\s*=", re.MULTILINE)
# Where Ansible looks for its settings, after ANSIBLE_CONFIG.
SYSTEM_SETTINGS = Path("/etc/ansible/ansible.cfg")


def program(name: str = "ansible-playbook") -> Path:
    """Return the path of a program of Ansible. Raises CommandError when this environment has none."""
    found = Path(sys.executable).with_name(name)
    if not found.exists():
        raise CommandError(f"There is no {found}. Install onetouch-deploy again: ansible-core is one of its parts.")
    return found


def user_settings(root: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the ansible.cfg that counts; None when the user has none."""
    home = Path(environ.get("HOME") or Path.home())
    own = (Path(environ.get("ANSIBLE_CONFIG") or root / "ansible.cfg"), home / ".ansible.cfg", SYSTEM_SETTINGS)
    return next((path for path in own if path.is_file()), None)


def settings(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what Ansible needs in its environment: our ansible.cfg where the user has none, otherwise our callback.

    A callback that the user has chosen, in the environment or in an ansible.cfg, counts.
    """
    found = user_settings(root, environ)
    if found is None:
        return {"ANSIBLE_CONFIG": str(PACKAGE / "ansible.cfg")}
    chosen = environ.get("ANSIBLE_STDOUT_CALLBACK") or CHOSEN.search(found.read_text(errors="replace"))
    return {} if chosen else {"ANSIBLE_STDOUT_CALLBACK": CALLBACK}


def environment(root: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of one of Ansible's programs."""
    return {**os.environ, **settings(root, os.environ), **(extra or {})}


def become(arguments: Sequence[str], root: Path, extra: Mapping[str, str]) -> NoReturn:
    """Replace this process by ansible-playbook: Ctrl-C, the terminal and the exit code are its own."""
    argv = [str(program()), *arguments]
    os.chdir(root)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(argv[0], argv, environment(root, extra))  # noqa: S606  no shell is wanted
