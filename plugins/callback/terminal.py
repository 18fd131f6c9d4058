# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callback plugin: shows deploys as people read them. What it shows is decided in plugin_utils/_terminal."""

from __future__ import annotations

DOCUMENTATION = """
name: terminal
type: stdout
short_description: Show deploys as people read them
version_added: 0.1.0
author:
  - The onetouch.deploy contributors (@onetouch)
description:
  - Shows what a deploy does in one line per phase as it ends, with the output of hooks as it comes, and how it ended
    in the last line. Several servers have a row each.
  - On a terminal what is under way has a line of its own that is drawn over. In a pipe, and with C(TERM=dumb), there
    are plain lines only.
  - Of other playbooks each task that changes something has a line.
  - With C(-v) the output is that of P(ansible.builtin.default#callback).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout_callback in the section defaults of ansible.cfg
options:
  live:
    description: Draw what is under way, on a terminal.
    type: bool
    default: true
    env:
      - name: ONETOUCH_DEPLOY_LIVE
    ini:
      - key: live
        section: callback_terminal
  hook_output:
    description: Show what hooks write. The end of what a failing hook wrote is shown in any case.
    type: bool
    default: true
    env:
      - name: ONETOUCH_DEPLOY_HOOK_OUTPUT
    ini:
      - key: hook_output
        section: callback_terminal
notes:
  - Colours follow Ansible's own settings, and the variable E(NO_COLOR).
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, cast

from ansible import constants, context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.onetouch.deploy.plugins.plugin_utils._board import Board, board_folder
from ansible_collections.onetouch.deploy.plugins.plugin_utils._login_failure import read_login
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.look import PLAIN_COLUMNS, Look
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.screen import Screen
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.session import Kind, Session, Task
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.text import clean_lines

Hook = TypeVar("Hook", bound=Callable[..., None])
TICK_SECONDS = 0.1
MIN_COLUMNS = 40
# The exit code after Ctrl-C, as a shell has it.
INTERRUPTED = 130
# Of /proc/<pid>/stat, counted from the third: when the process began.
START_FIELD = 19
COLLECTION = "onetouch.deploy."
KINDS = {
    "rollout": Kind.DEPLOY,
    "restart": Kind.DEPLOY,
    "project_status": Kind.QUESTION,
    "summary": Kind.SUMMARY,
    "setup_report": Kind.REPORT,
    "doctor_report": Kind.REPORT,
    "control_repository": Kind.SUMMARY,
}


def unless_verbose(method: Hook) -> Hook:
    """Leave a hook to Ansible's own callback with -v. Others draw at the same time, and Ansible forks in between."""

    @wraps(method)
    def hook(self: CallbackModule, *args: object, **options: object) -> None:
        if self._display.verbosity:
            getattr(Default, method.__name__)(self, *args, **options)
            return
        with self.lock:
            method(self, *args, **options)

    return cast("Hook", hook)


