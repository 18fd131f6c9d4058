"""What is measured: each server with one thing that is done to it under load, and how to start and stop it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).parents[3]
PROCMON_SOURCES = ROOT / "roles/supervisor/files/procmon/src"
APP = "tests.bench.reload.app:app"
WORKERS = 2
DEADLINE_SECONDS = 90.0
HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`. Raises TimeoutError, which names `what` did not come, after `DEADLINE_SECONDS`."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come in {DEADLINE_SECONDS:.0f} s")
        await asyncio.sleep(0.01)


def children(pid: int) -> set[int]:
    """Return the pids of a process's children."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


class Server(ABC):
    """A server of `WORKERS` workers on a port of this machine, and what is done to it."""

    renews: ClassVar[bool] = True
    """The workers that served before `act` accept no more after it."""

    def __init__(self, port: int, loop: str, http: str, folder: Path) -> None:
        self.port, self.loop, self.http, self.folder = port, loop, http, folder
        self.process: subprocess.Popen[bytes] | None = None
        self.descriptors: tuple[int, ...] = ()

    @abstractmethod
    def argv(self) -> list[str]:
        """Return the command line that starts it."""

    @abstractmethod
    async def reload(self) -> None:
        """Reload it and wait until that is done."""

    async def act(self) -> None:
        """Do to it what is measured, and wait until that is done."""
        await self.reload()

    @property
    def pid(self) -> int:
        """The master's pid."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Start it and wait until it accepts connections."""
        log = (self.folder / "log").open("ab")
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{PROCMON_SOURCES}"}
        self.process = subprocess.Popen(
            self.argv(), cwd=ROOT, env=environment, stdout=log, stderr=log, pass_fds=self.descriptors
        )
        log.close()
        await until(self.accepts, "a listening server")

    def accepts(self) -> bool:
        """Return whether the port is listened on; without a connection, which would count as a request."""
        port = f":{self.port:04X} "
        return any(port in line and " 0A " in line for line in Path("/proc/net/tcp").read_text().splitlines())

    async def stop(self) -> None:
        """End it, and wait until it is gone."""
        assert self.process is not None
        self.process.terminate()
        await until(lambda: self.process is not None and self.process.poll() is not None, "the end of the server")


class Procmon(Server):
    """procmon, reloaded by touching its restart file."""

    settings: ClassVar[str] = ""

    def argv(self) -> list[str]:
        config = self.folder / "bench.toml"
        config.write_text(
            f'name = "bench"\napp = "{APP}"\ndirectory = "{ROOT}"\n'
            f'bind = "127.0.0.1:{self.port}"\nworkers = {WORKERS}\n'
            f'python = "{sys.executable}"\nrestart_file = "{self.folder}/restart"\n'
            f'state_dir = "{self.folder}/state"\n'
            f'[uvicorn]\nloop = "{self.loop}"\nhttp = "{self.http}"\n{self.settings}'
        )
        return [sys.executable, "-m", "procmon", "run", str(config)]

    async def reload(self) -> None:
        restart = self.folder / "restart"
        restart.touch()
        stamp = restart.stat().st_mtime_ns
        await until(lambda: self._answered(stamp), "procmon's answer")

    def _answered(self, stamp: int) -> bool:
        answer = self.status()["restart"]
        if (answer["stamp"] or 0) < stamp:
            return False
        if answer["result"] != "ok":
            raise RuntimeError(f"the reload failed: {answer['error']}")
        return True

    def status(self) -> dict[str, Any]:
        """Read what procmon reports about itself."""
        status: dict[str, Any] = json.loads((self.folder / "state/status.json").read_text())
        return status


class Recycled(Procmon):
    """procmon, whose workers are replaced after some requests."""

    renews = False
    settings = "[worker]\nmax_requests = 1000\n"

    async def act(self) -> None:
        before = self._active()
        await until(lambda: not before & self._active(), "the replacement of all workers")

    def _active(self) -> set[int]:
        return {worker["pid"] for worker in self.status()["workers"] if worker["state"] == "active"}


class Upgraded(Procmon):
    """procmon, replaced in place by itself."""

    renews = False

    async def act(self) -> None:
        number = self.status()["upgrade"]["number"]
        os.kill(self.pid, signal.SIGUSR2)
        await until(lambda: bool(self.status()["upgrade"]["number"] > number), "the end of the upgrade")
        upgrade = self.status()["upgrade"]
        if upgrade["result"] != "ok":
            raise RuntimeError(f"the upgrade failed: {upgrade['error']}")


class Restarted(Procmon):
    """procmon, stopped and started again while another process holds its socket, as systemd does."""

    def __init__(self, port: int, loop: str, http: str, folder: Path) -> None:
        super().__init__(port, loop, http, folder)
        self.socket = socket.create_server(("127.0.0.1", port), backlog=2048)
        self.descriptors = (self.socket.fileno(),)

    def argv(self) -> list[str]:
        return [sys.executable, "-c", HAND_OVER, str(self.socket.fileno()), *super().argv()]

    async def start(self) -> None:
        """Start it, and wait until it serves: the socket listens anyway."""
        await super().start()
        await until(self._serves, "the start")

    def _serves(self) -> bool:
        status = self.folder / "state/status.json"
        return status.exists() and (self.status()["pid"], self.status()["state"]) == (self.pid, "serving")

    async def act(self) -> None:
        await super().stop()
        await self.start()

    async def stop(self) -> None:
        await super().stop()
        self.socket.close()


class ByHangup(Server):
    """A server that SIGHUP reloads. `stays` of its children are no workers: they outlive a reload."""

    stays: ClassVar[int] = 0

    async def reload(self) -> None:
        before = children(self.pid)
        os.kill(self.pid, signal.SIGHUP)
        await until(lambda: self._replaced(before), f"the reload of {type(self).__name__}")

    def _replaced(self, before: set[int]) -> bool:
        now = children(self.pid)
        return len(now - before) >= WORKERS and len(now & before) <= self.stays


class Uvicorn(ByHangup):
    """Bare `uvicorn --workers`."""

    # multiprocessing's resource tracker
    stays = 1

    def argv(self) -> list[str]:
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", str(WORKERS)]
        return [
            *[sys.executable, "-m", "uvicorn", APP, *address],
            *["--loop", self.loop, "--http", self.http, "--no-access-log", "--timeout-keep-alive", "75"],
        ]


SERVERS: dict[str, type[Server]] = {"procmon": Procmon, "uvicorn": Uvicorn}
ACTIONS: dict[str, type[Server]] = {
    "reload": Procmon,
    "recycle": Recycled,
    "upgrade": Upgraded,
    "restart": Restarted,
}
"""What can be done to procmon."""
