"""An sshd of the bench's own: its keys, its port, its log, in which logins and remote executions are counted."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

DEADLINE = 10.0
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/laptop.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
MaxStartups 200
MaxSessions 200
LogLevel VERBOSE
"""
# For every ssh of this bench, ours and the others': nothing of whoever runs this.
CLIENT = """\
IdentityFile {folder}/laptop
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
StrictHostKeyChecking yes
LogLevel ERROR
"""


def program(name: str) -> str:
    """Find a program. SystemExit when it is not there."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        raise SystemExit(f"bench-deploy: there is no {name}; install it (Debian: openssh-server, openssh-client, git)")
    return found


@dataclass(frozen=True)
class Counts:
    """What sshd has seen."""

    logins: int
    executions: int

    def since(self, before: Counts) -> Counts:
        """What came after another moment."""
        return Counts(self.logins - before.logins, self.executions - before.executions)


class Sshd:
    """The server: runs as the current user, for the current user."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.log = folder / "sshd.log"

    def __enter__(self) -> Sshd:
        for name in ("host", "laptop"):
            subprocess.run(
                [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True
            )
        kind, key, *_ = (self.folder / "host.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:* {kind} {key}\n")
        (self.folder / "sshd_config").write_text(CONFIG.format(port=self.port, folder=self.folder))
        (self.folder / "ssh_config").write_text(CLIENT.format(folder=self.folder))
        self._wrap_ssh()
        # sshd wants this directory when root starts it.
        Path("/run/sshd").mkdir(exist_ok=True)
        argv = [program("sshd"), "-D", "-f", str(self.folder / "sshd_config"), "-E", str(self.log)]
        self.process = subprocess.Popen(argv)
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    @property
    def bin(self) -> Path:
        """The directory whose `ssh` knows the keys."""
        return self.folder / "bin"

    def counts(self) -> Counts:
        """Count logins and remote executions so far."""
        text = self.log.read_text()
        logins = len(re.findall(r"^Accepted publickey ", text, re.MULTILINE))
        return Counts(logins, len(re.findall(r"^Starting session: (?:command|shell) ", text, re.MULTILINE)))

    def _wrap_ssh(self) -> None:
        self.bin.mkdir()
        wrapper = self.bin / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {program("ssh")} -F {self.folder}/ssh_config "$@"\n')
        wrapper.chmod(0o755)

    def _wait(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while not self.log.exists() or "Server listening" not in self.log.read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"bench-deploy: sshd did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
