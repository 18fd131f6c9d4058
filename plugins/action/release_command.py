# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands the words of a command to the module release_command as they were given, not as templates."""

from __future__ import annotations

import shlex
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

MODULE = "onetouch.deploy.release_command"
USAGE = """Which command? Give its words as a list, -e '{"argv": ["ls", "-l"]}', or as one text, -e argv="'ls -l'"."""


class ActionModule(ActionBase):
    """Runs the module with the words in `argv`, given with -e."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module returns."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # Not from task_vars: there '{{' in a word of the command would be a template.
        given = load_extra_vars(self._loader).get("argv")
        words = shlex.split(given) if isinstance(given, str) else given
        if not isinstance(words, list) or not words:
            return {**result, "failed": True, "msg": USAGE}
        arguments = {**self._task.args, "argv": [str(word) for word in words]}
        found: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        return {**result, **found}
