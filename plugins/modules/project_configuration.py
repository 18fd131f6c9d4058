#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: project_configuration
short_description: Write the configuration of what is live, for setup
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Writes C(procmon.toml) and C(procmon.env) of a project as its own user, before procmon is started or upgraded. A
    deploy switches them itself, with its release.
options:
  name:
    description: The name of the project.
    type: str
    required: true
  path:
    description: The directory of the project on the server. Absolute.
    type: path
    required: true
  config:
    description: As in M(onetouch.deploy.releases).
    type: dict
  env:
    description: As in M(onetouch.deploy.releases).
    type: raw
  env_file:
    description: As in M(onetouch.deploy.releases).
    type: path
  restart_file:
    description: As in M(onetouch.deploy.releases).
    type: str
    default: public/system/restart
  status_file:
    description: As in M(onetouch.deploy.releases).
    type: path
  program:
    description: The C(procmon) that checks the settings before anything is written.
    type: path
  restore:
    description: The configuration, as in RV(previous), that is to be live again. Nothing is written then.
    type: str
attributes:
  check_mode:
    description: Returns what would change, and whether C(procmon) accepts it.
    support: full
  diff_mode:
    description: Shows the settings that change; of the variables only the names.
    support: full
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: full
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - Python 3.9 or newer
seealso:
  - module: onetouch.deploy.releases
"""

EXAMPLES = r"""
- name: Write the configuration
  onetouch.deploy.project_configuration:
    name: blog
    path: /var/www/blog
    config:
      app: blog.main:app
      bind: 127.0.0.1:3001
    env:
      DATABASE_URL: "{{ database_url }}"
"""

RETURN = r"""
configuration:
  description: The name of the configuration that is live now, or would be.
  returned: success
  type: str
  sample: 20261126T073412Z-5d1c
previous:
  description: The name of the one that was live before. Null when there was none.
  returned: success
  type: str
  sample: 20261125T101500Z-9a3e
former_bind:
  description: The address in the configuration that was live before. Empty when there was none.
  returned: success
  type: str
  sample: 127.0.0.1:3001
settings:
  description: The names of the settings that changed, variables as C(env.NAME).
  returned: success
  type: list
  elements: str
  sample: [workers]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import configure, options
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError, as_failure
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.project import Project

OWN = ("name", "path", "config", "env", "env_file", "restart_file", "status_file")


def argument_spec() -> dict[str, dict[str, Any]]:
    """Return the options."""
    shared = options.argument_spec()
    return {**{name: shared[name] for name in OWN}, "program": {"type": "path"}, "restore": {"type": "str"}}


def run(module: AnsibleModule) -> configure.Configured:
    """Do what the arguments ask for. Raises ReleaseError."""
    defaults = {name: option.get("default") for name, option in options.argument_spec().items()}
    given = {**defaults, **{name: module.params[name] for name in OWN}, "state": "present"}
    try:
        project = Project(options.read(given))
        if module.params["restore"]:
            return configure.restore(project, module.params["restore"])
        return configure.configure(project, module.params["program"], check=module.check_mode)
    except ReleaseError:
        raise
    except Exception as reason:
        raise as_failure(reason) from reason


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)  # type: ignore[no-untyped-call]  # Ansible has no types
    try:
        done = run(module)
    except ReleaseError as error:
        module.fail_json(msg=f"{module.params['name']}: {error}")
    module.exit_json(
        changed=done.configuration != done.previous,
        configuration=done.configuration,
        previous=done.previous,
        settings=list(done.settings),
        former_bind=done.former_bind,
        diff={"prepared": "".join(f"{line}\n" for line in done.differences)},
    )


if __name__ == "__main__":
    main()
