# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Whether the laptop still waits for this module's answer."""

from __future__ import annotations

import os
import select

from ..errors import ReleaseError

STDOUT = 1
GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


def require_present() -> None:
    """Raise ReleaseError when no one reads this module's answer any more: Ctrl-C, a lost connection.

    sshd, sudo and Ansible's local connection give the module a pipe or a socket as its output. Its other end is closed
    as soon as the command on the laptop has ended, which a poll shows at once.
    """
    if _is_gone(STDOUT):
        raise ReleaseError("the command on the laptop was interrupted, or its connection was lost, before the switch")


def require_present_for(seconds: float, other: int) -> None:
    """Raise ReleaseError as soon as the reader goes. Return after `seconds`, or when `other` can be read."""
    if _is_gone(STDOUT, seconds, other):
        raise ReleaseError("the command on the laptop was interrupted, or its connection was lost")


def _is_gone(descriptor: int, seconds: float = 0, other: int | None = None) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    poll = select.poll()
    # That the reader has gone is reported whatever is asked for.
    poll.register(descriptor, 0)
    if other is not None:
        poll.register(other, select.POLLIN)
    return any(found == descriptor and events & GONE for found, events in poll.poll(seconds * 1000))
