# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a deploy.conf of this machine and returns it as projects.yml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.onetouch.deploy.plugins.plugin_utils._convert_conf import ProjectsError, convert

OPTIONS = {"path": {"type": "path", "required": True}, "directory": {"type": "path", "required": True}}


class ActionModule(ActionBase):
    """Converts the file."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the text and the names of the projects, or all that is wrong with the file."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(OPTIONS)[1]  # type: ignore[no-untyped-call]  # Ansible ships few types
        try:
            text = Path(arguments["path"]).read_text(encoding="utf-8")
            content, projects = convert(text, arguments["path"], arguments["directory"])
        except OSError as error:
            return {**result, "failed": True, "msg": f"{arguments['path']} cannot be read: {error.strerror}."}
        except (ProjectsError, UnicodeDecodeError) as error:
            return {**result, "failed": True, "msg": str(error)}
        return {**result, "changed": False, "content": content, "projects": projects}
