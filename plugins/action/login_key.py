# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of the module login_key: it knows which keys this machine can log in with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import login_keys
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.login_keys import PublicKey
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _login_keys

MODULE = "onetouch.deploy.login_key"
NO_KEY = (
    "this machine has no public key to authorize, neither as `key`, nor in an ssh agent, nor in ~/.ssh. "
    "Unless {user} can log in otherwise, create one with ssh-keygen"
)


class ActionModule(ActionBase):
    """Offer the server the keys of this machine."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module returns; nothing changes where no ssh is used."""
        super().run(tmp, task_vars)
        if self._connection.transport != "ssh":
            return {"changed": False, "skipped": True, "skip_reason": "the connection does not use ssh"}
        offered = _login_keys.offered(self._login())
        given = dict(self._task.args)
        known, accepted = (given.pop(name, None) for name in ("authorized", "accepted"))
        if known and not self._lacking(offered, accepted or [], known):
            return {"changed": False, "added": []}
        arguments = {**given, "offered": [key.line() for key in offered]}
        found: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        if not offered:
            found["warnings"] = [*found.get("warnings", []), NO_KEY.format(user=self._task.args.get("user"))]
        return found

    def _lacking(self, offered: list[PublicKey], accepted: list[str], known: list[str]) -> list[PublicKey]:
        """Return the keys that are to be added, by what an earlier look at the server has found there."""
        wanted = login_keys.select(offered, login_keys.parse("\n".join(accepted)))
        return login_keys.lacking(wanted, "\n".join(known))

    def _login(self) -> _login_keys.Login:
        """Return how the connection of this task logs in."""
        option: Callable[[str], Any] = self._connection.get_option
        arguments = [option(name) or "" for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")]
        return _login_keys.Login(
            program=option("ssh_executable") or "ssh",
            arguments=" ".join(arguments),
            host=option("host") or "",
            port=str(option("port") or ""),
            user=option("remote_user") or "",
            key_file=option("private_key_file") or "",
        )
