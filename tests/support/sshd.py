"""What the server of this bench has seen, by its log, and an ssh that everything measured here uses."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.ssh_server import SshServer


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
    """The server, and a directory `bin` whose `ssh` knows the keys."""

    def __init__(self, server: SshServer) -> None:
        self.server = server
        self.bin = server.home / "bin"
        self.bin.mkdir()
        self._wrap_ssh(self.bin / "ssh")

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def counts(self) -> Counts:
        """Count logins and remote executions so far."""
        text = self.server.message
        logins = len(re.findall(r"^Accepted publickey ", text, re.MULTILINE))
        return Counts(logins, len(re.findall(r"^Starting session: (?:command|shell) ", text, re.MULTILINE)))

    def _wrap_ssh(self, wrapper: Path) -> None:
        client = self.server.client(self.server.key)
        wrapper.write_text(f'#!/bin/sh\nexec {client} -o LogLevel=ERROR "$@"\n')
        wrapper.chmod(0o755)
