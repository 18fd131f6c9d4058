# SPDX-License-Identifier: GPL-3.0-or-later
"""The program `procmon`."""

from __future__ import annotations

import sys

# OpenSSL, which hashlib takes where it finds it and does without where not, would cost each master 0.5 MiB for nothing:
# procmon speaks no TLS, and the digests of Python itself do. Workers are other interpreters, and have it.
sys.modules["_hashlib"] = None  # type: ignore[assignment]  # Python's own way to say that there is none

from .cli import main  # noqa: E402 - what it imports must find the above

if __name__ == "__main__":
    sys.exit(main())
