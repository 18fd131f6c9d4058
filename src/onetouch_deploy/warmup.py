# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own shared ssh connections, opened while Ansible still starts.

A process beside Ansible logs in with the options and the socket that Ansible will use, and the program ssh-when-open,
which Ansible runs for ssh, waits until that has ended, well or not. When the user's settings could make Ansible log in
otherwise, nothing is opened: Ansible logs in as ever.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import playbook
from .errors import CommandError
from .files import Found, cache_file, source

if TYPE_CHECKING:
    from collections.abc import Callable

    from .plan import Plan

# These log in as the project's own user, on each of its servers.
PLAYBOOKS = frozenset({"deploy", "revert", "restart", "status", "history", "exec"})
# Ansible's default, and what its names for sockets are made of.
DEFAULT_ARGUMENTS = "-C -o ControlMaster=auto -o ControlPersist=60s"
TIMEOUT_SECONDS = 10
# Settings that decide how Ansible logs in, and that are not followed here.
ENVIRONMENT = re.compile(r"ANSIBLE_(SSH|HOST_KEY|PRIVATE|REMOTE|TRANSPORT|HOME|TIMEOUT|PASSWORD|INVENTORY|ASK_PASS)")
FOLLOWED = frozenset({"ANSIBLE_SSH_CONTROL_PATH_DIR"})
IN_DEFAULTS = (
    *("ask_pass", "home", "host_key_checking", "private_key_file", "remote_port", "remote_user", "timeout"),
    "transport",
)
IN_SSH = frozenset({"ssh_args", "control_path_dir", "pipelining", "retries"})
# Directories with variables that only Ansible knows how to merge.
VARIABLES = ("group_vars", "host_vars")
PROGRAM = Path(__file__).with_name("ssh-when-open")


@dataclass(frozen=True)
class Settings:
    """What of Ansible's settings counts for a login."""

    arguments: str
    sockets: Path


def settings(config: Path | None, environ: Mapping[str, str]) -> Settings | None:
    """Return the settings of an ansible.cfg; None when there are others than those that are followed here."""
    import configparser  # noqa: PLC0415  in the process beside Ansible

    if any(ENVIRONMENT.match(name) and name not in FOLLOWED for name in environ):
        return None
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    try:
        parser.read([config] if config else [], encoding="utf-8")
    except configparser.Error:
        return None
    ssh = dict(parser["ssh_connection"]) if "ssh_connection" in parser else {}
    if {*ssh} - IN_SSH or any(parser.has_option("defaults", name) for name in IN_DEFAULTS):
        return None
    arguments = ssh.get("ssh_args", DEFAULT_ARGUMENTS)
    home = Path(environ.get("HOME") or Path.home())
    sockets = environ.get("ANSIBLE_SSH_CONTROL_PATH_DIR") or ssh.get("control_path_dir") or str(home / ".ansible/cp")
    is_plain = "ControlPersist" in arguments and "ControlPath" not in arguments and "{{" not in arguments + sockets
    return Settings(arguments, Path(sockets.replace("~", str(home), 1))) if is_plain else None


def socket_name(variables: Mapping[str, Any]) -> str:
    """Return the name of Ansible's socket for a host: by the inventory's own rule, or by Ansible's."""
    import hashlib  # noqa: PLC0415

    own = variables.get("ansible_control_path")
    if own:
        user = str(variables.get("ansible_user"))
        return str(own).replace("%(directory)s/", "").replace("%%r", user)
    login = (variables.get(name) for name in ("ansible_host", "ansible_port", "ansible_user"))
    text = "{}-{}-{}".format(*login)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:10]


def login(variables: Mapping[str, Any], known: Settings) -> list[str] | None:
    """Return the ssh command that opens the connection of a host; None when it cannot be known."""
    import shlex  # noqa: PLC0415

    address, user = variables.get("ansible_host"), variables.get("ansible_user")
    port, key = variables.get("ansible_port"), variables.get("ansible_ssh_private_key_file")
    is_known = all(
        isinstance(one, (str, int, type(None))) and "{{" not in str(one) for one in (address, user, port, key)
    )
    if variables.get("ansible_connection") == "local" or not user or not is_known:
        return None
    return [
        *("ssh", *shlex.split(known.arguments)),
        *(("-o", f"Port={port}") if port else ()),
        *(("-o", f'IdentityFile="{key}"') if key else ()),
        *("-o", "KbdInteractiveAuthentication=no", "-o", "PasswordAuthentication=no"),
        *("-o", "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey"),
        *("-o", f'User="{user}"', "-o", f"ConnectTimeout={TIMEOUT_SECONDS}"),
        *shlex.split(str(variables.get("ansible_ssh_common_args") or "")),
        *("-o", f'ControlPath="{known.sockets / socket_name(variables)}"'),
        # It asks nothing: what needs an answer is left to Ansible's own login. It ends once the connection is open.
        *("-o", "BatchMode=yes", "-o", "LogLevel=QUIET", "-N", "-f", str(address)),
    ]


def is_wanted(plan: Plan) -> bool:
    """Return whether a plan logs in to the servers of one project, by what the inventory alone says."""
    one = plan.project not in {"", "all"} and "," not in plan.project
    return one and plan.playbook in PLAYBOOKS and not any("ansible_" in word for word in plan.options.passed)


def environment(plan: Plan, found: Found) -> Mapping[str, str]:
    """Begin to open the connections of a plan; return what makes Ansible wait for them."""
    if not is_wanted(plan) or any((at / name).exists() for at in (found.root, found.file.parent) for name in VARIABLES):
        return {}
    try:
        opening = cache_file(f"opening-{os.getpid()}")
    except CommandError:
        # Ansible logs in as ever.
        return {}
    _beside(lambda: _open_all(plan, found), opening)
    return {"ANSIBLE_SSH_EXECUTABLE": str(PROGRAM), "ONETOUCH_DEPLOY_OPENING": str(opening)}


def _beside(work: Callable[[], None], opening: Path) -> None:
    """Do work in a process of its own, which neither this one nor Ansible has to wait for; then remove `opening`."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            # A reader of our output, such as `| head`, must not wait for a login.
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            try:
                work()
            finally:
                opening.unlink(missing_ok=True)
    finally:
        os._exit(0)


def _open_all(plan: Plan, found: Found) -> None:
    """Open the connections that are not open, and wait for it. What is wrong is Ansible's to report."""
    import subprocess  # noqa: PLC0415

    known = settings(_config(found.root), os.environ)
    if known is None:
        return
    known.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = {
        known.sockets / socket_name(variables): argv
        for variables in _hosts(plan, found)
        if (argv := login(variables, known)) and not (known.sockets / socket_name(variables)).exists()
    }
    none = subprocess.DEVNULL
    for process in [subprocess.Popen(argv, stdin=none, stdout=none, stderr=none) for argv in missing.values()]:
        process.wait()


def _config(root: Path) -> Path:
    """Return the ansible.cfg that counts."""
    return playbook.user_settings(root, os.environ) or playbook.PACKAGE / "ansible.cfg"


def _hosts(plan: Plan, found: Found) -> Iterable[Mapping[str, Any]]:
    """Return the variables of a project's hosts, as the inventory plugin makes them; none when it would refuse."""
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import (  # noqa: PLC0415
        errors,
        host_vars,
        placement,
    )

    try:
        every = placement.place(source(found))
    except (errors.ProjectsError, CommandError):
        return []
    mine = [one for one in every if one.project.name == plan.project]
    servers = plan.options.servers or [one.server for one in mine]
    return [host_vars.host_variables(one) for one in mine if one.server in servers]
