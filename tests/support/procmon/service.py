"""A real procmon with real workers on a real port, in a directory of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import procmon

from tests.support.ports import free_port
from tests.support.procmon.in_flight import InFlightRequest
from tests.support.waiting import until

APP = Path(__file__).parent / "apps" / "site.py"
SOURCE = Path(procmon.__file__).parents[1]
BEGINS = "\nHERE = Path(__file__).parent\n"
"""The line of the app at which the import of a release can be made to wait."""
WAITS = """
import time
from pathlib import Path
HERE = Path(__file__).parent
(HERE / "begun").touch()
while not (HERE / "go").exists():
    time.sleep(0.01)
"""
SECOND_WAITS = """
import time
from pathlib import Path
HERE = Path(__file__).parent
try:
    (HERE / "begun").touch(exist_ok=False)
except FileExistsError:
    while not (HERE / "go").exists():
        time.sleep(0.01)
"""


def toml(value: object) -> str:
    """Write a value; JSON's texts, numbers and lists are TOML as well."""
    return json.dumps(value)


class Service:
    """One procmon; `settings` are its configuration, sections as dicts."""

    def __init__(self, root: Path, **settings: object) -> None:
        self.root = root
        self.port = free_port()
        self.config = root / "blog.toml"
        self.restart_file = root / "restart"
        self.restart_file.touch()
        self.current = root / "current"
        base: dict[str, object] = {"name": "blog", "app": "site_app:app", "directory": str(self.current), "workers": 2}
        base |= {"restart_file": str(self.restart_file), "state_dir": str(root / "state")}
        self.settings: dict[str, object] = {**base, "bind": f"127.0.0.1:{self.port}", **settings}
        self.write_config(self.settings)
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        self.command = [sys.executable, "-m", "procmon"]
        self.wrapper: list[str] = []
        """What procmon is started by, for a world with other limits."""

    def configure(self, **changes: object) -> None:
        """Change some settings of the file that procmon reads."""
        self.settings |= changes
        self.write_config(self.settings)

    def write_config(self, settings: dict[str, object]) -> None:
        """Write the file that procmon reads."""
        lines = [f"{key} = {toml(value)}" for key, value in settings.items() if not isinstance(value, dict)]
        for name, section in settings.items():
            if isinstance(section, dict):
                lines += [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in section.items())]
        self.config.write_text("\n".join(lines))

    # -- releases -----------------------------------------------------------------------------------------------------

    def release(self, version: str, *, code: str | None = None) -> Path:
        """Make a release; `code` stands in for the whole app."""
        path = self.root / "releases" / version
        path.mkdir(parents=True)
        shutil.copy(APP, path / "site_app.py")
        (path / "VERSION").write_text(version)
        if code is not None:
            (path / "site_app.py").write_text(code)
        return path

    def switch(self, version: str) -> None:
        """Point `current` to a release, by one rename."""
        new = self.root / "current.new"
        new.symlink_to(self.root / "releases" / version)
        new.rename(self.current)

    def deploy(self, version: str, *, code: str | None = None) -> dict[str, Any]:
        """Make a release, switch, touch; return the answer."""
        self.release(version, code=code)
        self.switch(version)
        return self.touch()

    def begin(self, version: str, waiting: str = WAITS) -> Path:
        """Startup a reload whose imports wait for the file `go` in the release; return the release once one imports."""
        release = self.release(version)
        app = release / "site_app.py"
        app.write_text(app.read_text().replace(BEGINS, waiting))
        self.switch(version)
        self.restart_file.touch()
        until((release / "begun").exists, "the first worker imports")
        return release

    def touch(self) -> dict[str, Any]:
        """Touch the restart file and wait for the answer to that touch."""
        self.restart_file.touch()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for the answer to the last touch."""
        stamp = self.restart_file.stat().st_mtime_ns
        until(lambda: self.status()["restart"]["stamp"] == stamp, "the touch is answered")
        restart: dict[str, Any] = self.status()["restart"]
        return restart

    # -- procmon ------------------------------------------------------------------------------------------------------

    def start(self, state: str = "serving") -> Service:
        """Start procmon and wait for a state."""
        self.start_blind()
        self.wait_state(state)
        return self

    def start_blind(self) -> Service:
        """Start procmon, which may not be able to tell its state."""
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *self.command, "run", str(self.config)],
                stderr=log,
                env=self.environment,
            )
        return self

    def wait_state(self, state: str) -> None:
        """Wait until procmon says that it is in `state`."""

        def there() -> bool:
            found = self.status()
            # A procmon that was killed has left its last status behind.
            return found.get("state") == state and self.process is not None and found["pid"] == self.process.pid

        with contextlib.suppress(AssertionError):
            until(there, state)
        assert there(), self.log()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of procmon on this configuration."""
        argv = [*self.command, arguments[0], str(self.config), *arguments[1:]]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def signal(self, number: int) -> None:
        """Send a signal to procmon."""
        assert self.process
        self.process.send_signal(number)

    def wait_exit(self, seconds: float = 60) -> int:
        """Wait for procmon's end, at most so long, and return its exit status."""
        assert self.process
        return self.process.wait(timeout=seconds)

    def close(self) -> None:
        """End procmon and whatever it has started, whatever state it is in."""
        if self.process:
            with contextlib.suppress(AssertionError):
                until(self._ends, "procmon has ended", 20)
            self.process.kill()
            self.process.wait()

    def _ends(self) -> bool:
        """Ask it to stop, and again: two signals that come at once are one, and the second means at once."""
        self.signal(signal.SIGTERM)
        return self.process is not None and self.process.poll() is not None

    def log(self) -> str:
        """Return what procmon has written."""
        return (self.root / "log").read_text()

    def status(self) -> dict[str, Any]:
        """Read status.json; empty before there is one."""
        try:
            found: dict[str, Any] = json.loads((self.root / "state" / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def pids(self, state: str = "active") -> list[int]:
        """Return the workers in one state."""
        return [worker["pid"] for worker in self.status()["workers"] if worker["state"] == state]

    # -- users --------------------------------------------------------------------------------------------------------

    def open(self, path: str) -> http.client.HTTPConnection:
        """Send a request and leave its answer for later."""
        connection = self.connection()
        connection.request("GET", path)
        return connection

    def connection(self) -> http.client.HTTPConnection:
        """Return a client of the service, not yet connected."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    @contextlib.contextmanager
    def hold(self, barrier: Path) -> Iterator[InFlightRequest]:
        """Send a request that waits in the app for as long as the test needs."""
        with contextlib.closing(self.open(f"/hold?{barrier}")) as connection:
            yield InFlightRequest(connection, barrier)

    def get(self, path: str = "/") -> list[str]:
        """Return the answer's words: version, pid, colour, directory, first of sys.path."""
        connection = self.open(path)
        with contextlib.closing(connection):
            return connection.getresponse().read().decode().split(" ")

    def wait_version(self, version: str) -> None:
        """Wait until `version` answers: an old worker accepts until it has read that it shall not."""
        until(lambda: self.version() == version, f"{version} answers")

    def version(self) -> str:
        """Ask which version answers; none before a process listens."""
        try:
            return self.get("/version")[0]
        except ConnectionRefusedError:
            return ""


def alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


Start = Callable[..., Service]
