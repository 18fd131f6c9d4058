# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of this package, and the exit codes of the command."""

from __future__ import annotations

import sys

FAILED = 1
WRONG_USAGE = 2
# As of other programs: what was printed is not all.
OUTPUT_FAILED = 1
# These are Ansible's own codes.
UNREACHABLE = 4
INVALID = 4
UNKNOWN = 5
OF_A_SIGNAL = 128
INTERRUPTED = 130


class CommandError(Exception):
    """Raised when a command cannot be carried out: what failed, what was found, what to do."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class RefusedError(CommandError):
    """Raised when a run is refused before a server is asked: its arguments or the configuration are wrong."""

    def __init__(self, message: str, code: int = WRONG_USAGE) -> None:
        super().__init__(message, code)


class ArgumentError(RefusedError):
    """Raised when a function is called with values that it does not take."""


class NotConfiguredError(RefusedError):
    """Raised when there is no projects.yml or deploy.conf."""


class InvalidConfigurationError(RefusedError):
    """Raised when projects.yml or deploy.conf is not valid, with every problem in it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, INVALID)


class UnknownProjectError(RefusedError):
    """Raised when the configuration has no such project, or the project no such server."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNKNOWN)


def not_installed(missing: ModuleNotFoundError) -> str:
    """Return what to do about a package that is not there, such as in a source tree."""
    return (
        f"The Python module {missing.name} is not installed for {sys.executable}. Install onetouch-deploy with all of "
        "its parts: pip install PATH, where PATH is the source tree or the wheel."
    )
