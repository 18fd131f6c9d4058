# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens ssh's shared connection, beside other work. Private to this collection.

`ssh -N` with ControlPersist goes to the background once it has logged in, and runs nothing on the server. When another
process has opened the connection in the meantime it stays in the foreground, and is ended.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from types import TracebackType

POLL_SECONDS = 0.005
# How often to ask whether another process has opened the connection.
CHECK_SECONDS = 0.5
# The user's own ssh settings may keep `ssh -N` in the foreground without a connection to share.
LIMIT_SECONDS = 60.0


def is_shared(ssh_args: str) -> bool:
    """Return whether with these arguments ssh opens a connection that stays for others, and goes to the background."""
    opens = re.search(r"ControlMaster[ =](auto|yes)\b", ssh_args, re.IGNORECASE)
    stays = re.search(r"ControlPersist[ =](?!no\b)\S", ssh_args, re.IGNORECASE)
    nowhere = re.search(r"ControlPath[ =]\W*none\b", ssh_args, re.IGNORECASE)
    return bool(opens and stays and not nowhere)


class SharedConnection:
    """The connection that `ssh`, which returns a command with these words added, opens."""

    def __init__(self, ssh: Callable[..., list[bytes]]) -> None:
        self._ssh = ssh
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with this object
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SharedConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self._errors.close()

    def open(self) -> None:
        """Begin to log in, unless there is a connection already."""
        if not self._is_open():
            # A file and no pipe: ssh keeps it in the background.
            nothing = subprocess.DEVNULL
            self._process = subprocess.Popen(self._ssh("-N"), stdin=nothing, stdout=nothing, stderr=self._errors)

    def wait(self) -> str:
        """Wait for the connection. Return why there is none, empty when there is one or Ansible is to log in itself."""
        start = time.monotonic()
        check = start + CHECK_SECONDS
        while self._process and (code := self._process.poll()) is None:
            if time.monotonic() > check:
                if self._is_open() or time.monotonic() > start + LIMIT_SECONDS:
                    return ""
                check = time.monotonic() + CHECK_SECONDS
            time.sleep(POLL_SECONDS)
        if self._process is None or code == 0:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip() or f"ssh exited with {code}"

    def _is_open(self) -> bool:
        done = subprocess.run(self._ssh("-O", "check"), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode == 0
