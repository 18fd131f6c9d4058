# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module `releases_info` with the variables of a host. Unless `required`, a failure is part of the answer.

With `by_server` the first of the hosts that log in alike asks for all of them, in one remote execution, and the others
wait for what it posts: its process depends on none of theirs, which may start later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.utils.display import Display
from ansible_collections.onetouch.deploy.plugins.plugin_utils._arguments import info_arguments
from ansible_collections.onetouch.deploy.plugins.plugin_utils._rollout import UNREACHABLE
from ansible_collections.onetouch.deploy.plugins.plugin_utils._same_login import alike
from ansible_collections.onetouch.deploy.plugins.plugin_utils._server_action import ServerAction

OPTIONS = {name: {"type": "bool", "default": False} for name in ("by_server", "required")}
display = Display()
# host -> its answer. A host without one asks itself.
Answers = dict[str, dict[str, Any]]


class ActionModule(ServerAction):
    """Asks one server what is live of one project."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what `releases_info` returns; where it fails, `msg` with the reason and no commit."""
        options = self.validate_argument_spec(OPTIONS)[1]  # type: ignore[no-untyped-call]  # Ansible ships few types
        self.variables = task_vars or {}
        answer = self._from_server() if options["by_server"] else None
        result = self.start("status", tmp, task_vars)
        self.require("project_name")
        self.require("project_path")
        answer = self._alone() if answer is None else answer
        answer.pop("exception", None)
        is_reached = answer.get("outcome") != UNREACHABLE
        url = self.url() if is_reached else {}
        failure = {}
        if options["required"] and "commit" not in answer:
            failure = {"failed": True} if is_reached else {"unreachable": True}
        return {**result, "changed": False, **answer, **url, "failed": False, **failure}

    def _alone(self) -> dict[str, Any]:
        return self._reached(partial(self.on_server, "onetouch.deploy.releases_info", info_arguments(self.read)))

    def _from_server(self) -> dict[str, Any] | None:
        """Return the answer for this host among those of its server, None where there is none."""
        hosts, variables = self.play_hosts, self.variables["hostvars"]
        first = next(alike(self.host, hosts, variables))
        name = f"{self._task._uuid} {first}"  # noqa: SLF001  the only name of a task
        if self.host != first:
            return self.board().wait([name])[name].get(self.host)
        answers: Answers = {}
        try:
            answers = self._of_all(alike(first, hosts, variables))
        except Exception as reason:
            # One of them may be the cause: each asks itself, and that one reports it.
            display.vvv(f"{self.host}: {reason}")
        finally:
            self.board().post(name, answers)
        return answers.get(first)

    def _of_all(self, hosts: Iterable[str]) -> Answers:
        """Return the answers for all hosts whose variables can be evaluated."""
        questions = {host: question for host in hosts if (question := self._question(host))}
        if len(questions) < 2:  # noqa: PLR2004  there is nothing to save
            return {}
        ask = partial(self.on_server, "onetouch.deploy.server_releases_info", {"projects": [*questions.values()]})
        found = self._reached(ask)
        if found.get("outcome") == UNREACHABLE:
            return dict.fromkeys(questions, found)
        # Where it failed, as above.
        return dict(zip(questions, found["answers"], strict=True)) if "answers" in found else {}

    def _question(self, host: str) -> dict[str, Any]:
        """Return the arguments for a host, nothing where it has to report itself why there are none."""
        try:
            found = info_arguments(self.variables["hostvars"][host].get)
        except AnsibleError:
            return {}
        return found if {"name", "path"} <= found.keys() else {}

    def _reached(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return ask()
        except AnsibleConnectionFailure as error:
            return {"outcome": UNREACHABLE, "msg": f"cannot be reached: {self.why_lost(error)}"}
