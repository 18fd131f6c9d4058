# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module `releases` with the variables of a host, when it is the turn of this server of its project.

`_rollout` has the order, `_arguments` the arguments.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _rollout
from ansible_collections.onetouch.deploy.plugins.plugin_utils._arguments import config_error, release_arguments
from ansible_collections.onetouch.deploy.plugins.plugin_utils._server_action import ServerAction, failure
from ansible_collections.onetouch.deploy.plugins.plugin_utils._summary import failed_result, result_text
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.chosen import is_chosen, is_followed
from ansible_collections.onetouch.deploy.plugins.plugin_utils._typed import did_you_mean, name_setup, option, typed
from ansible_collections.onetouch.deploy.plugins.plugin_utils._unpushed import find_unpushed, unpushed_error

OPTIONS = {
    "state": {"type": "str", "required": True, "choices": ["deployed", "reverted"]},
    "step": {"type": "str", "choices": ["prepare", "activate"]},
}
UNKNOWN_REF = re.compile(r"\bref '.*' is unknown")
FAILED_HOOK = re.compile(r"\b(?:pre_deploy|post_deploy|test) failed \(")
COMMANDS = {"deployed": "deploy", "reverted": "revert"}


class ActionModule(ServerAction):
    """One step of one server."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of `releases`, after the line that says how it ended."""
        options = self.validate_argument_spec(OPTIONS)[1]  # type: ignore[no-untyped-call]  # Ansible ships few types
        state, step = options["state"], options["step"]
        self.variables = task_vars or {}

        def run() -> dict[str, Any]:
            result = self.start(COMMANDS[state], tmp, task_vars)
            act = {"prepare": self._prepare, "activate": self._activate, None: self._release}[step]
            return {**result, **act(state)}

        # The other servers wait for it from its first line on: also what fails there has to reach them.
        return self.turns().take(step, run) if step else run()

    def _prepare(self, state: str) -> dict[str, Any]:
        """Prepare the commit that the first server has found. A single server goes live in the same execution."""
        servers, commit = self.servers(), ""
        first = servers[0]
        if self.host == first:
            self._check_local_clone(state)
        else:
            found = self.turns().results("prepare", [first])
            if _rollout.first_failed([first], found):
                return _rollout.not_reached(first, {})
            commit = found[first]["commit"]
        if len(servers) == 1:
            return self._release(state)
        if state == "deployed":
            return self._release("prepared", commit)
        # Only finds the commit in the log, before any server goes back.
        self._task.check_mode = True
        return self._release(state, commit)

    def _check_local_clone(self, state: str) -> None:
        """Refuse to deploy while there is work that was not pushed."""
        local = self.read("project_local") if state == "deployed" else None
        if not local:
            return
        force = boolean(self.read("force") or False)  # type: ignore[no-untyped-call]  # as above
        found = find_unpushed(local, self.read("ref") or self.read("project_ref"))
        error = unpushed_error(self.require("project_name"), local, *found, force=force)
        if error:
            raise failure(error)

    def _activate(self, state: str) -> dict[str, Any]:
        """Make the release live when the servers before this one have succeeded."""
        servers, turns = self.servers(), self.turns()
        prepared = turns.results("prepare", servers)
        own = prepared[self.host]
        if len(servers) == 1:
            return {**own, "skipped": True}
        failed = _rollout.first_failed(servers, prepared) or turns.stopped_by("activate", servers, self.at_once())
        if failed:
            return _rollout.not_reached(failed, own)
        if state == "deployed" and own["outcome"] == "unchanged" and not self._task.check_mode:
            # Another login would find the same.
            return {**own, "skipped": True}
        return {**_rollout.known(own), **self._release(state, prepared[servers[0]]["commit"])}

    def _release(self, state: str, commit: str = "") -> dict[str, Any]:
        name = self.require("project_name")
        self.require("project_path")
        error = config_error(self.read("config"))
        if error:
            raise failure(error)
        harmless = state == "prepared" or bool(self._task.check_mode)
        arguments = release_arguments(state, self.read, _user(), commit)
        url = self.url()
        result = {**self._run_releases(arguments, harmless=harmless), **url}
        if result.get("failed"):
            # A module that was killed says nothing about what it has done.
            result = {"outcome": "failed" if harmless else _rollout.UNKNOWN, **result}
            result |= _advised(result, _advice(state, name, str(result.get("msg", ""))))
            result |= {key: name_setup(str(result[key]), name) for key in ("msg", "reason") if result.get(key)}
            return result if is_followed() else failed_result(result)
        if not is_chosen():
            Display().display("\n" + result_text(self.host, name, result))
        return result

    def _run_releases(self, arguments: dict[str, Any], *, harmless: bool) -> dict[str, Any]:
        """Run the module, with its progress where a callback follows that."""
        copied: AbstractContextManager[None] = nullcontext()
        if is_followed() and not self._task.check_mode:
            # The name by which the callback knows the task.
            arguments["progress"] = self._task._uuid  # noqa: SLF001
            copied = self.progress_copied(f"{arguments['path']}/.deploy.progress")
        with copied:
            return self.on_server_or_lost("onetouch.deploy.releases", arguments, harmless=harmless)


def _advice(state: str, project: str, message: str) -> str:
    """Return what to do about a failure that the command knows more about than the module, after a blank."""
    first = message.partition("\n")[0]
    if UNKNOWN_REF.search(first):
        return did_you_mean("ref")
    if state == "reverted" and FAILED_HOOK.search(first):
        # The release may be older than the files that the hooks of today run.
        return f" To go back without hooks: {typed('revert', project)} {option('no-hooks', 'hooks=false')}"
    return ""


def _advised(result: Mapping[str, Any], advice: str) -> dict[str, str]:
    """Return the texts of a result with a piece of advice behind what failed."""
    if not advice:
        return {}
    first, newline, rest = str(result.get("msg", "")).partition("\n")
    reason = result.get("reason")
    texts = {"msg": f"{first.rstrip('.')}.{advice}{newline}{rest}"}
    return {**texts, "reason": f"{str(reason).rstrip('.')}.{advice}"} if reason else texts


def _user() -> str:
    """Return who deploys from which machine, for the lock and the journal."""
    user = os.geteuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    return f"{name}@{os.uname().nodename}"
