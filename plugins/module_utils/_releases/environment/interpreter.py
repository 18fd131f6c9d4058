# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The Python that environments are made of: asked once per run what it is."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..errors import ReleaseError
from ..system.run import Run
from .python_version import is_allowed

# What a virtual environment is made from is the base interpreter, also when asked from within another environment.
QUESTION = """
import json, os, sys, sysconfig
json.dump({
    "path": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "version": "%d.%d" % sys.version_info[:2],
    "tag": "%s %s" % (sys.implementation.cache_tag, sysconfig.get_config_var("SOABI")),
    "platform": sysconfig.get_platform(),
    "full_version": "%d.%d.%d" % sys.version_info[:3],
}, sys.stdout)
"""
REMEDY = "set `python` to a working interpreter, Python 3.9 or newer"


@dataclass(frozen=True)
class Interpreter:
    """A Python on this server. `path` is real and absolute; `tag` names its byte code and its binary interface.

    `version` has two places: a security update of the system's Python leaves its environments usable, and a revert
    after it must not need the network.
    """

    path: str
    version: str
    tag: str
    platform: str
    full_version: str = ""

    @property
    def identity(self) -> list[str]:
        """What an environment depends on."""
        return [self.path, self.version, self.tag, self.platform]

    @property
    def reads_quotes_in_netrc(self) -> bool:
        """Whether its module netrc takes quoted and empty words."""
        return tuple(map(int, self.version.split("."))) >= (3, 11)


def ask_interpreter(python: str, run: Run) -> Interpreter:
    """Return what `python`, a path or a name on the PATH, is. Raises ReleaseError when it does not answer."""
    result = run([python, "-I", "-S", "-c", QUESTION])
    if result.rc != 0:
        raise ReleaseError(f"{python} ended with {result.rc} when asked for its version", REMEDY, result.err)
    try:
        return Interpreter(**json.loads(result.out))
    except (ValueError, TypeError) as error:
        found = f"{python} did not answer like a Python when asked for its version"
        raise ReleaseError(found, REMEDY, result.out) from error


def check_version(interpreter: Interpreter, specifier: str) -> None:
    """Raise ReleaseError when `requires-python` of a release does not allow the interpreter."""
    try:
        allowed = is_allowed(interpreter.full_version, specifier)
    except ValueError as error:
        found = f"requires-python in pyproject.toml cannot be read: {error}"
        raise ReleaseError(found, 'write it like ">=3.11" and commit it') from error
    if not allowed:
        found = f"this release requires Python {specifier}, and {interpreter.path} is Python {interpreter.full_version}"
        remedy = "set `python` to an interpreter that is allowed, or change requires-python in pyproject.toml"
        raise ReleaseError(found, remedy)
