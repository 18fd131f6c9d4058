# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of this package, and the exit codes of the command."""

from __future__ import annotations

FAILED = 1
WRONG_USAGE = 2
SERVER_FAILED = 2
UNREACHABLE = 4
INTERRUPTED = 130


class CommandError(Exception):
    """Raised when a command cannot be carried out: what failed, what was found, what to do."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class RefusedError(CommandError):
    """Raised when a run is refused before a server is asked: its arguments or the configuration are wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, WRONG_USAGE)


class ArgumentError(RefusedError):
    """Raised when a function is called with values that it does not take."""


class NotConfiguredError(RefusedError):
    """Raised when there is no projects.yml or deploy.conf."""


class UnknownProjectError(RefusedError):
    """Raised when the configuration has no such project, or the project no such server."""
