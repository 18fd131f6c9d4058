# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows lines as they are, which `_summary` makes of module results: a debug task would wrap them in JSON.

After the table of `status` it decides for each host whether the command fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.onetouch.deploy.plugins.plugin_utils._rollout import UNREACHABLE
from ansible_collections.onetouch.deploy.plugins.plugin_utils._status_table import attention, status_lines
from ansible_collections.onetouch.deploy.plugins.plugin_utils._summary import rollout_table
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.chosen import is_chosen

# Of the process that has loaded this: the one that runs the task has another standard output.
WIDTH = shutil.get_terminal_size().columns if os.isatty(1) else None
OPTIONS = {
    "lines": {"type": "list", "elements": "str"},
    "rollout": {"type": "str"},
    "status": {"type": "str"},
    "verdict": {"type": "str"},
}


class ActionModule(ActionBase):
    """Prints a summary."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the lines and return them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(OPTIONS, required_one_of=[tuple(OPTIONS)])[1]  # type: ignore[no-untyped-call]
        if arguments["verdict"] is not None:
            return {**result, **_verdict(arguments["verdict"], task_vars or {})}
        lines = _lines(arguments, task_vars or {})
        if not lines:
            return {**result, "changed": False, "lines": [], "skipped": True}
        if not is_chosen():
            Display().display("\n".join(["", *lines]))
        return {**result, "changed": False, "lines": lines}


def _verdict(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a failure where a host needs attention, and that it is unreachable where it could not be asked."""
    host, registered = variables["inventory_hostname"], _registered(name, variables["groups"]["all"], variables)
    answer = registered[host] or {}
    if answer.get("outcome") == UNREACHABLE:
        return {"changed": False, "unreachable": True, "msg": answer["msg"]}
    reasons = attention(host, {name: result for name, result in registered.items() if result is not None})
    return {"changed": False, "failed": bool(reasons), **({"msg": "; ".join(reasons)} if reasons else {})}


def _lines(arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    lines = [*(arguments["lines"] or [])]
    if arguments["status"] is not None:
        registered = _registered(arguments["status"], variables["groups"]["all"], variables)
        lines += status_lines({host: result for host, result in registered.items() if result is not None}, WIDTH)
    if arguments["rollout"] is not None:
        registered = _registered(arguments["rollout"], variables["ansible_play_hosts_all"], variables)
        lines += rollout_table({host: result or {} for host, result in registered.items()})
    return lines


def _registered(name: str, hosts: Iterable[str], variables: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
    """Return what each host has registered under `name`, None where it has not."""
    return {host: variables["hostvars"][host].get(name) for host in hosts}
