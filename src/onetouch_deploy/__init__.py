# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `deploy`, and functions for Python: both drive the playbooks of the collection onetouch.deploy.

    cli        words -> Plan (click); no file is read
    plan       what was asked for: a playbook with its variables, or a view. Pure
    commands   Plan -> exit code
    files      which projects.yml or deploy.conf is meant, and what it says
    known      which projects and servers it has
    playbook   ansible-playbook in place of this process: ansible_process
    warmup     ssh's shared connection, opened while Ansible starts
    collect    ansible-playbook beside this process, with what its tasks returned
    results    what they returned, as data. Pure
    show       the commands that print something of their own
    views      results and sections -> lines and tables
    settings   what `config` shows. Pure
    remote     the ssh commands of `exec`, `console` and `logs`
    console    the program that runs a command in the release, or becomes a shell there
    streams    the output of several ssh commands together
    foreground one command with the terminal to itself
    stopping   signals, and programs that end with this one
    output     what this command writes itself, where that can be written

    api        the functions: deploy(), revert(), and so on
    checking   the types of what they are called with. Pure
    runs       a run that is under way
    engine     ansible-playbook by ansible-runner
    following  what the callback plugin `events` writes -> events and results. Pure
    events     what happens, as it happens. Pure
    outcome    how a run has ended. Pure

No part of it decides what a deploy does.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import deploy, restart, revert, run, setup, start, status
    from .errors import ArgumentError, CommandError, NotConfiguredError, RefusedError, UnknownProjectError
    from .events import (
        CommitsFound,
        Event,
        HookOutput,
        HostEnded,
        HostEvent,
        Output,
        PhaseEnded,
        PhaseStarted,
        TaskEnded,
    )
    from .outcome import Commit, Failure, HostResult, Outcome, Phase, RunFailedError
    from .runs import Run

__all__ = [
    "ArgumentError",
    "CommandError",
    "Commit",
    "CommitsFound",
    "Event",
    "Failure",
    "HookOutput",
    "HostEnded",
    "HostEvent",
    "HostResult",
    "NotConfiguredError",
    "Outcome",
    "Output",
    "Phase",
    "PhaseEnded",
    "PhaseStarted",
    "RefusedError",
    "Run",
    "RunFailedError",
    "TaskEnded",
    "UnknownProjectError",
    "deploy",
    "restart",
    "revert",
    "run",
    "setup",
    "start",
    "status",
]
MODULES = ("errors", "events", "outcome", "runs", "api")


def __getattr__(name: str) -> object:
    """Return what is imported from here only when it is used: the command starts sooner without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for one in MODULES:
        found = vars(_import(f"{__name__}.{one}"))
        if name in found:
            return found[name]
    raise AttributeError(name)


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        from .errors import not_installed  # noqa: PLC0415  as above

        raise ImportError(not_installed(missing)) from missing
