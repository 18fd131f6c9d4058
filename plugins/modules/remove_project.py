#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: remove_project
short_description: Take a project from a server
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the playbook C(remove). Its options may change in any release.
  - Stops and disables the project's socket and service, and removes them with procmon's configuration of the project.
  - Fails while a deploy holds the project's lock. Needs root where systemd runs procmon.
  - What projects share stays; that is procmon itself, the unit of all projects, and users.
options:
  name:
    description: The name of the project.
    type: str
    required: true
  path:
    description: The directory of the project on the server. Absolute.
    type: path
    required: true
  config_dir:
    description: Where procmon's configurations are.
    type: path
    required: true
  state_dir:
    description: Where procmon keeps the project's state.
    type: path
    required: true
  systemd:
    description: Whether systemd runs procmon.
    type: bool
    default: true
  data:
    description: Remove O(path) and the deploy key as well.
    type: bool
    default: false
  user:
    description: The project's user, who has its deploy key. By default the one who logs in.
    type: str
    default: ''
  by:
    description: Who removes it, for others that wait for the lock.
    type: str
    default: ''
attributes:
  check_mode:
    description: Returns what would be removed.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Changes nothing where nothing is left of the project.
    support: full
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - Python 3.9 or newer
"""

EXAMPLES = r"""
- name: Remove it
  onetouch.deploy.remove_project:
    name: blog
    path: /var/www/blog
    config_dir: /etc/procmon
    state_dir: /run/procmon/blog
"""

RETURN = r"""
removed:
  description: The units that were stopped, and the files and directories that were removed.
  returned: success
  type: list
  elements: str
  sample: [procmon@blog.service, /etc/procmon/blog.toml]
kept:
  description: The project's directory, when it exists and was not removed.
  returned: success
  type: str
  sample: /var/www/blog
kept_key:
  description: The project's deploy key, when it exists and was not removed.
  returned: success
  type: str
  sample: /home/blog/.ssh/deploy_blog
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import as_failure
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command
from ansible_collections.onetouch.deploy.plugins.module_utils._remove import project as project_parts
from ansible_collections.onetouch.deploy.plugins.module_utils._remove.project import Project


def remove(given: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Remove the project, and return what that was. Raises ReleaseError when it cannot be removed."""
    paths = {name: Path(given[name]) for name in ("path", "config_dir", "state_dir")}
    project = Project(name=given["name"], systemd=given["systemd"], by=given["by"], user=given["user"], **paths)
    with ExitStack() as stack:
        with project_parts.before_anything_is_removed():
            keys = project_parts.deploy_keys(project)
            data = project_parts.data(project) if given["data"] else []
            stack.enter_context(project_parts.locked(project))
        units = project_parts.enabled_units(project, run_command)
        files = [*project_parts.own_files(project), *data]
        removed = [*units, *map(str, files), *(map(str, keys) if given["data"] else ())]
        if not check and removed:
            project_parts.stop(units, run_command)
            project_parts.remove(files)
            project_parts.remove_keys(project, keys if given["data"] else [])
            project_parts.reload_units(project, run_command)
    kept = str(project.path) if not given["data"] and project.path.exists() else ""
    kept_key = str(keys[0]) if keys and not given["data"] else ""
    return {"changed": bool(removed), "removed": removed, "kept": kept, "kept_key": kept_key}


def main() -> None:
    """Run the module."""
    path = {"type": "path", "required": True}
    spec = {
        "name": {"type": "str", "required": True},
        **dict.fromkeys(("path", "config_dir", "state_dir"), path),
        "systemd": {"type": "bool", "default": True},
        "data": {"type": "bool", "default": False},
        "user": {"type": "str", "default": ""},
        "by": {"type": "str", "default": ""},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)  # type: ignore[no-untyped-call]  # Ansible has no types
    try:
        found = remove(module.params, check=module.check_mode)
    except Exception as reason:
        error = as_failure(reason)
        module.fail_json(msg=f"{module.params['name']}: {error}", detail=error.detail)
    module.exit_json(**found)


if __name__ == "__main__":
    main()
