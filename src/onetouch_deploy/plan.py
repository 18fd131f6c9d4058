# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked for, as data: the command line makes it, `commands` carries it out. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .checking import require_plain
from .errors import ArgumentError

COLLECTION = "onetouch.deploy"
PROGRAM = "deploy"
TEMPLATE = re.compile(r"\{[{%#]")
# The collection reads these where Ansible does not run templates in them.
TAKEN_AS_TYPED = frozenset({"argv"})


@dataclass(frozen=True)
class Options:
    """What every command takes.

    `servers` limits it to these; `passed` are arguments for ansible-playbook as they are.
    """

    chdir: Path | None = None
    config: Path | None = None
    servers: tuple[str, ...] = ()
    check: bool = False
    diff: bool = False
    json: bool = False
    passed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """One command.

    `view` is empty when the playbook runs with the terminal to itself. Otherwise it names what is shown: for `list`,
    `current`, `previous` and `history` the results of the playbook, for `exec`, `console`, `logs` and `config`
    something without a playbook. `meant` are the commands that may be meant where its `project` or `ref` is
    unknown.
    """

    project: str = ""
    playbook: str = ""
    variables: Mapping[str, object] = field(default_factory=dict)
    view: str = ""
    words: tuple[str, ...] = ()
    lines: int | None = None
    follow: bool = False
    yes: bool = False
    meant: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)

    @property
    def is_without_ansible(self) -> bool:
        """Whether it needs no playbook: `exec` only where an option is one of Ansible, or asks for its results."""
        options = self.options
        return not self.playbook or (self.view == "exec" and not (options.json or options.check or options.passed))


def template_in(value: object) -> str:
    """Return the first text in a value that Ansible would run as a template; an empty one where there is none."""
    if isinstance(value, str):
        return value if TEMPLATE.search(value) else ""
    if isinstance(value, Mapping):
        return template_in([*value, *value.values()])
    parts = value if isinstance(value, (list, tuple, set, frozenset)) else ()
    return next(filter(None, map(template_in, parts)), "")


def require_no_template(variables: Mapping[str, object]) -> None:
    """Raise ArgumentError for a value that Ansible would run on this machine: a ref may come from anywhere.

    What `-e` brings is Ansible's own language, and is not among these.
    """
    for name, value in variables.items():
        found = "" if name in TAKEN_AS_TYPED else template_in(value)
        if found:
            raise ArgumentError(
                f"{name} is a template, which Ansible would run here: {found!r}. Give the value itself."
            )


def host_pattern(project: str, servers: tuple[str, ...]) -> str | None:
    """Return the value of Ansible's --limit."""
    if not servers:
        return None
    names = ["*"] if project in {"", "all"} else project.split(",")
    return ",".join(f"{name}@{server}" for name in names for server in servers)


def arguments(plan: Plan, inventory: Path | None) -> list[str]:
    """Return the arguments of ansible-playbook."""
    variables = {**({"project": plan.project} if plan.project else {}), **plan.variables}
    require_no_template(variables)
    require_plain(variables)
    limit = host_pattern(plan.project, plan.options.servers)
    return [
        f"{COLLECTION}.{plan.playbook}",
        *("-i", str(inventory) if inventory else "localhost,"),
        *(["-e", json.dumps(variables, default=str)] if variables else []),
        *(["--limit", limit] if limit else []),
        *(["--check"] if plan.options.check else []),
        *(["--diff"] if plan.options.diff else []),
        *plan.options.passed,
    ]
