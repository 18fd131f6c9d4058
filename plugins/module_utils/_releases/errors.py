# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Failures that a person can act on: what failed, what was found, what to do."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from .printable import printable


class ReleaseError(Exception):
    """Raised when the module cannot do what it was asked for.

    `msg` is what failed and what was found, `hint` what to do, `detail` the tail of a program's output (several lines),
    `now` a sentence on what is live after it. All are printable: names of files need not be text.
    """

    def __init__(self, msg: str, hint: str = "", detail: str = "", now: str = "") -> None:
        self.msg, self.hint, self.detail, self.now = map(printable, (msg, hint, detail, now))
        super().__init__(self.msg)

    @property
    def reason(self) -> str:
        """What failed, and what to do."""
        return f"{self.msg}. {self.hint[0].upper()}{self.hint[1:]}" if self.hint else self.msg

    def __str__(self) -> str:
        return f"{self.reason}. {self.now}" if self.now else self.reason


REMEDIES = {
    errno.ENOSPC: "free some space or inodes on that disk, then run it again",
    errno.EDQUOT: "free some of the user's quota, then run it again",
    errno.EROFS: "mount it writable, then run it again",
    errno.EACCES: "let the deploy user own the project's directory (chown -R), or deploy as its owner",
    errno.EPERM: "let the deploy user own the project's directory (chown -R), or deploy as its owner",
}


def as_failure(reason: Exception) -> ReleaseError:
    """Return any error as a ReleaseError: the operating system's with its remedy, an unforeseen one with its origin."""
    if isinstance(reason, ReleaseError):
        return reason
    if isinstance(reason, OSError):
        where = f"{reason.filename}: " if reason.filename else ""
        return ReleaseError(f"{where}{reason.strerror or reason}", REMEDIES.get(reason.errno or 0, ""))
    origin = "".join(traceback.format_exception(type(reason), reason, reason.__traceback__))
    frames = traceback.extract_tb(reason.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    found = f"unexpected {type(reason).__name__}: {reason}{place}"
    return ReleaseError(found, "report this as a bug, with these lines", origin)
