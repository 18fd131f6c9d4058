# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that starts a worker: it makes the release importable and loads this package by its path.

The package gets the name `procmon_worker`; no directory of procmon is added to `sys.path`. This file alone must also
parse on interpreters older than the worker supports, so that the error can name them.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import socket
import sys

OLDEST = (3, 10)


def put_release_first() -> None:
    """Replace this script's directory in `sys.path` by the current directory."""
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH100, PTH120 - one import less
        del sys.path[0]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - one import less


def load_package() -> None:
    """Load the package of this file as `procmon_worker`."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - one import less
    path = os.path.join(here, "__init__.py")  # noqa: PTH118 - one import less
    spec = importlib.util.spec_from_file_location("procmon_worker", path, submodule_search_locations=[here])
    if spec is None or spec.loader is None:
        raise ImportError("procmon's worker cannot be loaded from " + path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["procmon_worker"] = module
    spec.loader.exec_module(module)


def refuse_old_python(channel_fd: int) -> None:
    """Report to the master that this interpreter is too old, and exit with 1."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    needed = ".".join(str(part) for part in OLDEST)
    error = f"{sys.executable} is Python {found}; procmon's workers need {needed} or newer"
    with socket.socket(fileno=channel_fd) as channel:
        channel.send(json.dumps({"type": "failed", "stage": "import", "error": error}).encode())
    sys.exit(1)


def boot(channel_fd: int) -> None:
    """Run the worker whose channel to the master is `channel_fd`."""
    if sys.version_info < OLDEST:
        refuse_old_python(channel_fd)
    put_release_first()
    load_package()
    importlib.import_module("procmon_worker.main").main(channel_fd)


if __name__ == "__main__":
    boot(int(sys.argv[1]))
