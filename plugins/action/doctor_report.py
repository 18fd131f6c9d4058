# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the report of `doctor`, which `_doctor` makes; with `verdict` it fails where a host needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _doctor
from ansible_collections.onetouch.deploy.plugins.plugin_utils._obstacles import Answer, read_wanted
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.chosen import is_chosen

OPTIONS = {"verdict": {"type": "bool", "default": False}}


class ActionModule(ActionBase):
    """Asks no server: reads what the tasks before it have registered."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the findings: of all hosts, or for a verdict those of one."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        if self.validate_argument_spec(OPTIONS)[1]["verdict"]:  # type: ignore[no-untyped-call]  # Ansible ships few types
            return {**result, **_verdict(_examine(variables))}
        hosts = {host: variables["hostvars"][host] for host in sorted(variables["ansible_play_hosts_all"])}
        report = _doctor.report({host: _examine(values) for host, values in hosts.items()})
        if not is_chosen():
            Display().display("\n".join(["", *report]))
        return {**result, "changed": False, "lines": report}


def _verdict(findings: list[_doctor.Finding]) -> dict[str, Any]:
    msg = " ".join(_doctor.problems(findings))
    failure = {"failed": True, "msg": msg} if msg else {}
    return {"changed": False, "findings": [vars(one) for one in findings], **failure}


def _examine(variables: Mapping[str, Any]) -> list[_doctor.Finding]:
    seen = _doctor.Seen(
        _answer(variables, "project_system_answer"),
        _answer(variables, "project_own_answer"),
        variables.get("project_status") or {},
        (variables.get("project_service") or {}).get("facts") or {},
    )
    accept = (variables.get("project_heartbeat") or {}).get("accept") or _doctor.ACCEPTED
    return _doctor.examine(read_wanted(variables["project_obstacles"]["about"]), seen, accept)


def _answer(variables: Mapping[str, Any], name: str) -> Answer:
    given = variables.get(name) or {}
    return Answer(given.get("login") or {}, given.get("facts") or {})
