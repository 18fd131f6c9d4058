# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a control repository on this machine: one action, because each of Ansible's own takes a second of CPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _control_repository
from ansible_collections.onetouch.deploy.plugins.plugin_utils._convert_conf import convert
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.errors import ProjectsError
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.chosen import is_chosen

OPTIONS = {
    "directory": {"type": "path", "required": True},
    "templates": {"type": "path", "required": True},
    "deploy_conf": {"type": "path", "default": ""},
}
FIRST_PROJECT = "blog"


class ActionModule(ActionBase):
    """Asks no server."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what comes next, or why nothing was written."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(OPTIONS)[1]  # type: ignore[no-untyped-call]  # Ansible ships few types
        directory, conf = Path(os.path.realpath(arguments["directory"])), arguments["deploy_conf"]
        try:
            refused = _control_repository.occupied_error(directory, _names(directory))
            projects, first = _converted(conf, directory) if conf else (None, FIRST_PROJECT)
            files = _control_repository.files(Path(arguments["templates"]), projects)
            if not refused and not self._task.check_mode:
                _write(directory, files)
        except OSError as error:
            place = error.filename or directory
            refused = f"{place} cannot be used: {error.strerror}. Correct the path, or its permissions."
        except (ProjectsError, UnicodeDecodeError) as error:
            refused = str(error)
        if refused:
            return {**result, "failed": True, "msg": refused}
        lines = _control_repository.next_steps(directory, conf, first, check=self._task.check_mode)
        if not is_chosen():
            Display().display("\n".join(["", *lines]))
        return {**result, "changed": True, "lines": lines}


def _names(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir()] if directory.exists() else []


def _converted(conf: str, directory: Path) -> tuple[str, str]:
    """Return the text of projects.yml, and the first of its projects."""
    file = os.path.realpath(conf)
    text, projects = convert(Path(file).read_text(encoding="utf-8"), file, str(directory / "inventory"))
    return text, projects[0]


def _write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
