# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module `releases_info` with the variables of a host. A failure is part of the answer."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.onetouch.deploy.plugins.plugin_utils._arguments import info_arguments
from ansible_collections.onetouch.deploy.plugins.plugin_utils._rollout import UNREACHABLE
from ansible_collections.onetouch.deploy.plugins.plugin_utils._server_action import ServerAction


class ActionModule(ServerAction):
    """Asks one server what is live of one project."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what `releases_info` returns; where it fails, `msg` with the reason and no commit."""
        result = self.start("status", tmp, task_vars)
        self.require("project_name")
        self.require("project_path")
        try:
            answer = self.on_server("onetouch.deploy.releases_info", info_arguments(self.read))
        except AnsibleConnectionFailure as error:
            return {
                **result,
                "changed": False,
                "outcome": UNREACHABLE,
                "msg": f"cannot be reached: {self.why_lost(error)}",
            }
        answer.pop("exception", None)
        return {**result, **answer, **self.url(), "failed": False}
