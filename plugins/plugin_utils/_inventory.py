# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the inventory and the collection hold, for `_command` to decide on. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from . import _command
from ._command import FileState, Inventory, InventoryFile
from ._projects import schema
from ._projects.errors import ProjectsError
from ._projects.file import is_projects_file, looks_like_projects_file, read_source
from ._projects.placement import place

# Where projects.yml usually is, seen from the root of a checkout, from its playbooks/, and from a directory of its own.
USUAL_PLACES = ("inventory/projects.yml", "../inventory/projects.yml", "projects.yml")


def host_variables(loader: DataLoader) -> HostVars:
    """Return the variables of all hosts.

    `hosts:` of the first play is evaluated before Ansible offers them, so the inventory is read again.
    """
    inventory = InventoryManager(loader=loader, sources=context.CLIARGS["inventory"])  # type: ignore[no-untyped-call]
    manager = VariableManager(loader=loader, inventory=inventory)
    return HostVars(inventory=inventory, variable_manager=manager, loader=loader)


def read_inventory(hostvars: HostVars, groups: Mapping[str, list[str]]) -> Inventory:
    """Return which hosts belong to which project."""
    found = {host: hostvars[host] for host in groups["all"]}
    projects = {host: str(values["project_name"]) for host, values in found.items() if "project_name" in values}
    return Inventory(projects, groups["all"], groups)


def names_used(names: Iterable[str], hostvars: HostVars, hosts: Iterable[str]) -> set[str]:
    """Return which of `names` templates in the inventory use."""
    return set().union(*(_command.used_in_templates(names, hostvars.raw_get(host)) for host in hosts))  # type: ignore[arg-type]


def own_variables(hostvars: HostVars, hosts: Iterable[str], given: Mapping[str, Any]) -> set[str]:
    """Return the names that `project_own_variables` lists, as a list or separated by commas."""
    values = [given.get("project_own_variables"), *(hostvars[host].get("project_own_variables") for host in hosts)]
    return {
        str(name).strip() for value in values for name in (value.split(",") if isinstance(value, str) else value or [])
    }


def known_variables(loader: DataLoader) -> set[str]:
    """Return the variables that the roles and the keys of a project define."""
    roles = Path(__file__).parents[2] / "roles"
    found = {f"project_{key}" for key in schema.known("project")} | {"project_server", "project_own_variables"}
    for path in roles.glob("*/meta/argument_specs.yml"):
        found.update(loader.load_from_file(str(path))["argument_specs"]["main"]["options"])
    return found


def project_files(loader: DataLoader) -> Iterator[InventoryFile]:
    """Yield files of projects with what is wrong with each; a valid one counts as ignored, if there are no projects."""
    given = [path for source in context.CLIARGS["inventory"] for path in _paths_in(source)]
    for path in given:
        if not path.exists():
            yield InventoryFile(str(path), FileState.MISSING)
        elif looks_like_projects_file(str(path)):
            problems = _problems(loader, str(path))
            yield InventoryFile(str(path), FileState.INVALID if problems else FileState.IGNORED, problems)
    resolved = {path.resolve() for path in given}
    for usual in USUAL_PLACES:
        if is_projects_file(usual) and Path(usual).resolve() not in resolved:
            yield InventoryFile(usual, FileState.NOT_GIVEN)


def _paths_in(source: str) -> list[Path]:
    """Return the files of an inventory source: itself, or the files of a directory; a list of hosts has none."""
    path = Path(source)
    if path.is_dir():
        return sorted(path.iterdir())
    return [] if "," in source else [path]


def _problems(loader: DataLoader, path: str) -> list[str]:
    try:
        placements = place(read_source(loader, path))
    except ProjectsError as error:
        return [str(problem) for problem in error.problems]
    except AnsibleError as error:
        return [f"{path}: {str(error).splitlines()[0]}"]
    return [] if placements else [f"{path}: it has no projects"]
