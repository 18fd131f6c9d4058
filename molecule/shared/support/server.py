"""The servers, as root on their console sees them."""

from __future__ import annotations

import http.client
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Server:
    """One server: a container that boots systemd."""

    container: str

    def run(self, *argv: str) -> str:
        """The output of a command as root; a failure raises CalledProcessError."""
        done = subprocess.run(["podman", "exec", self.container, *argv], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        argv = ["podman", "exec", "--interactive", self.container, "tee", path]
        subprocess.run(argv, input=text, check=True, capture_output=True, text=True)

    def get(self, port: int) -> str:
        """What the service on a local port answers, asked on the server itself."""
        script = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/', timeout=5).read().decode())"
        return self.run("python3", "-c", script)

    def get_within(self, seconds: float, port: int) -> str:
        """The same as soon as anything answers; TimeoutError when nothing has after so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                return self.get(port)
            except subprocess.CalledProcessError:
                time.sleep(0.2)
        raise TimeoutError(f"nothing answered on port {port} for {seconds} s")

    def published(self, port: int) -> tuple[str, int]:
        """Return the address and the port of this machine that lead to a port of the server."""
        argv = ["podman", "port", self.container, str(port)]
        address, _, number = (
            subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip().rpartition(":")
        )
        return address, int(number)

    def get_from_outside(self, port: int, path: str = "/", host: str = "www.example.com") -> str:
        """Return what a published port answers, asked from this machine."""
        address, number = self.published(port)
        connection = http.client.HTTPConnection(address, number, timeout=10)
        connection.request("GET", path, headers={"Connection": "close", "Host": host})
        return connection.getresponse().read().decode()

    def reboot(self) -> None:
        """Shut the server down by systemd, and boot it again."""
        subprocess.run(["podman", "exec", self.container, "systemctl", "poweroff"], check=False, capture_output=True)
        self._podman("wait", self.container)
        self._podman("start", self.container)

    def lose_power(self) -> None:
        """End everything at once, and boot again."""
        self._podman("kill", "--signal=KILL", self.container)
        self._podman("wait", self.container)
        self._podman("start", self.container)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Pause the server: to the others it has vanished."""
        self._podman("pause", self.container)
        try:
            yield
        finally:
            self._podman("unpause", self.container)

    def _podman(self, command: str, *options: str) -> None:
        subprocess.run(["podman", command, *options], check=True, capture_output=True)

    def sshd(self) -> SshLog:
        """Start to count logins and sessions: what sshd writes from now on."""
        return SshLog(self, self._sshd_journal("--lines=0"))

    def sshd_since(self, cursor: str) -> str:
        """What sshd wrote after a cursor."""
        return self._sshd_journal(f"--after-cursor={cursor}")

    def _sshd_journal(self, *options: str) -> str:
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-t", "sshd", "-t", "sshd-session", "--show-cursor", "--output=cat", *options)


@dataclass(frozen=True)
class SshLog:
    """Logins and remote executions of the user `deploy` since a moment, counted by sshd itself."""

    server: Server
    start: str

    def executions(self) -> int:
        """Sessions of all users together."""
        cursor = self.start.rpartition("-- cursor: ")[2]
        return len(re.findall(r"^Starting session: ", self.server.sshd_since(cursor), re.MULTILINE))

    def count(self) -> tuple[int, int]:
        """Logins and sessions (each session is one remote execution)."""
        cursor = self.start.rpartition("-- cursor: ")[2]
        lines = self.server.sshd_since(cursor)
        logins = re.findall(r"^Accepted publickey for deploy ", lines, re.MULTILINE)
        sessions = re.findall(r"^Starting session: \S+ .*for deploy ", lines, re.MULTILINE)
        return len(logins), len(sessions)
