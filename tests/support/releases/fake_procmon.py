# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something that answers like procmon: it writes status.json when the restart file is touched.

A release with a file BROKEN does not start, one that has HANGS never answers, and one that has DEADLY kills it.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

from ansible_collections.onetouch.deploy.plugins.module_utils._releases import restart_file

SLEEP = shutil.which("sleep") or "sleep"
TRACEBACK = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'flask'"


class FakeProcmon:
    """Serves `current`; its pid is that of a real process with the lock in its hands, so that it can die."""

    def __init__(self, current: Path, status_file: Path) -> None:
        self.current = current
        self.status_file = status_file
        self.restart_file = current / "public/system/restart"
        self.reloads: list[str] = []
        # What a reload takes, and the reload_limit of the configuration that comes with the next release.
        self.reload_seconds = 0.0
        self.next_limit: float | None = None
        self.message: dict[str, Any] = {"state": "waiting", "release": None, "commit": None, "restart": None}
        with self.status_file.with_name("lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._process = subprocess.Popen([SLEEP, "600"], pass_fds=(lock.fileno(),))
        self._stopped = threading.Event()
        self._seen = restart_file.mtime_ns(self.restart_file)
        self._thread = threading.Thread(target=self._loop)

    def start(self) -> None:
        self.write()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self.die()

    def die(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def serves(self) -> str | None:
        release: str | None = self.message["release"]
        return release

    def _loop(self) -> None:
        while not self._stopped.wait(0.005):
            stamp = restart_file.mtime_ns(self.restart_file)
            if stamp is not None and stamp != self._seen:
                self._seen = stamp
                self._reload(stamp)

    def _reload(self, stamp: int) -> None:
        release = self.current.resolve()
        self.reloads.append(release.name)
        if self.next_limit is not None:
            self.message["reload_limit"] = self.next_limit
            self.write()
        self._stopped.wait(self.reload_seconds)
        if (release / "DEADLY").exists():
            self.die()
        elif (release / "BROKEN").exists():
            self._answer(stamp, "failed", TRACEBACK)
        elif not (release / "HANGS").exists():
            self.message.update(state="serving", release=str(release))
            self._answer(stamp, "ok", "")

    def _answer(self, stamp: int, result: str, error: str) -> None:
        self.message["restart"] = {"stamp": stamp, "result": result, "error": error, "seconds": 0.1}
        self.write()

    def write(self) -> None:
        fresh = self.status_file.with_suffix(".new")
        fresh.write_text(json.dumps({"pid": self._process.pid, "workers": [], **self.message}), encoding="utf-8")
        fresh.replace(self.status_file)
