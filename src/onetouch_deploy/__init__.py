# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `deploy`, and `run` for Python: both drive the playbooks of the collection onetouch.deploy.

cli          words -> Plan (click); no file is read
plan         what was asked for: a playbook with its variables, or a view of what a playbook collects. Pure
files        which projects.yml or deploy.conf is meant, and what it says
playbook     ansible-playbook: in this process's place, or beside it with its results collected
results      what the collected results say. Pure
views        results -> what is printed
remote       the ssh commands of `console` and `logs`
warmup       ssh's shared connection, opened while Ansible starts
commands     Plan -> exit code: the one place that knows all of the above
api          run(): the same playbooks over ansible-runner
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import Outcome, run

__all__ = ["Outcome", "run"]


def __getattr__(name: str) -> object:
    """Return what is imported from here only when it is used: the command starts sooner without."""
    if name not in __all__:
        raise AttributeError(name)
    from . import api  # noqa: PLC0415

    return getattr(api, name)
