# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens ssh's shared connection from the one host that `_logins` chooses; all others are skipped."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.onetouch.deploy.plugins.plugin_utils._logins import login_of, opens_connection


class ActionModule(ActionBase):
    """Runs `true` on the host that is first of those that share a connection."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Log in, or be skipped. An error of the connection makes the host unreachable, as in any other task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        hosts = variables["ansible_play_hosts_all"]
        logins = {host: login_of(host, variables["hostvars"][host]) for host in hosts}
        if self._connection.transport != "ssh" or not opens_connection(variables["inventory_hostname"], logins):
            return {**result, "changed": False, "skipped": True}
        self._low_level_execute_command("true", sudoable=False)  # type: ignore[no-untyped-call]  # Ansible ships few types
        return {**result, "changed": False}
