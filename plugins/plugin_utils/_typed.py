# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands as people type them, for messages that name the next one. Private to this collection."""

from __future__ import annotations

import os
import re

from ansible import context

# Set by the command `deploy` for the Ansible that it starts.
PROGRAM = "ONETOUCH_DEPLOY_TYPED"
# Commands that need root
WITH_ROOT = ("setup", "remove")
# Likewise, where the word for a `project` or a `ref` is like a command: the one that may be meant.
MEANT = "ONETOUCH_DEPLOY_MEANT_"


def typed(command: str, project: str = "") -> str:
    """Return what runs a command, for a project or for all: words of `deploy` where that runs this, or a playbook."""
    program, password = os.environ.get(PROGRAM), _password_option(command)
    if not program:
        return f"ansible-playbook {command}.yml" + (f" -e project={project}" if project else "") + password
    return " ".join(filter(None, [program, project, "" if command == "deploy" else command])) + password


def _password_option(command: str) -> str:
    """Return the option by which this run has asked for the password of sudo, for a command that needs it again."""
    return " -K" if command in WITH_ROOT and context.CLIARGS.get("become_ask_pass") else ""


def name_setup(text: str, project: str) -> str:
    """Return a message of a module, which does not know how commands are typed, with the command for setup."""
    return re.sub(r"\b([Rr]un) setup(?=[.,;:](?:\s|$)|$)", rf"\1 `{typed('setup', project)}`", text, flags=re.MULTILINE)


def option(name: str, variable: str = "") -> str:
    """Return how an option is typed: for a playbook it is a variable, by default of this name with the value true."""
    return f"--{name}" if os.environ.get(PROGRAM) else f"-e {variable or f'{name}=true'}"


def did_you_mean(word: str) -> str:
    """Return the end of a message about an unknown `project` or `ref`; nothing where it is like no command."""
    meant = os.environ.get(f"{MEANT}{word.upper()}")
    return f" Did you mean the command `{meant}`?" if meant else ""
