# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a server could not be asked, from what ssh, sudo or Ansible wrote, and what to do. Pure.

Private to this collection.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The first that matches counts.
KINDS = {
    "unresolved": r"Could not resolve hostname|Name or service not known|nodename nor servname",
    "host_key": r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known",
    "refused": r"Permission denied \(|Too many authentication failures|Authentication fail",
    "key_file": r"UNPROTECTED PRIVATE KEY FILE|Identity file .* not accessible|no such identity",
    "sudo_missing": r"sudo: (?:\d+: )?(?:command )?not found|sudo: No such file",
    "sudo_wrong": r"Incorrect sudo password|Sorry, try again|incorrect password attempt",
    "sudo_password": r"Missing sudo password|a (?:terminal|password) is required|no tty present",
    "sudo_denied": r"is not in the sudoers file|may not run sudo|not allowed to execute",
    "python_missing": r"interpreter '?\S+ was not found|[Nn]o python interpreters? found"
    r"|python\S*: (?:\d+: )?(?:command )?not found|python\S*: No such file",
    "python_old": r"needs Python|requires a minimum of Python|Python \d+\.\d+ or (?:newer|later)",
    "account": r"This account is currently not available|account (?:has expired|is locked)",
    "unreachable": r"Connection (?:refused|reset|closed)|No route to host|Network is unreachable|[Tt]imed? ?out",
}
LAST_LINES = 3
# What was found and what to do, by the kind of a login's failure
FAILURES = {
    "unresolved": (
        "the name {host} of the server does not resolve on this machine",
        "Correct `host`, or add the name to the DNS or to ~/.ssh/config",
    ),
    "unreachable": (
        "the server {host} cannot be reached by ssh ({text})",
        "Check that it runs, and that `host`, `port` and its firewall are right",
    ),
    "host_key": (
        "the host key of the server {host} is not known here, or has changed",
        "Connect once by hand and compare it: `ssh {login}`",
    ),
    "refused": (
        "the server {host} refuses the login as {user}",
        "Let your key log in (`ssh-copy-id {login}`), or correct `key` or `{setting}`",
    ),
    "key_file": (
        "ssh cannot use the key for {user}@{host} ({text})",
        "Correct `key`, and run `chmod 600` on that file",
    ),
    "sudo_missing": (
        "sudo is not installed on {host}, and setup needs root",
        "Install it there, or set `admin: root` if root can log in",
    ),
    "sudo_password": (
        "sudo asks {user} for a password on {host}",
        "Run setup with -K and type it, or set `admin: root` if root can log in",
    ),
    "sudo_wrong": ("sudo on {host} does not accept the password for {user}", "Run setup with -K again"),
    "sudo_denied": (
        "{user} may not use sudo on {host}, and setup needs root",
        "Allow it there (`usermod -aG sudo {user}`), or set `admin` to a user who may",
    ),
    "python_missing": (
        "there is no Python for Ansible's modules on {host} ({text})",
        "Install python3 there, or set `python` to its path",
    ),
    "python_old": ("{text}", "Install Python 3.9 or newer there, and set `python` to it, such as /usr/bin/python3.12"),
    "account": ("{user} cannot log in to {host} ({text})", "Give the account a shell: `usermod -s /bin/bash {user}`"),
    "other": ("the login to {host} as {user} failed ({text})", "Try it by hand: `ssh {login}`"),
}
# Failures that setup ends, where it logs in as another user
ENDED_BY_SETUP = ("refused", "account")
LOGIN_VARIABLES = ("ansible_user", "ansible_host", "ansible_port", "ansible_ssh_private_key_file", "project_admin")
# ssh takes this port by itself.
NO_PORTS = ("", "22")


@dataclass(frozen=True)
class Login:
    """What a person needs to log in to a server as Ansible does. `admin` is who setup logs in as."""

    user: str
    address: str
    port: str = ""
    key: str = ""
    admin: str = ""

    def words(self) -> str:
        """Return the words after `ssh`, or after `ssh-copy-id`."""
        options = [*(["-i", self.key] if self.key else []), *(["-p", self.port] if self.port not in NO_PORTS else [])]
        return shlex.join([*options, f"{self.user}@{self.address}" if self.user else self.address])


def read_login(variables: Mapping[str, Any], name: str) -> Login | None:
    """Return how to log in to the host `name`, from its variables in the inventory; None where Ansible uses no ssh."""
    if str(variables.get("ansible_connection") or "ssh").rpartition(".")[2] != "ssh":
        return None
    user, address, port, key, admin = (str(variables.get(name) or "") for name in LOGIN_VARIABLES)
    return Login(user, address or name.rpartition("@")[2], port, key, admin)


def hint(text: str, login: Login | None, setup: str) -> str:
    """Return what to do where a login fails with a text; `setup` is the command that makes the server ready."""
    if login is None:
        return ""
    kind = kind_of(text)
    if kind in ENDED_BY_SETUP and login.admin not in ("", login.user):
        lets = f"it lets your key log in as {login.user}" if login.user else "it lets your key log in"
        return f"Has `{setup}` run? For a new server {lets}. Otherwise try `ssh {login.words()}`"
    setting = "admin" if login.user and login.user == login.admin else "user"
    return found_and_remedy(kind, login, text=text, setting=setting)[1]


def found_and_remedy(kind: str, login: Login, *, text: str, setting: str = "user") -> tuple[str, str]:
    """Return what a failure of a kind is, and what to do; `setting` is the key that names the user."""
    values = {
        "host": login.address,
        "user": login.user or "you",
        "login": login.words(),
        "text": text.rstrip(". "),
        "setting": setting,
    }
    found, remedy = FAILURES.get(kind, FAILURES["other"])
    return found.format(**values), remedy.format(**values)


def not_reached(text: str, login: Login | None, setup: str) -> str:
    """Return why a server could not be asked, as a sentence, and what to do."""
    why = explain(text)["text"].rstrip(". ")
    return ". ".join(filter(None, [why, hint(text, login, setup)]))


def kind_of(text: str) -> str:
    """Return which kind of failure a text is about; `other` when it is none that is known."""
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, text)), "other")


def explain(text: str) -> dict[str, str]:
    """Return the kind of a failure and the end of its text."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Ansible puts its own sentence before what ssh has written.
    return {"kind": kind_of(text), "text": " ".join(lines[-LAST_LINES:]).rpartition("ssh: ")[2]}


def explain_module(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the same for the result of a module that did not run to its end."""
    texts = (str(found.get(key) or "") for key in ("module_stderr", "module_stdout", "msg"))
    return explain("\n".join(text for text in texts if text))
