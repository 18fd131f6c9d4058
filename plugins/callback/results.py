# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callback plugin: writes what the modules of this collection return to a file, for the command `deploy`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: results
type: notification
short_description: Write the results of this collection's modules to a file
version_added: 0.2.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the command C(deploy), which prints them as C(--json), lists and tables.
  - Writes one JSON object per line, with C(host), C(action), C(outcome) and C(result), as soon as a task has ended.
  - Failures of other tasks and servers that cannot be reached are written too. What C(no_log) hides stays hidden.
options:
  file:
    description: The file that lines are appended to. Without it nothing is written.
    type: path
    env:
      - name: ONETOUCH_DEPLOY_RESULTS
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.executor.task_result import CallbackTaskResult
from ansible.plugins.callback import CallbackBase
from ansible_collections.onetouch.deploy.plugins.plugin_utils._answers import ANSWERS

# What Ansible adds to a result.
ANSIBLES_OWN = ("_ansible_", "invocation", "failed_when_result")


class CallbackModule(CallbackBase):
    """Appends each result to a file."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "onetouch.deploy.results"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        if str(result.task.resolved_action or result.task.action) in ANSWERS:
            self._write(result, "ok")

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._write(result, "failed")

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        self._write(result, "unreachable")

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        # A server whose turn in a rollout did not come.
        if "outcome" in result.result:
            self._write(result, "skipped")

    def _write(self, result: CallbackTaskResult, outcome: str) -> None:
        file = self.get_option("file")  # type: ignore[no-untyped-call]  # Ansible ships few types
        if not file:
            return
        action = str(result.task.resolved_action or result.task.action)
        entry = {
            "host": result.host.get_name(),
            "action": action,
            "outcome": outcome,
            "result": returned(result.result),
        }
        with Path(file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry, default=str) + "\n")


def returned(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a module returned, without what Ansible adds."""
    return {name: value for name, value in result.items() if not name.startswith(ANSIBLES_OWN)}
