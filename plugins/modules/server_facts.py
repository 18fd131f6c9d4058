#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_facts
short_description: Collect what decides whether a project can be set up on a server
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Collects everything in one remote execution, and changes nothing.
  - It never fails, nor makes a host unreachable. A login that is refused, a server that does not answer, and a missing
    sudo or Python are facts, too.
options:
  about:
    description: The settings of the project that decide what it needs.
    type: dict
    required: true
    suboptions:
      name:
        description: The name of the project.
        type: str
        required: true
      address:
        description: The address of the server, for messages.
        type: str
        default: ''
      path:
        description: The project's directory.
        type: str
        required: true
      repo:
        description: The address of the repository.
        type: str
        default: ''
      user:
        description: The project's user.
        type: str
        required: true
      admin:
        description: The user who logs in for what needs root.
        type: str
        default: ''
      system:
        description: Whether setup installs packages and creates the user.
        type: bool
        default: true
      app:
        description: Whether procmon is to serve the project.
        type: bool
        default: false
      systemd:
        description: Whether systemd is to run procmon.
        type: bool
        default: true
      bind:
        description: The address that the project's service is to listen on. Empty for one that has none.
        type: str
        default: ''
      home:
        description: Where procmon is to be installed.
        type: path
        default: /opt/procmon
      python:
        description: The interpreter for the project's environments.
        type: str
        default: /usr/bin/python3
      procmon_python:
        description: The interpreter for procmon.
        type: str
        default: python3
      packages:
        description: Packages that have to be installed.
        type: list
        elements: str
        default: []
      known_hosts:
        description: Lines of known_hosts that the configuration has.
        type: list
        elements: str
        default: []
  probe:
    description: Whether the git server is asked, as the user who runs the module.
    type: bool
    default: false
  here:
    description: For the part that runs on the server. Lines that the controller knows for the git server.
    type: list
    elements: str
    default: []
attributes:
  action:
    description: Turns failures of the login into facts, and knows the host keys of the controller.
    support: full
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - Python 3.9 or newer
seealso:
  - module: onetouch.deploy.setup_report
"""

EXAMPLES = r"""
- name: Collect what decides whether the project can run here
  onetouch.deploy.server_facts:
    about:
      name: blog
      user: deploy
      path: /var/www/blog
      repo: git@git.example.org:you/blog.git
"""

RETURN = r"""
login:
  description: Why there are no other facts. Its C(kind) is empty when there are some.
  type: dict
  returned: always
  sample: {"kind": "refused", "text": "deploy@web1: Permission denied (publickey)."}
facts:
  description: What was found.
  type: dict
  returned: when the server could be asked
  sample: {"system": "Debian GNU/Linux 12 (bookworm)", "apt": true, "missing_packages": ["git"], "clock_seconds": 0.0}
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.redaction import secrets_of
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import facts
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.git_access import Question

TEXTS = {"address": "", "repo": "", "admin": "", "bind": "", "python": "/usr/bin/python3", "procmon_python": "python3"}
LISTS = ("packages", "known_hosts")
ABOUT: dict[str, Any] = {
    **{name: {"type": "str", "required": True} for name in ("name", "path", "user")},
    **{name: {"type": "str", "default": default} for name, default in TEXTS.items()},
    **{
        name: {"type": "bool", "default": default}
        for name, default in (("system", True), ("app", False), ("systemd", True))
    },
    **{name: {"type": "list", "elements": "str", "default": [], "no_log": False} for name in LISTS},
    "home": {"type": "path", "default": "/opt/procmon"},
}


def main() -> None:
    """Collect the facts."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible ships few types
        {
            "about": {"type": "dict", "required": True, "options": ABOUT},
            "probe": {"type": "bool", "default": False},
            "here": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    about = module.params["about"]
    # With -vvv Ansible shows the arguments again, as they were given.
    module.no_log_values.update(secrets_of(about["repo"]))
    path = Path("/", about["path"])
    question = Question(about["name"], about["repo"], path / "source", about["known_hosts"], module.params["here"])
    found = facts.collect(asked(about, path), question, probe=module.params["probe"])
    module.exit_json(changed=False, facts=found)


def asked(about: dict[str, Any], path: Path) -> facts.Asked:
    """Return what the facts are about. Without systemd, the procmon that runs may have the address."""
    units = tuple(f"procmon@{about['name']}.{kind}" for kind in ("socket", "service"))
    pythons = (about["python"], *([about["procmon_python"]] if about["app"] else []))
    bind = about["bind"] if about["app"] else ""
    return facts.Asked(
        user=about["user"],
        admin=about["admin"],
        path=path,
        packages=tuple(about["packages"]) if about["system"] else (),
        pythons=pythons,
        bind=bind,
        has_units=about["systemd"],
        units=units,
        home=Path(about["home"]),
    )


if __name__ == "__main__":
    main()
