"""gunicorn with its own ASGI worker. It is no dependency of the project: the run fetches it for itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from tests.bench.reload.servers import APP, WORKERS, ByHangup


def fetch(directory: Path) -> None:
    """Install gunicorn into `directory`."""
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*argv, "--target", str(directory), "gunicorn"], check=True, capture_output=True, text=True)


class Gunicorn(ByHangup):
    """gunicorn with as many workers as the others."""

    packages: ClassVar[str]

    def argv(self) -> list[str]:
        code = f"import sys; sys.path.append({self.packages!r}); from gunicorn.app.wsgiapp import run; run()"
        options = ["--workers", str(WORKERS), "--worker-class", "asgi", "--keep-alive", "75", "--log-level", "error"]
        return [sys.executable, "-c", code, "--bind", f"127.0.0.1:{self.port}", *options, APP]
