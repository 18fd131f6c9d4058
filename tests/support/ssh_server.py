# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real sshd on this machine, with keys of its own, for the user who runs the tests."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import until

# sshd wants to be called by its full path.
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or "/usr/sbin/sshd"
KEYGEN = shutil.which("ssh-keygen") or "ssh-keygen"
SSH = shutil.which("ssh") or "ssh"
# Where sshd keeps nothing; it does not start without.
EMPTY = Path("/run/sshd")
# To ssh, each address is another server.
CONFIG = """ListenAddress 127.0.0.1:{port}
ListenAddress 127.0.0.2:{port}
HostKey {home}/host
AuthorizedKeysFile {home}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 200
MaxSessions 200
LogLevel VERBOSE
SetEnv HOME={home}/account PATH={home}/account/bin:{path}
"""


@dataclass(frozen=True)
class SshServer:
    """The server, and what a client needs to log in."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def key(self) -> Path:
        return self.home / "key"

    @property
    def message(self) -> str:
        """What it has written to its log."""
        return (self.home / "log").read_text(encoding="utf-8")

    def address(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def know(self, host_key: Path) -> None:
        """Write what the client takes for the server's key, whichever port leads to the server."""
        kind, key, *_ = host_key.read_text(encoding="utf-8").split()
        (self.home / "known").write_text(f"[127.0.0.1]:*,[127.0.0.2]:* {kind} {key}\n", encoding="utf-8")

    def client(self, key: Path) -> str:
        """The ssh command of a client that has `key`."""
        own = f"-F none -i {key} -o IdentitiesOnly=yes -o IdentityAgent=none"
        return f"{SSH} {own} -o UserKnownHostsFile={self.home}/known -o StrictHostKeyChecking=yes"

    def wait(self) -> None:
        """Wait until it listens; fail with its reason when it does not."""
        until(lambda: "Server listening" in self.message or self.process.poll() is not None, "sshd listens")
        assert self.process.poll() is None, self.message

    def hang_up(self) -> None:
        """Cut every session, as a network that fails does."""
        sessions = [pid for child in children(self.process.pid) for pid in (*children(child), child)]
        for session in filter(is_sshd, sessions):
            os.kill(session, signal.SIGKILL)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def is_sshd(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").startswith("sshd")


def make_key(path: Path) -> Path:
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@contextmanager
def ssh_server(home: Path) -> Iterator[SshServer]:
    """Run a server until the end of the block."""
    home.mkdir()
    EMPTY.mkdir(exist_ok=True)
    # A shell reads what the user has at home, which may take longer than the login.
    (home / "account").mkdir()
    make_key(home / "host")
    make_key(home / "key")
    port = free_port()
    (home / "config").write_text(CONFIG.format(port=port, home=home, path=os.environ["PATH"]), encoding="utf-8")
    (home / "log").touch()
    with subprocess.Popen([SSHD, "-D", "-f", str(home / "config"), "-E", str(home / "log")]) as process:
        server = SshServer(home, port, process)
        server.know(home / "host.pub")
        try:
            server.wait()
            yield server
        finally:
            process.terminate()
