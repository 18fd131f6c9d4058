# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory plugin: one host for each project on each of its servers. The work is done in plugin_utils/_projects."""

from __future__ import annotations

DOCUMENTATION = r"""
name: projects
short_description: Read the projects to deploy, one inventory host for each project on each server
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Reads a YAML file with one section for each project, or the C(deploy.conf) of the original bash script.
  - Each project on each of its servers becomes a host such as C(blog@web1).
    Projects that share a server keep their own variables that way.
  - Hosts are grouped by project, by server, and all together in C(projects).
  - All keys of a project are described in C(docs/configuration.md).
  - All errors in the file are reported at once, with their line numbers.
options:
  plugin:
    description: Marks the file as one of this plugin.
    type: str
    required: true
    choices: [onetouch.deploy.projects]
  projects:
    description:
      - The projects by name.
      - Each needs C(repo), C(path), and C(host) or C(hosts).
    type: dict
  servers:
    description:
      - What is the same for all projects of a server, by the server's name.
      - Takes C(host) (its address), C(user), C(port), C(key), C(admin), C(python), C(connection), C(forward_agent)
        and C(needs_tty).
      - A project's own keys take precedence.
    type: dict
  deploy_conf:
    description:
      - Path of a file in the original form, read in place of O(projects).
      - A relative path starts at the directory of the inventory file.
    type: path
"""

EXAMPLES = r"""
# inventory/projects.yml
plugin: onetouch.deploy.projects
projects:
  blog:
    host: www.example.com
    user: www-data
    key: keys/cactus
    repo: git@git.example.com:me/blog.git
    path: /var/www/blog
    ref: origin/master
    post_deploy: ./bin/deploy
    app: blog.main:app
    bind: 127.0.0.1:3001

# The same login for everything on one server, two servers for one of the projects
---
plugin: onetouch.deploy.projects
servers:
  web1: {host: 192.0.2.10, user: www-data, key: keys/cactus}
  web2: {host: 192.0.2.11, user: www-data, key: keys/cactus}
projects:
  blog:
    hosts: [web1, web2]
    repo: git@git.example.com:me/blog.git
    path: /var/www/blog

# The original file as it stands
---
plugin: onetouch.deploy.projects
deploy_conf: deploy.conf
"""

from ansible.errors import AnsibleParserError, ExitCode
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.errors import ProjectsError
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.file import (
    is_projects_file,
    is_vaulted,
    read_source,
)
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.host_vars import (
    group_hosts,
    host_name,
    host_variables,
)
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.placement import Placement, place
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.chosen import is_chosen
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.error import show_error


class InventoryModule(BaseInventoryPlugin):
    """Reads the projects."""

    NAME = "onetouch.deploy.projects"

    def verify_file(self, path: str) -> bool:
        """Accept a YAML file that names this plugin, or a vaulted one: what it names is known only after decryption."""
        return bool(super().verify_file(path)) and is_projects_file(path)  # type: ignore[no-untyped-call]

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Fill `inventory`. Raises AnsibleParserError with all problems when the file cannot be used."""
        super().parse(inventory, loader, path, cache)
        try:
            placements = place(read_source(loader, path))
        except ProjectsError as error:
            _end_where_shown(path, str(error))
            raise AnsibleParserError(str(error)) from error
        except AnsibleParserError as error:
            _end_where_shown(path, f"{error.obj or path}: {error}")
            raise
        _fill(inventory, placements)


def _end_where_shown(path: str, error: str) -> None:
    """Show the error alone where this collection shows all else: Ansible tries other plugins, and reports on each.

    A vaulted file may be for one of these.
    """
    if is_chosen() and not is_vaulted(path):
        show_error(error)
        raise SystemExit(int(ExitCode.PARSER_ERROR))


def _fill(inventory: InventoryData, placements: list[Placement]) -> None:
    for placement in placements:
        inventory.add_host(host_name(placement))
        for name, value in host_variables(placement).items():
            inventory.set_variable(host_name(placement), name, value)
    for group, hosts in group_hosts(placements).items():
        # The caller's settings may change the name. project_hosts then reports that the project has no group.
        added = inventory.add_group(group)
        for host in hosts:
            inventory.add_child(added, host)
    # Discovering the interpreter costs a remote execution. As a group's variable, `python` and group_vars override it.
    inventory.set_variable("projects", "ansible_python_interpreter", "/usr/bin/python3")
