# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work of a user without rights, and a directory that every user may enter. The tests that need it run as root."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

OTHER_USER = 65534


@contextmanager
def open_directory() -> Iterator[Path]:
    """Yield a directory that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def give_away(path: Path, user: int = OTHER_USER) -> None:
    """Change the owner of a path and of all below it."""
    assert os.geteuid() == 0, "this test gives files away: run it as root"
    for found in (path, *path.rglob("*")):
        os.chown(found, user, user, follow_symlinks=False)


def as_other_user(action: Callable[[], str]) -> str:
    """Return what an action returns in a process of a user without rights; its traceback when it raises."""
    assert os.geteuid() == 0, "this test becomes another user: run it as root"
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(OTHER_USER)
        os.setuid(OTHER_USER)
        try:
            answer = action()
        except BaseException:
            answer = traceback.format_exc()
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answered:
        message = answered.read()
    os.waitpid(pid, 0)
    return message
