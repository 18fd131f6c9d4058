# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook in place of this process, and what each program of Ansible needs in its environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from .errors import CommandError
from .plan import PROGRAM

PACKAGE = Path(__file__).parent
CALLBACK = "onetouch.deploy.terminal"
CHOSEN = re.compile(r"^stdout_callback\s*=", re.MULTILINE)
COLLECTIONS = re.compile(r"^collections_path\s*=([^;\n]*)", re.MULTILINE)
# By it, messages name the next command as one of `deploy`.
TYPED = "ONETOUCH_DEPLOY_TYPED"
# By it, a message about an unknown `project` or `ref` names the command that is like it.
MEANT = "ONETOUCH_DEPLOY_MEANT_"
# It is in every glibc that Debian and Ubuntu support, and needs no package.
UTF_8 = "C.UTF-8"
# Where Ansible looks for its settings, after ANSIBLE_CONFIG.
SYSTEM_SETTINGS = Path("/etc/ansible/ansible.cfg")


def program(name: str = "ansible-playbook") -> Path:
    """Return the path of a program of Ansible. Raises CommandError when this environment has none."""
    found = Path(sys.executable).with_name(name)
    if not found.exists():
        raise CommandError(f"There is no {found}. Install onetouch-deploy again: ansible-core is one of its parts.")
    return found


def arguments(words: Sequence[str]) -> list[str]:
    """Return the words that start ansible-playbook. Raises CommandError as `program` does."""
    program()
    return [sys.executable, "-P", "-m", f"{__package__}.ansible_process", *words]


def collections() -> Path:
    """Return the directory of this command's own collection, as Ansible wants it: that of `ansible_collections`."""
    found = find_spec("ansible_collections.onetouch.deploy")
    places = [*((found and found.submodule_search_locations) or ())]
    if not places:
        raise CommandError("The collection onetouch.deploy is not there. Install onetouch-deploy again: it has it.")
    return Path(places[0]).parents[2]


def user_settings(root: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the ansible.cfg that Ansible would read in `root`, if there is one."""
    home = Path(environ.get("HOME") or Path.home())
    places = (Path(environ.get("ANSIBLE_CONFIG") or root / "ansible.cfg"), home / ".ansible.cfg", SYSTEM_SETTINGS)
    return next((path for path in places if path.is_file()), None)


def settings(root: Path, environ: Mapping[str, str], own: Path) -> dict[str, str]:
    """Return what Ansible needs in its environment: our ansible.cfg where the user has none, otherwise our callback.

    A callback that the user has chosen, in the environment or in an ansible.cfg, counts. The collection in `own` comes
    before those that the user has installed: one of another version would not fit to this command.
    """
    file = user_settings(root, environ)
    text = file.read_text(errors="replace") if file else ""
    searched = environ.get("ANSIBLE_COLLECTIONS_PATH") or _collections_in(text, file) or _default_collections(environ)
    found = {"ANSIBLE_COLLECTIONS_PATH": f"{own}:{searched}", TYPED: PROGRAM, **locale(environ)}
    if file is None:
        return {**found, "ANSIBLE_CONFIG": str(PACKAGE / "ansible.cfg")}
    chosen = environ.get("ANSIBLE_STDOUT_CALLBACK") or CHOSEN.search(text)
    return found if chosen else {**found, "ANSIBLE_STDOUT_CALLBACK": CALLBACK}


def locale(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the locale for Ansible where the user has asked for none: it refuses one that is not UTF-8.

    A variable that is not set has the same meaning, and Python itself takes UTF-8 then.
    """
    return {"LC_ALL": UTF_8} if environ.get("LC_ALL") in {"C", "POSIX"} else {}


def _collections_in(text: str, file: Path | None) -> str:
    """Return where an ansible.cfg looks for collections: its paths are relative to itself."""
    found = COLLECTIONS.search(text)
    paths = [path.strip() for path in found[1].split(":") if path.strip()] if found else []
    return ":".join(str((file or Path()).parent / Path(path).expanduser()) for path in paths)


def _default_collections(environ: Mapping[str, str]) -> str:
    return f"{environ.get('ANSIBLE_HOME') or '~/.ansible'}/collections:/usr/share/ansible/collections"


def environment(root: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of one of Ansible's programs."""
    return {**os.environ, **settings(root, os.environ, collections()), **(extra or {})}


def become(words: Sequence[str], root: Path, extra: Mapping[str, str]) -> NoReturn:
    """Replace this process by ansible-playbook: Ctrl-C, the terminal and the exit code are its own."""
    argv = arguments(words)
    os.chdir(root)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(argv[0], argv, environment(root, extra))  # noqa: S606  no shell is wanted
