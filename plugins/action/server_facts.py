# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of server_facts: failures of a login become facts, and its host keys are sent."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import host_keys
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _git_host, _login_failure, _obstacles
from ansible_collections.onetouch.deploy.plugins.plugin_utils._server_action import ServerAction

MODULE = "onetouch.deploy.server_facts"


class ActionModule(ServerAction):
    """Ask the server once; a second time only where its own ssh knows the git server by another name."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the facts, or why there are none."""
        result = self.start("setup", tmp, task_vars)
        address = host_keys.parse_address(str((self._task.args.get("about") or {}).get("repo", "")))
        here = _git_host.lines_here(address) if address else []
        asked = self._ask(here)
        if address and _obstacles.is_unknown(asked.get("facts", {}).get("git", {})):
            # The server may have an alias that only its own ssh knows, and this machine the key of the host.
            more = _git_host.lines_for(asked["facts"]["git"]["name"])
            asked = self._ask(more) if more else asked
        return {**result, "changed": False, "login": {"kind": ""}, **asked}

    def _ask(self, here: list[str]) -> dict[str, Any]:
        """Run the module there. `clock_seconds` is how far the server's clock is ahead of this one."""
        before = time.time()
        try:
            found = self.on_server(MODULE, {**self._task.args, "here": here})
        except AnsibleError as error:
            return {"login": _login_failure.explain(str(error))}
        if "facts" not in found:
            return {"login": _login_failure.explain_module(found)}
        clock = _git_host.clock_difference(found["facts"]["time"], before, time.time())
        # With what Ansible has found itself: without it, each later task would look for Python once more.
        kept = {name: found[name] for name in ("ansible_facts", "warnings") if found.get(name)}
        return {**kept, "facts": {**found["facts"], "clock_seconds": clock}}
