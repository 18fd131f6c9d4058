# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook as this process, run with `python -m`: a signal ends it with one code, while it starts as well.

Ansible's own program shows a traceback when Ctrl-C comes while it is being imported, and ends with 99 later. SIGTERM
ends it where it stands, with its temporary files, and SIGHUP leaves the processes that it has started. Here both are
Ctrl-C with another exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from . import output
from .asking import Question
from .errors import INTERRUPTED, OF_A_SIGNAL, OUTPUT_FAILED

if TYPE_CHECKING:
    from ansible.executor.task_queue_manager import TaskQueueManager

NOTHING_DONE = "Interrupted before anything was done."
# For the end of what a process of a task sends at once.
LOCK_SECONDS = 5.0
# Of ansible-playbook.
ANSIBLES_OWN = 99
# The variable with the file that gets what Ansible reports as errors: one text in JSON per line.
ERRORS = "ONETOUCH_DEPLOY_ERRORS"


class Stop:
    """Handles SIGTERM and SIGHUP as Ctrl-C, and keeps which it was."""

    def __init__(self) -> None:
        self.number = 0
        self.question = Question()

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Interrupt this process, once."""
        if self._is_first(number):
            os.kill(os.getpid(), signal.SIGINT)

    def _is_first(self, number: int) -> bool:
        """Return whether no such signal came before."""
        is_first, self.number = not self.number, self.number or number
        return is_first

    def install(self) -> None:
        """Handle both, unless this process was started to ignore one, as by nohup."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    def replace_ansibles(self) -> None:
        """Do the same where Ansible has a handler of its own for SIGTERM, which ends this process at once."""
        from ansible.executor.task_queue_manager import TaskQueueManager  # noqa: PLC0415  the slow part

        # It has no public name, and another version of Ansible may have none at all.
        ansibles = getattr(TaskQueueManager, "_signal_handler", None)
        if ansibles is None:
            return

        @wraps(ansibles)
        def handle(manager: TaskQueueManager, number: int, frame: FrameType | None) -> None:
            if number != signal.SIGINT and not self._is_first(number):
                return
            if self.number and self.question.is_open:
                _kill_workers(manager)
                self.question.interrupt()
            ansibles(manager, signal.SIGINT, frame)

        setattr(TaskQueueManager, ansibles.__name__, handle)
        self.question.notice()


def _kill_workers(manager: TaskQueueManager) -> None:
    """End the process that has asked, at a moment at which it does not hold the lock of the queue to this one.

    Ansible waits for that lock when it ends.
    """
    lock = vars(manager._final_q)["_wlock"]  # noqa: SLF001  Ansible has no public way
    is_held = lock.acquire(timeout=LOCK_SECONDS)
    for worker in filter(None, manager._workers):  # noqa: SLF001  as above
        worker.kill()
        worker.join()
    if is_held:
        lock.release()


def main() -> NoReturn:
    """Run ansible-playbook with the arguments of this process, and end with its exit code."""
    sys.argv[0] = "ansible-playbook"
    # A terminal is never full.
    printed = None if os.isatty(output.STDOUT) else output.watch(goes_on=True)
    stop = Stop()
    stop.install()
    code: int | str | None = None
    try:
        code = _play(stop)
        sys.stdout.flush()
    except OSError:
        # Of the errors that Ansible prints, on a terminal that has gone.
        if not stop.number:
            raise
    stop.question.restore()
    if isinstance(code, str):
        _keep_error(os.environ.get(ERRORS), code)
    if printed and printed.failure:
        output.report(str(printed.failure))
        code = code or OUTPUT_FAILED
    sys.exit(OF_A_SIGNAL + stop.number if stop.number else code)


def _play(stop: Stop) -> int | str | None:
    """Run ansible-playbook, and return its exit code."""
    try:
        from ansible.cli.playbook import main as ansible_playbook  # noqa: PLC0415  the slow part

        stop.replace_ansibles()
        _keep_errors(os.environ.get(ERRORS))
        ansible_playbook()  # type: ignore[no-untyped-call]  # Ansible ships few types
    except KeyboardInterrupt:
        # Once it has been imported, Ansible handles Ctrl-C itself.
        print(NOTHING_DONE, file=sys.stderr)
        return INTERRUPTED
    except SystemExit as end:
        return INTERRUPTED if end.code == ANSIBLES_OWN else end.code
    return 0


def _keep_errors(file: str | None) -> None:
    """Write what Ansible reports as errors to a file as well: as it is printed, it is wrapped."""
    if not file:
        return
    from ansible.utils.display import Display  # noqa: PLC0415  as above

    display, own = Display(), os.getpid()
    ansibles = display.error

    @wraps(ansibles)
    def error(message: str | BaseException, *args: Any, **options: Any) -> None:  # noqa: ANN401  those of Ansible
        # A process of a task passes its errors on to this one.
        if os.getpid() == own:
            _keep_error(file, str(message))
        ansibles(message, *args, **options)

    setattr(display, ansibles.__name__, error)


def _keep_error(file: str | None, message: str) -> None:
    if file:
        with Path(file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    main()
