# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callback plugin: writes what a run does to a file while it goes on, for the Python package onetouch_deploy."""

from __future__ import annotations

DOCUMENTATION = r"""
name: events
type: notification
short_description: Write what a run does to a file while it goes on
version_added: 0.2.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Internal to the Python package C(onetouch_deploy), which makes events and results of its lines.
  - Writes one JSON object per line. C(event) is V(begin), V(play), V(task), V(host), V(progress), V(ended) or
    V(result). V(progress) has what a deploy does on a server, as it comes.
  - What C(no_log) hides stays hidden.
  - A file C(cancel) beside the lines ends the run as Ctrl-C does, and so does the end of the process that started it.
    Then the directory of the lines is removed at the end, because that process cannot do it any more.
options:
  file:
    description: The file that lines are appended to. Without it nothing is written.
    type: path
    env:
      - name: ONETOUCH_DEPLOY_EVENTS
"""

import atexit
import json
import os
import shutil
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.onetouch.deploy.plugins.callback.results import returned
from ansible_collections.onetouch.deploy.plugins.plugin_utils._answers import ANSWERS
from ansible_collections.onetouch.deploy.plugins.plugin_utils._board import Board, board_folder
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.progress import ProgressFile

LOOK_SECONDS = 0.1
DEPLOYS = "onetouch.deploy.rollout"


class CallbackModule(CallbackBase):
    """Appends each event to a file, and reads the progress of deploys meanwhile."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "onetouch.deploy.events"
    CALLBACK_NEEDS_ENABLED = True
    # Ansible ships few types.
    _display: Any

    def __init__(self) -> None:
        super().__init__()
        # Ansible holds it while it forks: no process begins in the middle of a line.
        self._lock = self._display._lock  # noqa: SLF001  it has no public name
        self._caller = os.getppid()
        self._file: Path | None = None
        self._is_full = False
        self._task: Any = None
        self._progress: dict[str, ProgressFile] = {}

    def v2_playbook_on_start(self, _playbook: Any) -> None:  # noqa: ANN401  Ansible's objects have no types here
        """Begin, and look at progress from now on."""
        file = self.get_option("file")  # type: ignore[no-untyped-call]
        if file:
            self._file = Path(file)
            self._write("begin")
            atexit.register(self._remove)
            threading.Thread(target=self._look, name="events", daemon=True).start()

    def v2_playbook_on_play_start(self, play: Any) -> None:  # noqa: ANN401
        """Write the hosts of a play, each with its project and its server."""
        variables = play.get_variable_manager().get_vars(play=play)
        hosts = variables.get("ansible_play_hosts_all") or []
        self._write("play", hosts={host: _names(host, variables["hostvars"][host]) for host in hosts})

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ANN401, ARG002
        """Begin a task."""
        self._begin(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:  # noqa: ANN401
        """Begin a handler."""
        self._begin(task)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:  # noqa: ANN401
        """Begin a task on a host."""
        name = host.get_name()
        if _action(task) == DEPLOYS:
            path = Board.path_in(board_folder(task.get_play()), name, "progress")
            with self._lock:
                self._progress[name] = ProgressFile(path, task._uuid)  # noqa: SLF001  the only name of a task
        self._write("host", host=name, action=_action(task))

    def v2_runner_on_ok(self, result: Any) -> None:  # noqa: ANN401
        """End a task on a host."""
        self._end(result, "ok", is_answer=_action(result.task) in ANSWERS)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ANN401
        """End a task on a host that has failed."""
        self._end(result, "ignored" if ignore_errors else "failed", is_answer=not ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:  # noqa: ANN401
        """End a task on a host that did not answer."""
        self._end(result, "unreachable", is_answer=True)

    def v2_runner_on_skipped(self, result: Any) -> None:  # noqa: ANN401
        """End a task on a host that it was not for: one whose turn in a rollout did not come has an answer."""
        self._end(result, "skipped", is_answer="outcome" in result.result)

    def _begin(self, task: Any) -> None:  # noqa: ANN401
        self._task = task
        with self._lock:
            self._progress.clear()
        self._write("task", name=task.get_name().rpartition(" : ")[2], action=_action(task))

    def _end(self, result: Any, outcome: str, *, is_answer: bool) -> None:  # noqa: ANN401
        """Write the rest of a host's progress, then how its task ended, and what it returned if that is of interest."""
        host, action = result.host.get_name(), _action(result.task)
        with self._lock:
            self._read(host)
            self._progress.pop(host, None)
        changed = bool(result.result.get("changed"))
        name = result.task.get_name().rpartition(" : ")[2]
        self._write("ended", host=host, name=name, action=action, outcome=outcome, changed=changed)
        if is_answer:
            self._write("result", host=host, action=action, outcome=outcome, result=returned(result.result))

    def _look(self) -> None:
        """Look at progress, and whether the run is still wanted, until this process ends."""
        wanted = threading.Event()
        while not wanted.wait(LOOK_SECONDS):
            with self._lock:
                for host in [*self._progress]:
                    self._read(host)
            if self._is_cancelled():
                # To this process, as Ctrl-C: Ansible ends its workers and removes its files.
                os.kill(os.getpid(), signal.SIGINT)
                return

    def _is_cancelled(self) -> bool:
        return os.getppid() != self._caller or (self._file is not None and self._file.with_name("cancel").exists())

    def _remove(self) -> None:
        """Remove what a process that was killed has left: it may have secrets among the variables of the run."""
        if self._file is None or os.getppid() == self._caller:
            return
        directory = self._file.parent
        # No other directory, whatever the variable names.
        if directory.name.startswith("deploy-") and (directory / "env" / "extravars").exists():
            shutil.rmtree(directory, ignore_errors=True)

    def _read(self, host: str) -> None:
        progress = self._progress.get(host)
        for entry in progress.read() if progress else []:
            self._write("progress", host=host, entry=entry)

    def _write(self, event: str, **facts: object) -> None:
        if self._file is None or self._is_full:
            return
        line = json.dumps({"event": event, **facts}, default=str) + "\n"
        try:
            with self._lock, self._file.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError:
            # Nothing may follow a line that was cut. The reader takes what it has no result of for unknown.
            self._is_full = True


def _action(task: Any) -> str:  # noqa: ANN401
    return str(task.resolved_action or task.action)


def _names(host: str, variables: Mapping[str, Any]) -> tuple[str, str]:
    """Return the project and the server of a host. In a static inventory a host may have any name."""
    project, _at, server = host.partition("@")
    return str(variables.get("project_name") or project), server or str(variables.get("ansible_host") or host)
