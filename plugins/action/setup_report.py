# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides about obstacles with `_obstacles`, and reports them, or how setup ended with `_setup_report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.redaction import hide_secrets
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _obstacles, _setup_report
from ansible_collections.onetouch.deploy.plugins.plugin_utils._login_failure import read_login
from ansible_collections.onetouch.deploy.plugins.plugin_utils._obstacles import Answer, Obstacle
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.chosen import is_chosen

OPTIONS: dict[str, Any] = {
    "stage": {"type": "str", "required": True, "choices": ["find", "obstacles", "end"]},
    "about": {"type": "dict"},
    "system": {"type": "dict"},
    "own": {"type": "dict"},
    "begun": {"type": "bool", "default": False},
}
REGISTERED = "project_obstacles"


class ActionModule(ActionBase):
    """Asks no server."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the stage finds; fail where something keeps setup from its end."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(OPTIONS)[1]  # type: ignore[no-untyped-call]  # Ansible ships few types
        stages = {"find": self._find, "obstacles": self._obstacles, "end": self._end}
        return {**result, "changed": False, **stages[arguments["stage"]](arguments, task_vars or {})}

    def _find(self, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the obstacles of one host."""
        host = variables["inventory_hostname"]
        login = read_login(variables["hostvars"][host], host)
        about = {**arguments["about"], **({"port": login.port, "key": login.key} if login else {})}
        wanted = _obstacles.read_wanted(about)
        answers = (_answer(arguments["system"]), _answer(arguments["own"]))
        return {
            # Ansible shows the result with -vvv.
            "about": {**about, "repo": hide_secrets(str(about["repo"]))},
            "obstacles": [asdict(one) for one in _obstacles.find(wanted, *answers, begun=arguments["begun"])],
        }

    def _obstacles(self, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Fail with all obstacles of all hosts."""
        hosts = variables["ansible_play_hosts_all"]
        found = {host: (variables["hostvars"][host].get(REGISTERED) or {}).get("obstacles", []) for host in hosts}
        obstacles = {host: [Obstacle(**one) for one in several] for host, several in found.items()}
        number = len({one for several in obstacles.values() for one in several})
        if not number:
            return {"obstacles": []}
        count = "1 obstacle" if number == 1 else f"{number} obstacles"
        heading = f"Setup cannot {'go on' if arguments['begun'] else 'begin, and nothing was changed'}: {count}."
        return {"failed": True, "msg": "\n".join([heading, *_obstacles.lines(obstacles)])}

    def _end(self, _arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Print which projects are ready, and fail where a deploy key has to be added first."""
        if self._task.check_mode:
            return {"skipped": True, "skip_reason": "check mode makes nothing ready"}
        hosts = variables["ansible_play_hosts_all"]
        outcomes = [_setup_report.outcome_of(host, variables["hostvars"][host]) for host in hosts]
        ready, waiting = _setup_report.ready_lines(outcomes), _setup_report.waiting_lines(outcomes)
        if ready and not is_chosen():
            Display().display("\n".join(["", *ready]))
        found = {"lines": ready}
        return {**found, "failed": True, "msg": "\n".join(waiting)} if waiting else found


def _answer(registered: Mapping[str, Any] | None) -> Answer:
    """Return the answer of one login; a look that was skipped has none."""
    given = registered or {}
    return Answer(given.get("login") or {}, given.get("facts") or {})
