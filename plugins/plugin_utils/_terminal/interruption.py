# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ctrl-C says: how what is under way will end. Pure. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence

from .deploy import NAMES, Deploy
from .text import clean

NOTHING = "Interrupted before anything was done."
UNCHANGED = "Interrupted{where} before the switch: nothing changes. `{status}` shows what is live."
FINISHES = (
    "Interrupted{where} after the switch: the server completes the deploy, or restores what was live. "
    "`{status}` shows which."
)
UNKNOWN = (
    "Interrupted. Before the switch nothing changes; after it the server completes the deploy, or restores what was "
    "live. `{status}` shows which."
)
RESTARTS = "Interrupted: the server completes the restart that it has begun. `{status}` shows what serves."
QUESTION = "Interrupted: nothing was changed."
ENDED = "Interrupted: the command is ended on the server."
HALF_DONE = "Interrupted in '{task}', which may be half done."
AGAIN = " Run `{command}` again: it goes on from there."
# Playbooks that change nothing, and those that go on where they were interrupted.
QUESTIONS, REPEATABLE = frozenset({"status", "doctor", "history"}), frozenset({"setup", "remove"})


def deploy_text(deploys: Sequence[Deploy], status: str) -> str:
    """Return how the deploys under way will end; `status` is the command that shows it.

    Until a server has reported something, and where some have switched and others have not, both ends are named.
    """
    switched = {deploy.has_switched for deploy in deploys}
    if len(switched) != 1 or not all(deploy.has_started for deploy in deploys):
        return UNKNOWN.format(status=status)
    phases = {NAMES.get(deploy.phase, deploy.phase) for deploy in deploys}
    where = f" in {clean(phases.pop())}," if len(phases) == 1 and "" not in phases else ""
    return (FINISHES if switched == {True} else UNCHANGED).format(where=where, status=status)


def task_text(command: str, task: str, typed: str) -> str:
    """Return how a task of the playbook `command` will end that is no deploy; `typed` is what runs it again."""
    if command in QUESTIONS:
        return QUESTION
    if command == "exec":
        return ENDED
    again = AGAIN.format(command=typed) if command in REPEATABLE else ""
    return HALF_DONE.format(task=clean(task)) + again
