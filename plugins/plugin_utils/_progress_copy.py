# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a server's progress file to this machine while a module runs there. Private to this collection.

Over the connection that is open already, and only when the module takes long: a short deploy costs nothing more. It
never fails a deploy: what it does not get is in the module's result.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

# Deploys that take longer are followed.
DELAY_SECONDS = 1.0
# How long to wait for the last lines.
END_SECONDS = 0.5
# `tail` follows a file that is replaced. It ends with its standard input, which ends with this process.
FOLLOW = 'tail -n +1 -F "$1" 2>/dev/null & cat >/dev/null; kill $!'
# Without the open connection ssh is to fail: it must not log in another time.
NO_LOGIN = (b"-o", b"ControlMaster=no", b"-o", b"ProxyCommand=false", b"-o", b"RequestTTY=no", b"-T")


@contextmanager
def linked(remote: Path, local: Path) -> Iterator[None]:
    """Link `local` to a file on this machine."""
    with suppress(FileExistsError):
        local.symlink_to(remote)
    yield


@contextmanager
def followed(ssh: Sequence[bytes], remote: str, local: Path, spare_session: Callable[[], int | None]) -> Iterator[None]:
    """Copy what a file on a server has to `local`, as long as this lasts.

    `ssh` is the command that logs in, `spare_session` holds one of the server's sessions, if there is one.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(ended, ssh, remote, local, spare_session), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(2 * END_SECONDS)


def follow_command(ssh: Sequence[bytes], remote: str) -> list[bytes]:
    """Return the command that follows a file on a server."""
    program, *options = ssh
    return [program, *NO_LOGIN, *options, f"exec /bin/sh -c {shlex.quote(FOLLOW)} sh {shlex.quote(remote)}".encode()]


def _follow(
    ended: threading.Event,
    ssh: Sequence[bytes],
    remote: str,
    local: Path,
    spare_session: Callable[[], int | None],
) -> None:
    session = None
    while session is None:
        if ended.wait(DELAY_SECONDS):
            return
        session = spare_session()
    try:
        with local.open("ab") as file:
            _copy(ended, follow_command(ssh, remote), file.fileno())
    finally:
        os.close(session)


def _copy(ended: threading.Event, command: Sequence[bytes], output: int) -> None:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.DEVNULL) as process:
        try:
            ended.wait()
            process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
