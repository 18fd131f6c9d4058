# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What a Python interpreter is: its path, version and platform."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..errors import ReleaseError
from ..system.run import Run

# What a virtual environment is made from is the base interpreter, also when asked from within another environment.
QUESTION = """
import json, os, sys, sysconfig
json.dump({
    "path": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "version": "%d.%d" % sys.version_info[:2],
    "tag": "%s %s" % (sys.implementation.cache_tag, sysconfig.get_config_var("SOABI")),
    "platform": sysconfig.get_platform(),
}, sys.stdout)
"""


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


def ask_interpreter(python: str, run: Run) -> Interpreter:
    """Ask `python`, a path or a name on the PATH, what it is. Raises ReleaseError when it does not answer."""
    result = run([python, "-I", "-S", "-c", QUESTION])
    if result.rc != 0:
        hint = "set `python` to a working interpreter, Python 3.9 or newer"
        raise ReleaseError(f"{python} ended with {result.rc} when asked for its version", hint, result.err)
    return Interpreter(**json.loads(result.out))
