# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of the module git_host_key: it knows keys that the server does not know yet."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import host_keys
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _git_host

MODULE = "onetouch.deploy.git_host_key"


class ActionModule(ActionBase):
    """Ask the server what it knows, and give it what it lacks."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module returns."""
        super().run(tmp, task_vars)
        address = host_keys.parse_address(str(self._task.args.get("repo", "")))
        found = self._on_server(task_vars)
        if address is None or found.get("failed"):
            return found
        try:
            lines = self._lines(address, found)
        except ValueError as error:
            return {"failed": True, "msg": f"project_known_hosts: {error}"}
        if not lines and not found["known"]:
            rejected = self._on_server(task_vars, probe=True).get("rejected", "")
            if rejected:
                return {"failed": True, "msg": _git_host.unknown_message(address, found["name"]), "git": rejected}
        return self._on_server(task_vars, lines=lines) if lines else found

    def _lines(self, address: host_keys.Address, found: dict[str, Any]) -> list[str]:
        """Return the lines that the server does not have, in the order in which they are trusted."""
        name = found["name"]
        ours, others = _git_host.configured(self._task.args.get("known_hosts") or [], address, name)
        known = [parsed[1] for parsed in map(host_keys.parse_line, found["known"]) if parsed]
        keys = host_keys.choose(known, ours, _git_host.published_keys(name), _git_host.keys_here(address, name))
        return [*(key.line(name) for key in keys), *others]

    def _on_server(self, task_vars: dict[str, Any] | None, **more: object) -> dict[str, Any]:
        """Run the module there."""
        arguments = {**self._task.args, **more}
        found: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        return found
