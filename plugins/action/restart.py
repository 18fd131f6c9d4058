# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces the workers of a project, when it is the turn of this server, and shows what serves then."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _rollout
from ansible_collections.onetouch.deploy.plugins.plugin_utils._arguments import has_app, reload_command
from ansible_collections.onetouch.deploy.plugins.plugin_utils._server_action import ServerAction
from ansible_collections.onetouch.deploy.plugins.plugin_utils._summary import restart_result
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.chosen import is_chosen


class ActionModule(ServerAction):
    """Asks procmon of one server to reload, and waits until the new workers serve."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return how it ended, after the line that says so."""
        self.variables = task_vars or {}
        turns = self.turns()

        def restart() -> dict[str, Any]:
            # A `url` that is not one is refused before anything changes.
            common = {**self.start("restart", tmp, task_vars), **self.url()}
            failed = turns.stopped_by("restart", self.servers(), self.at_once())
            return {**common, **(_rollout.not_reached(failed, {}) if failed else self._restart())}

        return turns.take("restart", restart)

    def _restart(self) -> dict[str, Any]:
        name = self.require("project_name")
        if has_app(self.read):
            answer = self.on_server_or_lost("ansible.builtin.command", reload_command(self.read), harmless=False)
            result = answer if "outcome" in answer else self._result(name, answer)
        else:
            msg = f"{self.host}: nothing to restart, the project has no app"
            result = {"changed": False, "outcome": "no_app", "msg": msg}
        if not result.get("failed") and not is_chosen():
            Display().display(f"\n{result['msg']}")
        return result

    def _result(self, name: str, answer: dict[str, Any]) -> dict[str, Any]:
        return restart_result(self.host, name, answer, self.read("project_bind"))
