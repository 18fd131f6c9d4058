#!/usr/bin/python
# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_host_key
short_description: Makes the host key of a git server known to the user who deploys
version_added: 0.2.0
author: The onetouch.deploy contributors (@onetouch)
description:
  - Internal to this collection. Its options may change in any release.
  - Asks the ssh of the server where the address of a repository leads, so that aliases in the user's C(~/.ssh/config)
    count, and which host keys are known for that name there.
  - Adds the keys that the controller knows for it to the user's file of known hosts. Removes none.
  - Where neither the server nor the controller knows a key, it tries whether git gets through all the same, and fails
    when it does not.
options:
  repo:
    description: The address of the repository. A path, and an address without ssh, need no host key.
    type: str
    required: true
  known_hosts:
    description:
      - Lines of known_hosts. Those for other hosts, such as the hosts of submodules, are added as well.
    type: list
    elements: str
    default: []
  lines:
    description: For the part that runs on the server. The lines to add to the user's file.
    type: list
    elements: str
    default: []
  probe:
    description: For the part that runs on the server. Whether to try what git gets to hear from the git server.
    type: bool
    default: false
attributes:
  action:
    description: Finds the keys that the controller knows.
    support: full
  check_mode:
    description: Reports what would be added.
    support: full
  diff_mode:
    description: Shows the lines that are added.
    support: full
  idempotent:
    description: Adds no line twice.
    support: full
  platform:
    description: Target systems that are supported.
    platforms: posix
    support: full
requirements:
  - ssh and ssh-keygen of OpenSSH
  - Python 3.9 or newer
seealso:
  - module: ansible.builtin.known_hosts
"""

EXAMPLES = r"""
- name: Make the git server's host key known
  onetouch.deploy.git_host_key:
    repo: git@git.example.org:you/blog.git
"""

RETURN = r"""
name:
  description: The name by which known_hosts lists the git server. Empty for an address without ssh.
  type: str
  returned: success
  sample: "[git.example.org]:2222"
known:
  description: The keys that the server knows for it, each as a line of known_hosts.
  type: list
  elements: str
  returned: success
added:
  description: The lines that were added.
  type: list
  elements: str
  returned: success
rejected:
  description: What git wrote when it did not accept the host key of the git server. Empty when it did.
  type: str
  returned: when O(probe=true)
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import host_keys

UNKNOWN = ("Host key verification failed", "host key is known")


def main() -> None:
    """Report what is known, and add what is missing."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]  # Ansible ships few types
        {
            "repo": {"type": "str", "required": True},
            "known_hosts": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "lines": {"type": "list", "elements": "str", "default": []},
            "probe": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    address = host_keys.parse_address(module.params["repo"])
    if address is None:
        module.exit_json(changed=False, name="", known=[], added=[])
        return
    for program in ("ssh", "ssh-keygen"):
        if not shutil.which(program):
            module.fail_json(msg=f"{program}: command not found. Install the package openssh-client on the server")
    module.exit_json(**report(module, address))


def run(argv: Sequence[str]) -> tuple[int, str, str]:
    """Run a program in the language that its messages are recognized in."""
    done = run_command(argv, env={"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"})
    return done.rc, done.out, done.err


def report(module: AnsibleModule, address: host_keys.Address) -> dict[str, Any]:
    """Return what the module returns for an address that uses ssh."""
    try:
        found = host_keys.destination(run, address)
    except ValueError as error:
        module.fail_json(msg=f"ssh does not accept {address.host}: {error}. Check `repo` and ~/.ssh/config")
    known = host_keys.known_keys(run, found.name, [*found.own, *found.shared])
    added = missing(found, module.params["lines"])
    if added and not module.check_mode:
        append(Path(found.own[0]), added)
    probed = {"rejected": rejection(module)} if module.params["probe"] else {}
    diff = {"before": "", "after": "".join(f"{line}\n" for line in added), "after_header": "known_hosts"}
    lines = [key.line(found.name) for key in known]
    return {"changed": bool(added), "name": found.name, "known": lines, "added": added, "diff": diff, **probed}


def missing(found: host_keys.Destination, lines: list[str]) -> list[str]:
    """Return those of `lines` whose key no file of known hosts has for the first of their names."""
    wanted = [(line, host_keys.parse_line(line)) for line in dict.fromkeys(lines)]
    files = [*found.own, *found.shared]
    return [
        line
        for line, parsed in wanted
        if parsed is None or parsed[1] not in host_keys.known_keys(run, parsed[0].split(",")[0], files)
    ]


def append(file: Path, lines: list[str]) -> None:
    """Add lines to the user's file of known hosts, which may not exist yet, or lack its last newline."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as opened:
        before = opened.read()
        start = b"\n" if before and not before.endswith(b"\n") else b""
        opened.write(start + "".join(f"{line}\n" for line in lines).encode())


def rejection(module: AnsibleModule) -> str:
    """Return what git wrote when ssh did not accept the host key; what else may fail is for the clone to report."""
    configured = run(["git", "config", "--get", "core.sshCommand"])[1].strip()
    ssh = f"{os.environ.get('GIT_SSH_COMMAND') or configured or 'ssh'} -o BatchMode=yes -o ConnectTimeout=15"
    argv = ["git", "-c", f"core.sshCommand={ssh}", "ls-remote", "--quiet", "--", module.params["repo"], "HEAD"]
    err = run(["env", "-u", "GIT_SSH_COMMAND", *argv])[2]
    return err.strip() if any(words in err for words in UNKNOWN) else ""


if __name__ == "__main__":
    main()
