# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's first steps, as a script: make the release importable and load this package by its path.

The package gets the name `procmon_worker` without its directory, or any other of procmon's, entering `sys.path`.
This file alone must be readable by interpreters older than the worker supports, so that they can be named.
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
    """Put the current directory where the interpreter has put this script's."""
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH100, PTH120 - one import less
        del sys.path[0]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - one import less


def load_package() -> None:
    """Load the package that this file is part of as `procmon_worker`."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - one import less
    path = os.path.join(here, "__init__.py")  # noqa: PTH118 - one import less
    spec = importlib.util.spec_from_file_location("procmon_worker", path, submodule_search_locations=[here])
    if spec is None or spec.loader is None:
        raise ImportError("procmon's worker cannot be loaded from " + path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["procmon_worker"] = module
    spec.loader.exec_module(module)


def refuse_old_python(control_fd: int) -> None:
    """Tell the master that this interpreter is too old, and exit with 1."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    needed = ".".join(str(part) for part in OLDEST)
    error = f"{sys.executable} is Python {found}; procmon's workers need {needed} or newer"
    with socket.socket(fileno=control_fd) as control:
        control.send(json.dumps({"type": "failed", "stage": "import", "error": error}).encode())
    sys.exit(1)


def boot(control_fd: int) -> None:
    """Become the worker that listens to the master on `control_fd`."""
    if sys.version_info < OLDEST:
        refuse_old_python(control_fd)
    put_release_first()
    load_package()
    importlib.import_module("procmon_worker.main").main(control_fd)


if __name__ == "__main__":
    boot(int(sys.argv[1]))
