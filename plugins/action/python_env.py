# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of the module python_env: it has the source of a program, and sends it where it is needed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _source

MODULE = "onetouch.deploy.python_env"


class ActionModule(ActionBase):
    """Ask the server first; pack and send the source where it does not have this build."""

    # Only where the source is sent: with True, each run would make a directory on the server first.
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module returns."""
        super().run(tmp, task_vars)
        source = self._task.args.get("source")
        if not source:
            return self._on_server(task_vars)
        source_hash = _source.digest(Path(source))
        found = self._on_server(task_vars, source_hash=source_hash)
        if self._task.check_mode or not found.get("changed") or found.get("failed"):
            return found
        return self._on_server(task_vars, source_hash=source_hash, archive=self._send(Path(source)))

    def _send(self, source: Path) -> str:
        """Pack the source, and return where it is on the server. What runs there next removes it."""
        folder = self._make_tmp_path()
        remote: str = self._connection._shell.join_path(folder, f"{source.name}.tar.gz")  # noqa: SLF001 - as Ansible's own
        with tempfile.TemporaryDirectory() as here:
            archive = _source.pack(source, Path(here))
            self._transfer_file(str(archive), remote)  # type: ignore[no-untyped-call]  # as above
        self._fixup_perms2((folder, remote))  # type: ignore[no-untyped-call]  # as above
        return remote

    def _on_server(self, task_vars: dict[str, Any] | None, **more: object) -> dict[str, Any]:
        """Run the module there."""
        arguments = {**self._task.args, **more}
        found: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        return found
