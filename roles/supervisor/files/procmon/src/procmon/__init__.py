# SPDX-License-Identifier: GPL-3.0-or-later
"""Supervisor of uvicorn workers that replaces them without losing a request."""

import sys
from pathlib import Path

__version__ = "0.2.0"


def _read_build() -> str:
    """Return what tells this installation from others of the same version: the file `build` beside its environment."""
    try:
        return (Path(sys.prefix).parent / "build").read_text(encoding="utf-8").strip() or __version__
    except (OSError, ValueError):
        return __version__


BUILD = _read_build()
"""Written by the role that installs procmon. Read once: the file may be replaced while this process runs on."""
