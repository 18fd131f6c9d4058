# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.onetouch.deploy.plugins.plugin_utils._summary import rollout_table, status_table


class ActionModule(ActionBase):
    """Show lines as they are: a debug task would wrap them in JSON."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the screen and return its lines."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]  # Ansible ships few types
            {"lines": {"type": "list", "elements": "str"}, "status": {"type": "dict"}, "rollout": {"type": "dict"}},
            required_one_of=[("lines", "status", "rollout")],
        )[1]
        lines = [*(arguments["lines"] or [])]
        if arguments["status"] is not None:
            lines += status_table(arguments["status"])
        if arguments["rollout"] is not None:
            lines += rollout_table(arguments["rollout"])
        Display().display("\n".join(["", *lines]))
        return {**result, "changed": False, "lines": lines}
