# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module release_command with the words of a command as they were given, not as templates."""

from __future__ import annotations

import shlex
from typing import Any

from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.onetouch.deploy.plugins.plugin_utils._server_action import ServerAction, failure

USAGE = """Which command? Give its words as a list, -e '{"argv": ["ls", "-l"]}', or as one text, -e argv="'ls -l'"."""


class ActionModule(ServerAction):
    """Runs the command in `argv`, given with -e, in the live release of one server."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module returns, after showing what the command wrote."""
        result = self.start("exec", tmp, task_vars)
        arguments = {
            "name": self.require("project_name"),
            "path": self.require("project_path"),
            "argv": self._words(),
            "env_file": self.read("project_env_file") or None,
        }
        found = self.on_server("onetouch.deploy.release_command", arguments)
        output = str(found.get("stdout", "")) + str(found.get("stderr", ""))
        if self._task.check_mode and not found.get("failed"):
            output = str(found["msg"])
        if output or "stdout" in found:
            Display().display(f"\n{self.host}:\n{output.rstrip()}")
        return {**result, **found}

    def _words(self) -> list[str]:
        """Return the words, not from the task's variables: there '{{' in one of them would be a template."""
        given = load_extra_vars(self._loader).get("argv")
        words = shlex.split(given) if isinstance(given, str) else given
        if not isinstance(words, list) or not words:
            raise failure(USAGE)
        return [str(word) for word in words]
