#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: python_env
short_description: Install a program in a Python environment of its own
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - With O(source) each build of the program gets a directory of its own in O(home), named by a hash of the source and
    of the interpreter. The others stay until they are removed with O(state=pruned).
  - Without O(source) there is one environment, O(directory).
  - An environment whose program does not run, because its interpreter is gone, because it was moved or because its
    installation was interrupted, is built again.
  - uv installs where there is one, otherwise pip does.
options:
  state:
    description:
      - V(present) installs the program. V(current) has C(current) in O(home) lead to O(directory). V(pruned) removes
        the builds that are neither current nor used by a process.
    type: str
    choices: [present, current, pruned]
    default: present
  name:
    description: The name of the project, for messages.
    type: str
    required: true
  home:
    description: The directory that has the environments. Absolute.
    type: path
    required: true
  program:
    description: The program that the environment is for.
    type: str
    required: true
  directory:
    description: The name of a directory in O(home).
    type: str
  source:
    description: A directory of the controller with the program's source and its C(pyproject.toml).
    type: path
  source_hash:
    description: For the part that runs on the server. The hash of the source.
    type: str
  archive:
    description: For the part that runs on the server. The packed source; without it nothing is installed.
    type: path
  requirements:
    description: What to install, for a program without O(source).
    type: list
    elements: str
    default: []
  arguments:
    description: Further arguments for the installation, of pip or uv.
    type: list
    elements: str
    default: []
  python:
    description: The interpreter.
    type: str
    default: python3
  minimum:
    description: The oldest version of Python that the program runs on.
    type: str
    default: '3.9'
  index:
    description:
      - Where packages come from, the address of an index or a directory of wheels. Without it as the server is set up.
    type: str
attributes:
  action:
    description: Packs the source, only where it is needed.
    support: full
  check_mode:
    description: Reports what would be installed.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Installs nothing that runs already.
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
- name: Install uv for the project's environments
  onetouch.deploy.python_env:
    name: blog
    home: /var/www/blog/envs
    directory: .uv
    program: uv
    requirements: [uv]
"""

RETURN = r"""
directory:
  description: The name of the directory in O(home).
  type: str
  returned: success
  sample: 1b2f6c0d4e5a
path:
  description: The installed program.
  type: str
  returned: with O(state=present)
  sample: /opt/procmon/1b2f6c0d4e5a/venv/bin/procmon
unused:
  description: The names of the builds that are neither current nor used by a process.
  type: list
  elements: str
  returned: with O(state=present)
  sample: [0a1b2c3d4e5f]
current:
  description: Where C(current) leads. Empty when it leads nowhere.
  type: str
  returned: success
  sample: 1b2f6c0d4e5a
removed:
  description: The names of the builds that were removed.
  type: list
  elements: str
  returned: with O(state=pruned)
  sample: [0a1b2c3d4e5f]
"""

import os
import pwd
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.installer import Installer
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.interpreter import (
    Interpreter,
    ask_interpreter,
)
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import installation
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.installation import Installation

SPECIFICATION: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "current", "pruned"], "default": "present"},
    "name": {"type": "str", "required": True},
    "home": {"type": "path", "required": True},
    "program": {"type": "str", "required": True},
    "directory": {"type": "str"},
    "source": {"type": "path"},
    "source_hash": {"type": "str"},
    "archive": {"type": "path"},
    "requirements": {"type": "list", "elements": "str", "default": []},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "python": {"type": "str", "default": "python3"},
    "minimum": {"type": "str", "default": "3.9"},
    "index": {"type": "str", "no_log": True},
}


def main() -> None:
    """Do what `state` asks for."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible ships few types
        SPECIFICATION, supports_check_mode=True
    )
    home = Path(module.params["home"])
    if os.geteuid() == 0:
        # What root installs is for the users of all projects, whatever root's own umask is.
        os.umask(0o022)
    states = {"present": present, "current": current, "pruned": pruned}
    try:
        done = states[module.params["state"]](module, home)
    except (ReleaseError, OSError) as error:
        name, program = module.params["name"], module.params["program"]
        module.fail_json(msg=f"{name}: {program} could not be installed: {explain(error)}")
        return
    link = home / installation.CURRENT
    module.exit_json(**{"current": str(link.readlink()) if link.is_symlink() else "", **done})


