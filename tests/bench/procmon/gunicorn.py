"""gunicorn with its own ASGI worker. It is no dependency of the project: the run fetches it for itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from tests.bench.reload.servers import APP, WORKERS, Server, children, until


def fetch(directory: Path) -> None:
    """Install gunicorn into `directory`."""
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*argv, "--target", str(directory), "gunicorn"], check=True, capture_output=True, text=True)


class Gunicorn(Server):
    """gunicorn, reloaded by SIGHUP."""

    packages: ClassVar[str]

    def argv(self) -> list[str]:
        code = f"import sys; sys.path.append({self.packages!r}); from gunicorn.app.wsgiapp import run; run()"
        options = ["--workers", str(WORKERS), "--worker-class", "asgi", "--keep-alive", "75", "--log-level", "error"]
        return [sys.executable, "-c", code, "--bind", f"127.0.0.1:{self.port}", *options, APP]

    async def reload(self) -> None:
        before = children(self.pid)
        os.kill(self.pid, signal.SIGHUP)
        await until(lambda: self._replaced(before), "gunicorn's reload")

    def _replaced(self, before: set[int]) -> bool:
        now = children(self.pid)
        return len(now - before) >= WORKERS and not now & before