class CallbackModule(Default):
    """Passes what Ansible reports to a `Session`, and draws while tasks run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "onetouch.deploy.terminal"
    session: Session
    # Ansible ships few types.
    _display: Any

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Ansible holds it while it forks: no process begins in the middle of a line.
        self.lock = self._display._lock  # noqa: SLF001  it has no public name
        self._terminal = Terminal()
        self._ended = threading.Event()
        self._pid = os.getpid()

    @unless_verbose
    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ANN401  Ansible's objects have no types here
        """Begin to draw."""
        look = self._terminal.look(live=self._is_on("live"))
        look.output = self._is_on("hook_output")
        check = bool(context.CLIARGS.get("check"))
        screen = Screen(self._terminal.write, look)
        command = Path(playbook._file_name).stem  # noqa: SLF001  it has no public name
        self.session = Session(screen, time.monotonic, command=command, check=check, age=_age())
        if look.live:
            self._display.display = self._above(self._display.display)
        atexit.register(self._exit)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, partial(self._interrupt, signal.getsignal(number)))
        threading.Thread(target=self._draw, name="terminal", daemon=True).start()

    @unless_verbose
    def v2_playbook_on_play_start(self, play: Any) -> None:  # noqa: ANN401
        """Begin a play on its hosts."""
        self._play = play
        variables = play.get_variable_manager().get_vars(play=play)
        # With `serial` each batch is shown as a play.
        hosts = variables.get("ansible_play_batch") or []
        found = {host: variables["hostvars"][host] for host in hosts}
        logins = {host: login for host, values in found.items() if (login := read_login(values, host))}
        self.session.begin_play({host: _names(host, values) for host, values in found.items()}, logins)

    @unless_verbose
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ANN401, ARG002
        """Begin a task."""
        self._begin_task(task)

    @unless_verbose
    def v2_playbook_on_handler_task_start(self, task: Any) -> None:  # noqa: ANN401
        """Begin a handler."""
        self._begin_task(task)

    @unless_verbose
    def v2_runner_on_start(self, host: Any, task: Any) -> None:  # noqa: ANN401, ARG002
        """Begin a task on a host."""
        self.session.begin_host(host.get_name())

    @unless_verbose
    def v2_runner_on_ok(self, result: Any) -> None:  # noqa: ANN401
        """End a task on a host."""
        self._end_host(result)

    @unless_verbose
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ANN401
        """End a task on a host that has failed."""
        self._end_host(result, failed=not ignore_errors)

    @unless_verbose
    def v2_runner_on_unreachable(self, result: Any) -> None:  # noqa: ANN401
        """End a task on a host that did not answer."""
        self.session.end_host(result.host.get_name(), result.result, unreachable=True)

    @unless_verbose
    def v2_runner_on_skipped(self, result: Any) -> None:  # noqa: ANN401
        """End a task on a host that it was not for."""
        if "outcome" in result.result:
            self._end_host(result)
        else:
            self.session.active.pop(result.host.get_name(), None)
            self.session.draw()

    @unless_verbose
    def v2_on_file_diff(self, result: Any) -> None:  # noqa: ANN401
        """Show what changes in files."""
        kind = self.session.task.kind
        for each in result.result.get("results") or [result.result]:
            if kind is Kind.OTHER and each.get("diff") and each.get("changed"):
                text = self._get_diff(each["diff"])  # type: ignore[no-untyped-call]
                self.session.print([f"    {line}" for line in _diff_lines(text)])

    @unless_verbose
    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Report that a play has no hosts."""
        self.session.print(["No host matches: nothing was done."])

    @unless_verbose
    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Print nothing: each host that failed has its lines."""

    @unless_verbose
    def v2_playbook_on_include(self, included_file: Any) -> None:  # noqa: ANN401
        """Print nothing."""

    @unless_verbose
    def v2_runner_item_on_ok(self, result: Any) -> None:  # noqa: ANN401
        """Print nothing: the task has a line."""

    @unless_verbose
    def v2_runner_item_on_failed(self, result: Any) -> None:  # noqa: ANN401
        """Print nothing: the task has a line."""

    @unless_verbose
    def v2_runner_item_on_skipped(self, result: Any) -> None:  # noqa: ANN401
        """Print nothing."""

    @unless_verbose
    def v2_runner_retry(self, result: Any) -> None:  # noqa: ANN401
        """Print nothing: the task is under way."""

    @unless_verbose
    def v2_runner_on_async_poll(self, result: Any) -> None:  # noqa: ANN401
        """Print nothing: the task is under way."""

    @unless_verbose
    def v2_runner_on_async_ok(self, result: Any) -> None:  # noqa: ANN401
        """Print nothing: the task has a line."""

    @unless_verbose
    def v2_runner_on_async_failed(self, result: Any) -> None:  # noqa: ANN401
        """Print nothing: the task has a line."""

    @unless_verbose
    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ANN401, ARG002
        """End what is shown."""
        self.session.active.clear()
        self.session.finish()

    def _is_on(self, option: str) -> bool:
        return bool(self.get_option(option))  # type: ignore[no-untyped-call]

    def _begin_task(self, task: Any) -> None:  # noqa: ANN401
        kind = KINDS.get(task.action.removeprefix(COLLECTION), Kind.OTHER)
        if kind in {Kind.SUMMARY, Kind.REPORT} and task.args.get("verdict"):
            kind = Kind.VERDICT
        folder = board_folder(task.get_play())
        self.session.begin_task(
            Task(
                name=task.get_name().rpartition(" : ")[2],
                kind=kind,
                run=task._uuid,  # noqa: SLF001  the only name of a task
                is_last=task.args.get("step") != "prepare",
                progress=(lambda host: Board.path_in(folder, host, "progress")) if kind is Kind.DEPLOY else None,
            )
        )

    def _end_host(self, result: Any, *, failed: bool = False) -> None:  # noqa: ANN401
        found = {**result.result, "failed": failed}
        if not context.CLIARGS.get("diff"):
            found.pop("diff", None)
        self.session.end_host(result.host.get_name(), found)

    def _draw(self) -> None:
        """Draw until the end, in a thread of its own."""
        while not self._ended.wait(TICK_SECONDS):
            with self.lock:
                self._terminal.measure(self.session.look)
                self.session.tick()

    def _above(self, display: Callable[..., None]) -> Callable[..., None]:
        """Return Ansible's function that displays a message, which then stands above the live lines."""

        @wraps(display)
        def above(*args: Any, **options: Any) -> None:  # noqa: ANN401
            # A worker passes the message on to this process.
            if os.getpid() != self._pid:
                display(*args, **options)
                return
            with self.lock:
                self.session.screen.clear()
                display(*args, **options)
                sys.stdout.flush()

        return above

    def _interrupt(self, ansibles: Any, number: int, frame: FrameType | None) -> None:  # noqa: ANN401
        """Print at once how it will end, then leave the signal to Ansible, which ends its workers.

        Before that, because Ansible leaves a second Ctrl-C to the system: that ends this process where it stands.
        """
        if os.getpid() == self._pid:
            with self.lock:
                self._ended.set()
                self.session.interrupt()
        try:
            ansibles(number, frame)
        except KeyboardInterrupt:
            # Ansible would report it another time.
            raise SystemExit(INTERRUPTED) from None

    def _exit(self) -> None:
        """End with Ansible, however it ends."""
        self._ended.set()
        with self.lock:
            self.session.screen.clear()


