# SPDX-License-Identifier: GPL-3.0-or-later
"""The program `procmon`."""

from __future__ import annotations

import sys

# httpx imports its own command line where it finds click, which uvicorn needs and procmon does not: 1.6 MiB per master.
sys.modules["click"] = None  # type: ignore[assignment]  # Python's own way to say that there is none

from .cli import main  # noqa: E402 - what it imports must find the above

if __name__ == "__main__":
    sys.exit(main())
