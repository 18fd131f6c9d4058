# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects what was asked and what the inventory holds, and fails with the first error that `_command` finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _command
from ansible_collections.onetouch.deploy.plugins.plugin_utils._command import FileState, Inventory, InventoryFile
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import schema
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.errors import ProjectsError
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.file import (
    is_projects_file,
    looks_like_projects_file,
    read_source,
)
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.placement import place

# Where projects.yml usually is, seen from the root of a checkout, from its playbooks/, and from a directory of its own.
USUAL_PLACES = ("inventory/projects.yml", "../inventory/projects.yml", "projects.yml")


class ActionModule(ActionBase):
    """Checks a command before any server is asked."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail with the first error. Without `project` only the variables are checked."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]  # Ansible ships few types
            {
                "command": {"type": "str", "required": True, "choices": [*_command.COMMANDS]},
                "project": {"type": "str"},
            }
        )[1]
        command, project, variables = arguments["command"], arguments["project"], task_vars or {}
        error = self._variable_error(command, variables)
        if error is None and project is not None:
            inventory = _inventory(variables)
            error = self._project_error(project, inventory, variables) or self._inherited_error(
                command, inventory, variables
            )
        return {**result, "changed": False, **({"failed": True, "msg": error} if error else {})}

    def _variable_error(self, command: str, variables: dict[str, Any]) -> str | None:
        own = variables.get("project_own_variables") or ""
        own = own.split(",") if isinstance(own, str) else own
        given = load_extra_vars(self._loader)
        unknown = _command.unknown_variables(command, given, own)
        known = _host_variables(self._loader) if unknown else set()
        if unknown and "project" in _command.COMMANDS[command]:
            unknown = sorted({*unknown} - known - _used(unknown, variables))
        return _command.stray_words_error(given) or _command.variable_error(command, unknown, known)

    def _project_error(self, project: str, inventory: Inventory, variables: dict[str, Any]) -> str | None:
        asked = _command.asked_projects(project)
        all_known = inventory.projects and {*asked} <= {"all", *inventory.names()}
        files = [] if all_known else [*_files(self._loader, variables.get("ansible_inventory_sources") or [])]
        return _command.project_error(asked, inventory, files)

    def _inherited_error(self, command: str, inventory: Inventory, variables: dict[str, Any]) -> str | None:
        found = {host: [*variables["hostvars"][host]] for host in inventory.projects}
        return _command.inherited_error(command, load_extra_vars(self._loader), found)


def _host_variables(loader: DataLoader) -> set[str]:
    """Return the variables that the roles and the keys of a project define."""
    roles = Path(__file__).parents[2] / "roles"
    found = {f"project_{key}" for key in schema.known("project")} | {"project_server", "project_own_variables"}
    for path in roles.glob("*/meta/argument_specs.yml"):
        found.update(loader.load_from_file(str(path))["argument_specs"]["main"]["options"])
    return found


def _inventory(variables: dict[str, Any]) -> Inventory:
    hosts = variables["groups"]["all"]
    found = {host: variables["hostvars"][host] for host in hosts}
    projects = {host: str(values["project_name"]) for host, values in found.items() if "project_name" in values}
    return Inventory(projects, hosts, [*variables["groups"]])


def _used(names: Iterable[str], variables: dict[str, Any]) -> set[str]:
    raw = (variables["hostvars"].raw_get(host) for host in variables["groups"]["all"])
    return set().union(*(_command.used_in_templates(names, values) for values in raw))


def _files(loader: DataLoader, sources: Iterable[str]) -> Iterator[InventoryFile]:
    """Yield files of projects with what is wrong with each; a valid one counts as ignored, if there are no projects."""
    given = [path for source in sources for path in _paths_in(source)]
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
