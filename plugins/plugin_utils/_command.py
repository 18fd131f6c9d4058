# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command was given, checked before any server is asked. Pure. Private to this collection.

Ansible ignores a variable that nothing uses, warns about a project that it does not know, and goes on: a typing error
would deploy something that was not asked for, or nothing, and end well. Each function returns the error message, or
None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum

from ._rollout import in_turns

# The variables that each playbook takes with -e.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "setup": ("project",),
    "deploy": ("project", "ref", "force", "at_once", "config", "hooks"),
    "revert": ("project", "steps", "to", "force", "at_once", "config", "hooks"),
    "restart": ("project", "at_once"),
    "status": ("project",),
    "doctor": ("project",),
    "history": ("project",),
    "exec": ("project", "argv"),
    "remove": ("project", "data", "confirm"),
    "init": ("directory", "deploy_conf"),
    "demo": ("folder", "port"),
}
# Ansible's own variables, and those that automation controllers add to each run.
ACCEPTED_PREFIXES = ("ansible_", "awx_", "tower_")
# A name of a host that Ansible takes for that host alone: others have characters of its patterns.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")


@dataclass(frozen=True)
class Inventory:
    """The project of each host (other hosts are missing), all hosts, and the names of all groups."""

    projects: Mapping[str, str] = field(default_factory=dict)
    hosts: Collection[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Return the names of the projects."""
        return sorted(set(self.projects.values()))


class FileState(Enum):
    """Why a file of projects has contributed none: the template of a sentence about it."""

    INVALID = "The inventory is invalid: {problem}"
    IGNORED = (
        "{path} is valid, but Ansible did not read it. See the warning above; "
        "enable_plugins in section [inventory] of ansible.cfg must list auto."
    )
    NOT_GIVEN = "{path} was not read. Name it with -i {path}, or as inventory in ansible.cfg."
    MISSING = "There is no file {path}."


@dataclass(frozen=True)
class InventoryFile:
    """A file that has contributed no project, and the errors of an invalid one."""

    path: str
    state: FileState
    problems: Sequence[str] = ()

    def sentence(self) -> str:
        """Return what to know about it: of several errors the first, since Ansible has shown all."""
        more = f" ({len(self.problems) - 1} more above)" if len(self.problems) > 1 else ""
        return self.state.value.format(path=self.path, problem="".join(self.problems[:1]) + more)


def stray_words_error(given: Mapping[str, object]) -> str | None:
    """Return the message about words of -e that Ansible could not read as NAME=VALUE, and has kept apart."""
    stray = given.get("_raw_params")
    if not stray:
        return None
    return f"""Not NAME=VALUE in -e: {stray}. Put quotes around a value with blanks, as in -e "ref='a b'"."""


def unknown_variables(command: str, given: Iterable[str], accepted: Collection[str] = ()) -> list[str]:
    """Return the variables given with -e that neither the command takes nor `accepted` names."""
    known = {*COMMANDS[command], *accepted}
    return sorted(name for name in given if name not in known and not name.startswith(ACCEPTED_PREFIXES))


def used_in_templates(names: Iterable[str], variables: Mapping[str, object]) -> set[str]:
    """Return which of `names` a template in the values of `variables` mentions, leaving out its own value."""
    return {
        name
        for name in names
        if any(
            re.search(rf"\b{re.escape(name)}\b", text)
            for key, value in variables.items()
            if key != name
            for text in _templates(value)
        )
    }


def _templates(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield from [value] if "{{" in value or "{%" in value else []
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _templates(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _templates(item)


def variable_error(command: str, unknown: Sequence[str], host_variables: Collection[str] = ()) -> str | None:
    """Return the message about variables that are neither the command's nor `host_variables`."""
    if not unknown:
        return None
    taken = ", ".join(COMMANDS[command])
    hints = "".join(_hint(command, name, host_variables) for name in unknown)
    return (
        f"Unknown variable given with -e: {', '.join(unknown)}. {hints}The playbook {command} takes: {taken}. "
        "A variable of your own is accepted when the inventory uses it, or when project_own_variables lists it."
    )


def _hint(command: str, name: str, host_variables: Collection[str]) -> str:
    close = get_close_matches(name, [*COMMANDS[command], *host_variables], n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}? "
    other = [other for other, options in COMMANDS.items() if name in options]
    return f"{name} is a variable of {' and '.join(other)}. " if other else ""


def inherited_error(command: str, given: Collection[str], host_variables: Mapping[str, Collection[str]]) -> str | None:
    """Return the message about a variable of the command that the inventory sets: it would apply to every run.

    `host_variables` are the names of the variables of each project's host.
    """
    for name in (name for name in COMMANDS[command] if name not in given):
        hosts = [host for host, names in host_variables.items() if name in names]
        if hosts:
            return (
                f"The inventory sets {name} for {hosts[0]}, which {command} takes from -e only: it would apply to "
                "every run. Rename it in the inventory, or use the project's key."
            )
    return None


def plain_hosts(asked: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Return the hosts of the projects that were asked for, by the names that the inventory plugin gives them.

    None where these do not show it: in a static inventory, and where something is wrong.
    """
    by_project: dict[str, list[str]] = {}
    for host in groups.get("projects", ()):
        by_project.setdefault(host.partition("@")[0], []).append(host)
    if not asked or not all("@" in host for hosts in by_project.values() for host in hosts):
        return None
    projects = [*by_project] if "all" in asked else asked
    if any(name not in by_project for name in projects) or any(
        {*groups.get(name, ())} != {*by_project.get(name, ())} for name in projects
    ):
        return None
    return _patterns({name: by_project[name] for name in projects})


def project_hosts(asked: Sequence[str], inventory: Inventory) -> list[str]:
    """Return the hosts of projects that `project_error` has found to be right."""
    within = {*inventory.groups.get("projects", inventory.hosts)} if "all" in asked else {*inventory.hosts}
    names = inventory.names() if "all" in asked else asked
    members = {name: within & {*inventory.groups.get(name, [name])} for name in names}
    return _patterns({name: [host for host in inventory.hosts if host in members[name]] for name in names})


def _patterns(by_project: Mapping[str, Sequence[str]]) -> list[str]:
    """Return patterns for Ansible: the hosts in turns, or the groups where the name of a host would be a pattern."""
    hosts = in_turns(by_project)
    return hosts if all(map(PLAIN_NAME.fullmatch, hosts)) else [*by_project]


def asked_projects(text: str) -> list[str]:
    """Return the names in the value of -e project, separated by commas."""
    return [name for name in map(str.strip, text.split(",")) if name]


def project_error(asked: Sequence[str], inventory: Inventory, files: Sequence[InventoryFile]) -> str | None:
    """Return why the projects that were asked for cannot be used; `files` contributed no projects."""
    names = inventory.names()
    if not names:
        return _no_projects(files)
    known = f"Known projects: {', '.join(names)}."
    if not asked:
        return f"Which project? Name it with -e project=NAME. {known} Separate several by commas; `all` means all."
    unknown = [name for name in asked if name not in {"all", *names}]
    if unknown:
        invalid = [file.sentence() for file in files if file.state is FileState.INVALID]
        return " ".join([f"There is no project {', '.join(map(json.dumps, unknown))}. {known}", *invalid])
    return _pattern_error(asked, inventory)


def _no_projects(files: Sequence[InventoryFile]) -> str:
    for state in (FileState.INVALID, FileState.IGNORED, FileState.NOT_GIVEN):
        found = [file.sentence() for file in files if file.state is state]
        if found:
            return f"No project is configured. {found[0]}"
    missing = "".join(f"{file.sentence()} " for file in files)
    return (
        f"No project is configured. {missing}Copy docs/examples/projects.yml to inventory/projects.yml and edit it, "
        "or name an inventory of your own with -i."
    )


def _pattern_error(asked: Sequence[str], inventory: Inventory) -> str | None:
    """Check that Ansible's pattern for each project means the hosts of that project only."""
    others = sorted(set(inventory.hosts) - set(inventory.projects))
    if "all" in asked and "projects" not in inventory.groups and others:
        return (
            f"-e project=all needs a group `projects`: this inventory has none, and {', '.join(others)} belong to no "
            f"project. Add the group, or name the projects: {', '.join(inventory.names())}."
        )
    missing = [name for name in asked if name not in {"all", *inventory.groups, *inventory.hosts}]
    if missing:
        return (
            f"The inventory has no group {', '.join(missing)}, the name of the project. Add it; "
            "if Ansible changed the name, set force_valid_group_names = ignore in ansible.cfg."
        )
    return None
