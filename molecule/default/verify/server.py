"""The servers, as root on their console sees them."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Server:
    """One server: a container that boots systemd."""

    container: str

    def run(self, *argv: str) -> str:
        """The output of a command as root; a failure raises CalledProcessError."""
        done = subprocess.run(["podman", "exec", self.container, *argv], check=True, capture_output=True, text=True)
        return done.stdout.strip()

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

    def reboot(self) -> None:
        """Stop everything and boot again."""
        subprocess.run(["podman", "restart", "--time", "10", self.container], check=True, capture_output=True)

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
