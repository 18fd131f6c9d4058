# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The options of the modules that ask what is live, and their answer for one project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import facts, options, unit
from .errors import as_failure
from .model import ProjectPaths
from .printable import all_printable
from .system.run import run_command


def argument_spec() -> dict[str, dict[str, Any]]:
    """Return the options of the module `releases_info`."""
    own: dict[str, dict[str, Any]] = {"config": {"type": "dict"}, "fetch": {"type": "bool", "default": False}}
    return {**options.shared_argument_spec(), **own}


def ask(given: dict[str, Any]) -> dict[str, Any]:
    """Return the facts about the project that the arguments name.

    Raises ReleaseError when they cannot be had.
    """
    status_file = Path(given["status_file"]) if given["status_file"] else None
    path = Path(given["path"])
    waiting = unit.waiting_paths(given["name"], path, given["writable_paths"])
    question = facts.Question(given["ref"] or None, status_file, given["config"], waiting, given["fetch"])
    try:
        found = facts.collect_facts(ProjectPaths(path), run_command, question)
    except Exception as reason:
        raise as_failure(reason) from reason
    # Links, the journal and what procmon reports may have been written by any program.
    return {name: all_printable(value) for name, value in found.items()}
