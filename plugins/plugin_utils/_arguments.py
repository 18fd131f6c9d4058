# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the collection's modules, from the variables of a host. Pure. Private to this collection.

A variable is read only where the module needs it, and one that is not set sets no argument: the module has the
defaults. The few that differ are here; the defaults of the roles are the same, which a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import env_file

# Returns the value of a variable, None where it is not set.
Read = Callable[[str], Any]

PYTHON = "/usr/bin/python3"
WORKERS = 2
SECTIONS = ("heartbeat", "reload", "worker", "uvicorn")
CONFIG_DIRECTORY = "/etc/procmon"
PROCMON_HOME = "/opt/procmon"
# $1 is procmon, $2 its configuration. The output is the status as JSON; how the reload ended is in the errors.
RELOAD = '"$1" reload --wait "$2" >&2 && { "$1" status --json "$2" || true; }'
# Options of `releases` whose variable is their name with `project_` before it
RELEASE = ("strategy", "keep", "shared_paths", "restart_file", "lock_wait", "index")
SOURCE = ("repo",)
COMMANDS_OF_HOOKS = ("pre_deploy", "post_deploy", "test")
HOOKS = (*COMMANDS_OF_HOOKS, "hook_timeout", "reload_timeout")
BY_STATE = {
    "prepared": (*RELEASE, *SOURCE),
    "deployed": (*RELEASE, *SOURCE, *HOOKS),
    "reverted": (*RELEASE, *HOOKS),
}


def release_arguments(state: str, read: Read, by: str, commit: str = "") -> dict[str, Any]:
    """Return the arguments of `releases` for `state`; `commit` is what the project's first server has found."""
    left_out = () if _has_hooks(read) else COMMANDS_OF_HOOKS
    arguments = {option: read(f"project_{option}") for option in BY_STATE[state] if option not in left_out}
    arguments |= {"state": state, "by": by, "python": read("project_python") or PYTHON, **_place(read)}
    arguments["force"] = read("force")
    if state == "reverted":
        arguments |= {"steps": read("steps"), "to": read("to") or commit}
    else:
        arguments |= {"ref": read("ref") or read("project_ref"), "commit": commit}
    return {**_given(arguments), **_configuration(read)}


def info_arguments(read: Read) -> dict[str, Any]:
    """Return the arguments of `releases_info`."""
    config = {"config": _settings(read), **_writable(read)} if has_app(read) else {}
    return {**_given({**_place(read), "ref": read("project_ref")}), **config}


def reload_command(read: Read) -> dict[str, Any]:
    """Return the arguments of `command` to replace the workers, and then show what serves."""
    program = f"{read('supervisor_home') or PROCMON_HOME}/current/venv/bin/procmon"
    config = f"{read('supervisor_config_dir') or CONFIG_DIRECTORY}/{read('project_name')}.toml"
    return {"argv": ["/bin/sh", "-c", RELOAD, "sh", program, config]}


def config_error(value: object) -> str | None:
    """Return the message about -e config with another value than the one there is."""
    return None if value in (None, "", "keep") else f"config is {value!r}. Its only value is keep."


def has_app(read: Read) -> bool:
    """Return whether procmon serves the project."""
    return bool(read("project_app"))


def _has_hooks(read: Read) -> bool:
    """Return whether hooks run. Raises AnsibleError for -e hooks with another value than those of a boolean."""
    value = read("hooks")
    try:
        return value in (None, "") or boolean(value)  # type: ignore[no-untyped-call]  # Ansible ships few types
    except TypeError:
        found = f"hooks is {value!r}. Its only values are true and false."
        raise AnsibleActionFail(found) from None  # type: ignore[no-untyped-call]  # Ansible ships few types


def _place(read: Read) -> dict[str, Any]:
    return {"name": read("project_name"), "path": read("project_path"), "status_file": _status_file(read)}


def _status_file(read: Read) -> object:
    """Return where procmon answers; nothing for a project without an app."""
    given = read("project_status_file")
    if given is not None:
        return given
    return f"/run/procmon/{read('project_name')}/status.json" if has_app(read) else None


def _configuration(read: Read) -> dict[str, Any]:
    """Return the configuration that travels with the release. With config=keep none of it is evaluated."""
    if read("config"):
        return {}
    # A text: of a mapping Ansible would hide each value wherever it occurs, such as each 1.
    found: dict[str, Any] = {"env": env_file.render(read("project_env") or {})}
    if has_app(read):
        found |= {"config": _settings(read), **_writable(read)}
    return {**found, **_given({"env_file": read("project_env_file")})}


def _settings(read: Read) -> dict[str, Any]:
    """Return the settings of procmon. The variables of the role `supervisor` take precedence, as in setup."""
    sections = {key: read(f"supervisor_{key}") or read(f"project_{key}") or {} for key in SECTIONS}
    return {"app": read("project_app"), "bind": read("project_bind"), "workers": _workers(read), **sections}


def _workers(read: Read) -> int:
    """Return the number of workers. Raises AnsibleError: a template, or a static inventory, may make it anything."""
    value = read("supervisor_workers") or read("project_workers") or WORKERS
    try:
        return int(value)
    except (TypeError, ValueError):
        found = f"workers is {value!r}. It must be a whole number of 1 or more."
        raise AnsibleActionFail(found) from None  # type: ignore[no-untyped-call]  # Ansible ships few types


def _writable(read: Read) -> dict[str, Any]:
    """Return what the unit lets the app write to, which only setup changes."""
    return {"writable_paths": read("supervisor_writable_paths") or read("project_writable_paths") or []}


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not set: an empty text is an absent one."""
    return {option: value for option, value in arguments.items() if value is not None and value != ""}