class Terminal:
    """Standard output: a terminal or not, and its size."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._is_open = True

    def look(self, *, live: bool) -> Look:
        """Return how lines are to look on it."""
        forced, refused = constants.ANSIBLE_FORCE_COLOR, constants.ANSIBLE_NOCOLOR or os.environ.get("NO_COLOR")  # type: ignore[attr-defined]
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        look = Look(live=live and self._is_terminal, color=bool(forced or (self._is_terminal and not refused)))
        look.unicode = encoding == "utf8"
        self.measure(look)
        return look

    def measure(self, look: Look) -> None:
        """Set the size that the terminal has now."""
        if self._is_terminal:
            size = os.get_terminal_size(sys.stdout.fileno())
            look.columns, look.rows = max(size.columns or PLAIN_COLUMNS, MIN_COLUMNS), max(size.lines or 24, 4)

    def write(self, text: str) -> None:
        """Write a text. When the reader has gone, as `| head` does, the run goes on without one."""
        if not self._is_open:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            self._is_open = False
            with Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), sys.stdout.fileno())


def _age() -> float:
    """Return for how many seconds this process has run: people count from the command. 0 where that is not known."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[START_FIELD]) / os.sysconf("SC_CLK_TCK")


def _names(host: str, variables: Mapping[str, Any]) -> tuple[str, str]:
    """Return the project and the server of a host; no project for a host that has none."""
    project, at, server = host.partition("@")
    name = variables.get("project_name")
    return (str(name) if name else project if at else "", server if at else host)


def _diff_lines(text: str) -> list[str]:
    return [line for line in clean_lines(text) if line]
