# SPDX-License-Identifier: GPL-3.0-or-later
"""Which procmon this is, exactly: two of one version may differ."""

from __future__ import annotations

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
DIGITS = 12


def read_build(package: Path = PACKAGE) -> str:
    """Return a digest of all modules of `package`, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(package)} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:DIGITS]


BUILD = read_build()
"""Read once: the files may be replaced while this process runs on."""
