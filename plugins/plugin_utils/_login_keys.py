# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which public keys the controller logs in with: the configured one, an agent's, or ssh's own files.

Private to this collection.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.onetouch.deploy.plugins.module_utils._setup.login_keys import PublicKey, parse


@dataclass(frozen=True)
class Login:
    """How Ansible's connection calls ssh. Empty texts are left to ssh's own configuration."""

    program: str
    arguments: str
    host: str
    port: str
    user: str
    key_file: str

    def config_argv(self) -> list[str]:
        """Ask ssh for the configuration of this login. It connects to nothing."""
        port = ["-p", self.port] if self.port else []
        user = ["-l", self.user] if self.user else []
        return [self.program, *shlex.split(self.arguments), "-G", *port, *user, "--", self.host]


def offered(login: Login) -> list[PublicKey]:
    """Return the keys that a login can use. A configured key is the only one: later logins use it as well."""
    if login.key_file:
        return public_half(Path(login.key_file).expanduser())
    settings = [line.partition(" ")[::2] for line in output(login.config_argv()).splitlines()]
    return [*agent_keys(values("identityagent", settings)), *file_keys(values("identityfile", settings))]


def values(name: str, settings: Iterable[Sequence[str]]) -> list[str]:
    """Return all values that `ssh -G` prints for a setting."""
    return [value for word, value in settings if word == name]


def agent_keys(named: Sequence[str]) -> list[PublicKey]:
    """Return the keys of the agent that ssh uses: the one that its configuration names, or the session's."""
    socket = named[0] if named else "SSH_AUTH_SOCK"
    if socket == "none":
        return []
    known = socket == "SSH_AUTH_SOCK"
    return parse(output(["ssh-add", "-L"], {} if known else {"SSH_AUTH_SOCK": str(Path(socket).expanduser())}))


def file_keys(files: Iterable[str]) -> list[PublicKey]:
    """Return the public halves of those of ssh's key files that exist."""
    return [key for file in files for key in public_half(Path(file).expanduser())]


def public_half(file: Path) -> list[PublicKey]:
    """Return the public half of a key file; the file beside it has that of a key with a passphrase."""
    if not file.exists():
        return []
    derived = parse(output(["ssh-keygen", "-y", "-P", "", "-f", str(file)]))
    beside = file if file.suffix == ".pub" else file.with_name(f"{file.name}.pub")
    return derived or (parse(beside.read_text(encoding="utf-8", errors="replace")) if beside.is_file() else [])


def output(argv: Sequence[str], variables: Mapping[str, str] | None = None) -> str:
    """Return what a program of the controller prints; nothing when it fails, or is not installed."""
    environment = {**os.environ, **(variables or {})}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", env=environment, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
