# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lookup plugin: the hosts of a play, or the error in what was asked. The decisions are in plugin_utils/_command."""

from __future__ import annotations

DOCUMENTATION = r"""
name: project_hosts
short_description: Return the hosts of the projects that a playbook was asked for
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbooks of this collection, for C(hosts) of a play.
  - Ends the command when a variable given with C(-e) is none of the playbook's, and when a project is not in the
    inventory. Ansible would ignore the first and only warn about the second.
  - Runs on the controller and asks no server.
  - A variable is also accepted when the roles know it as a host variable, when its name starts with C(ansible_),
    C(awx_) or C(tower_), when a template in the inventory uses it, and when the variable C(project_own_variables) lists
    it.
options:
  _terms:
    description:
      - The playbook that was started.
      - The names of the projects, separated by commas, or V(all). A playbook that takes no project has none.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Deploy
  hosts: "{{ query('onetouch.deploy.project_hosts', 'deploy', project | default('')) }}"
  gather_facts: false
  tasks:
    - name: Put the release live
      onetouch.deploy.rollout:
        state: deployed
"""

RETURN = r"""
_raw:
  description: Patterns of hosts, ordered so that the first servers of all projects come first.
  type: list
  elements: str
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ansible import context
from ansible.errors import ExitCode
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _command
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.error import show_error
from ansible_collections.onetouch.deploy.plugins.plugin_utils._typed import did_you_mean


class LookupModule(LookupBase):
    """Finds the hosts by their names, and reads the inventory only where these do not show what is right."""

    _loader: DataLoader

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **_: object) -> list[str]:
        """Return the hosts. Ends the command with one sentence when there is an error."""
        command, *projects = map(str, terms)
        if context.CLIARGS.get("syntax"):
            return []
        known = variables or {}
        given, groups = load_extra_vars(self._loader), known.get("groups", {})
        if not projects:
            hosts: list[str] | None = ["localhost"]
        else:
            asked = _command.asked_projects(projects[0])
            hosts = _command.plain_hosts(asked, groups)
        if hosts is not None and not _command.unknown_variables(command, given):
            return hosts
        return self._checked(command, projects, known, given)

    def _checked(
        self, command: str, projects: Sequence[str], variables: Mapping[str, Any], given: Mapping[str, Any]
    ) -> list[str]:
        """Return the hosts, or end with the first error."""
        # Takes time to load, and most commands do not need it.
        from ansible_collections.onetouch.deploy.plugins.plugin_utils import _inventory  # noqa: PLC0415

        groups = variables["groups"]
        hostvars = variables.get("hostvars") or _inventory.host_variables(self._loader)
        error = _command.stray_words_error(given)
        unknown = _command.unknown_variables(command, given, _inventory.own_variables(hostvars, groups["all"], given))
        if unknown and not error:
            names = _inventory.known_variables(self._loader)
            used = _inventory.names_used(unknown, hostvars, groups["all"]) if projects else set()
            left = sorted({*unknown} - names - used) if projects else unknown
            error = _command.variable_error(command, left, names)
        if error or not projects:
            return _end(error) if error else ["localhost"]
        inventory = _inventory.read_inventory(hostvars, groups)
        asked = _command.asked_projects(projects[0])
        files = [] if {*asked} <= {"all", *inventory.names()} else [*_inventory.project_files(self._loader)]
        error = _command.project_error(asked, inventory, files)
        error = f"{error}{did_you_mean('project')}" if error else None
        error = error or _command.inherited_error(command, given, {host: hostvars[host] for host in inventory.projects})
        return _end(error) if error else _command.project_hosts(asked, inventory)


def _end(error: str) -> NoReturn:
    """Show the error alone: an exception from a template would come out inside of Ansible's description of itself."""
    show_error(error)
    raise SystemExit(int(ExitCode.INVALID_CLI_OPTION))
