# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a server could not be asked, from what ssh, sudo or Ansible wrote. Pure. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