def explain(error: ReleaseError | OSError) -> str:
    """Return the reason, with the end of the installer's output where there is some, and what to do."""
    if not isinstance(error, ReleaseError) or not error.detail:
        return str(error)
    return f"{error.detail}\n{error.hint}" if error.hint else error.detail


def present(module: AnsibleModule, home: Path) -> dict[str, Any]:
    """Install the program where it does not run yet."""
    wanted = module.params
    interpreter = checked_interpreter(wanted["python"], wanted["minimum"])
    found = located(wanted, home, interpreter)
    directory = found.venv.relative_to(home).parts[0]
    changed = not found.is_complete(run_command)
    is_asked = wanted["source_hash"] is None or wanted["archive"] is not None
    if changed and is_asked and not module.check_mode:
        changed = found.install(*ways(wanted, home, interpreter))
    is_build = bool(found.build) and home.is_dir()
    unused = [path.name for path in installation.unused(home, installation.command_lines())] if is_build else []
    return {"changed": changed, "directory": directory, "path": str(found.path), "unused": unused}


def ways(wanted: dict[str, Any], home: Path, interpreter: Interpreter) -> tuple[Installer, list[str], str | None]:
    """Return where, what and by which uv to install. pip installs uv."""
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    if wanted["archive"]:
        # In the home of who installs, as pip and uv would have them: the directory of the builds has builds only.
        for variable, name in (("UV_CACHE_DIR", "uv"), ("PIP_CACHE_DIR", "pip")):
            os.environ.setdefault(variable, f"{pwd.getpwuid(os.geteuid()).pw_dir}/.cache/{name}")
    installer = Installer(home, interpreter, run_command, wanted["index"] or None)
    words = [*wanted["arguments"], *wanted["requirements"], *filter(None, [wanted["archive"]])]
    return installer, words, None if wanted["program"] == "uv" else installer.find_uv(needed=False)


def located(wanted: dict[str, Any], home: Path, interpreter: Interpreter) -> Installation:
    """Return where the program is, or is to be."""
    if wanted["source_hash"] is None:
        return Installation(home / wanted["directory"], wanted["program"])
    build = installation.name_build(wanted["source_hash"], interpreter)
    return Installation(home / build / "venv", wanted["program"], build)


def checked_interpreter(python: str, minimum: str) -> Interpreter:
    """Return the interpreter. Raises ReleaseError when it is too old, or does not run."""
    hint = f"install Python {minimum} or newer on the server and name it, such as /usr/bin/python3.12"
    try:
        interpreter = ask_interpreter(python, run_command)
    except (ReleaseError, OSError) as error:
        raise ReleaseError(f"it needs Python {minimum} or newer, and {python!r} cannot be run there", hint) from error
    if version(interpreter.version) < version(minimum):
        raise ReleaseError(f"it needs Python {minimum} or newer, and {python!r} is {interpreter.version}", hint)
    return interpreter


def version(text: str) -> tuple[int, ...]:
    """Return a version as numbers, which can be compared."""
    return tuple(int(part) for part in text.split("."))


def current(module: AnsibleModule, home: Path) -> dict[str, Any]:
    """Point `current` at the directory."""
    directory = module.params["directory"]
    link = home / installation.CURRENT
    changed = not link.is_symlink() or str(link.readlink()) != directory
    if changed and not module.check_mode:
        installation.switch(home, directory)
    return {"changed": changed, "directory": directory}


def pruned(module: AnsibleModule, home: Path) -> dict[str, Any]:
    """Remove what nothing uses."""
    paths = installation.unused(home, installation.command_lines())
    removed = [path.name for path in paths] if module.check_mode else installation.prune(home)
    return {"changed": bool(removed), "directory": "", "removed": removed}


if __name__ == "__main__":
    main()
