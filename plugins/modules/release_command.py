#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_command
short_description: Run a command in the live release, with the environment of its hooks
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to M(onetouch.deploy.project_command). Its options may change in any release.
  - The command runs without a shell. It has the variables of the app, the release's Python environment first in its
    search path, and the release as its working directory.
options:
  name:
    description: The name of the project.
    type: str
    required: true
  path:
    description: The directory of the project on the server. Absolute.
    type: path
    required: true
  env_file:
    description: The file of the app's variables.
    type: path
  argv:
    description: The words of the command.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Reports what would be run, and where. Runs nothing.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Depends on the command.
    support: none
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - git 2.30 or newer
  - Python 3.9 or newer
"""

EXAMPLES = r"""
- name: Run it
  onetouch.deploy.release_command:
    name: blog
    path: /var/www/blog
    argv: [./manage.py, migrate]
"""

RETURN = r"""
rc:
  description: The exit code of the command.
  returned: when it ran, or could not be started (127 when it was not found, 126 when it could not be executed)
  type: int
  sample: 0
stdout:
  description: What it wrote.
  returned: when it ran
  type: str
  sample: "3 migrations applied\n"
stderr:
  description: What it wrote as errors.
  returned: when it ran
  type: str
  sample: ""
"""

from pathlib import Path
from shlex import quote
from tempfile import TemporaryFile
from typing import IO, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.deploy import in_release
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError, as_failure
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system import attended


def run(given: dict[str, Any]) -> dict[str, Any]:
    """Run the command to its end, or to that of the caller. Raises ReleaseError when it cannot be started."""
    try:
        place = live(given)
        with TemporaryFile() as out, TemporaryFile() as err:
            code = attended.run(given["argv"], place.release, place.environment, out, err)
            return {"rc": code, "stdout": read_text(out), "stderr": read_text(err)}
    except ReleaseError:
        raise
    except Exception as reason:
        raise as_failure(reason) from reason


def live(given: dict[str, Any]) -> in_release.Place:
    """Return where the command runs. Raises ReleaseError when nothing is live."""
    env_file = Path(given["env_file"]) if given["env_file"] else None
    return in_release.live(given["name"], Path(given["path"]), env_file)


def read_text(output: IO[bytes]) -> str:
    """Return output with each byte that is no text replaced: an answer of Ansible is JSON."""
    output.seek(0)
    return output.read().decode("utf-8", "replace")


def main() -> None:
    """Run the module."""
    spec = {
        "name": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
        "env_file": {"type": "path"},
        "argv": {"type": "list", "elements": "str", "required": True},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)  # type: ignore[no-untyped-call]  # Ansible has no types
    try:
        if module.check_mode:
            words = " ".join(map(quote, module.params["argv"]))
            module.exit_json(changed=True, msg=f"would run {words} in {live(module.params).release}")
        output = run(module.params)
    except attended.NotStartedError as error:
        module.fail_json(msg=f"{module.params['name']}: {error}", rc=error.code)
    except ReleaseError as error:
        module.fail_json(msg=f"{module.params['name']}: {error}")
    if output["rc"]:
        module.fail_json(msg=f"{module.params['argv'][0]} failed with exit code {output['rc']}", changed=True, **output)
    module.exit_json(changed=True, **output)


if __name__ == "__main__":
    main()
