# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What setup has written into the project's part of procmon's unit, as far as a deploy depends on it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

UNITS = Path("/etc/systemd/system")
WRITABLE = re.compile(r'^ReadWritePaths="(.*)"$', re.MULTILINE)


def waiting_paths(name: str, tree: Path, wanted: Iterable[str] | None) -> list[str]:
    """Return in which paths the unit differs from what the app is to write to, beside its own tree.

    Nothing where it is not known what is wanted, and where setup has written no unit.
    """
    try:
        text = (UNITS / f"procmon@{name}.service.d/project.conf").read_text(encoding="utf-8")
    except OSError:
        return []
    if wanted is None:
        return []
    asked, in_unit = {*map(plain, wanted)}, {*map(plain, writable_paths(text))}
    return sorted((asked ^ in_unit) - {plain(str(tree))})


def plain(path: str) -> str:
    """Return a path in the one way that it is compared: without needless slashes."""
    return "/" + posixpath.normpath(path).lstrip("/")


def writable_paths(text: str) -> set[str]:
    """Return the paths that a part of a unit, as setup writes it, opens for writing."""
    return {re.sub(r"\\(.)", r"\1", path.replace("%%", "%")) for path in WRITABLE.findall(text)}
