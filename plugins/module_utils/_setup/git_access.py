# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Whether git on a server gets to a repository, by which ssh command, and with which host keys. Changes nothing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .._releases.errors import ReleaseError
from .._releases.git import deploy_key, refs
from .._releases.git.client import ENVIRONMENT, STALL_SECONDS, with_settings
from .._releases.git.errors import explain
from .._releases.system.run import Result, run_command
from . import host_keys
from .host_keys import Address
from .published import published_keys

UNKNOWN_HOST = re.compile(r"Host key verification failed|host key is known")
CHANGED_HOST = re.compile(r"REMOTE HOST IDENTIFICATION HAS CHANGED")
# What git hosts answer to a key that may not read the repository; many do not admit that there is one.
DENIED = re.compile(
    r"Permission denied \(|Too many authentication failures|[Aa]uthentication failed|[Aa]ccess denied|DENIED"
    r"|[Uu]nauthorized"
    r"|(?<!command )not found|could not be found|(?:don't|not) have (?:permission|access)|[Nn]ot allowed"
)
# As a deploy calls ssh: no one answers questions, and what does not answer is given up.
SSH_OPTIONS = "-o BatchMode=yes -o ConnectTimeout=15"


@dataclass(frozen=True)
class Question:
    """What is asked: a project and its repository, and the host keys that the controller has for the git server."""

    project: str
    repo: str
    source: Path
    configured: Sequence[str] = ()
    here: Sequence[str] = ()


@dataclass(frozen=True)
class Keys:
    """The host keys of the git server: what known_hosts calls it, whether it is known, and the lines to add."""

    name: str = ""
    known: bool = False
    add: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def run(argv: Sequence[str]) -> tuple[int, str, str]:
    """Run a program in the language that its messages are recognized in."""
    done = run_command(argv, env={"LC_ALL": "C"})
    return done.rc, done.out, done.err


def git_host(repo: str) -> str:
    """Return the name or the address of the git server; nothing for a path."""
    address = host_keys.parse_address(repo)
    if address:
        return address.host
    try:
        return (urlsplit(repo).hostname or "") if "://" in repo and not repo.startswith("file:") else ""
    except ValueError:
        # Brackets that enclose no address: git itself reports what is wrong.
        return ""


def resolves(host: str) -> bool:
    """Return whether the name of a host has an address here."""
    try:
        return bool(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False


def ask_keys(question: Question, address: Address) -> Keys:
    """Return the host keys that this server knows, and those to add.

    Raises ValueError when ssh refuses the address.
    """
    found = host_keys.destination(run, address)
    files = [*found.own, *found.shared]
    known = host_keys.known_keys(run, found.name, files)
    ours, others = host_keys.configured(question.configured, address, found.name)
    here = [key for _names, key in filter(None, map(host_keys.parse_line, question.here))]
    chosen = host_keys.choose(known, ours, published_keys(found.name), here)
    lines = [key.line(found.name) for key in chosen] + [line for line in others if is_missing(line, files)]
    return Keys(found.name, bool(known), tuple(lines), found.own)


def is_missing(line: str, files: Iterable[str]) -> bool:
    """Return whether no file of known hosts has the key of a line for the first of its names."""
    names, key = host_keys.parse_line(line) or ("", None)
    return key not in host_keys.known_keys(run, names.split(",")[0], files)


def collect(question: Question, *, home: Path, probe: bool) -> dict[str, Any]:
    """Return all that is known of git and the repository; without `probe` the git server is not asked."""
    host, key = git_host(question.repo), deploy_key.key_file(home, question.project)
    facts: dict[str, Any] = {"host": host, "access": "", "ssh_command": None}
    if wrong := setting_error(question):
        return {**facts, "not_allowed": wrong}
    address, keys = host_keys.parse_address(question.repo), Keys()
    if address:
        facts["command"] = address.command()
        try:
            keys = ask_keys(question, address)
        except (ValueError, ReleaseError) as error:
            facts["refused"] = str(error)
        facts.update(name=keys.name, known=keys.known, add=list(keys.add), file=keys.files[0] if keys.files else "")
    if probe and question.repo and "refused" not in facts:
        facts.update(ask_repository(question, keys, key))
    if facts["access"] != "ok":
        facts["resolves"] = not host or can_be_found(host, address)
    return facts


def setting_error(question: Question) -> str:
    """Return what is wrong with a setting itself: an address that could run a command, a line that is no host key."""
    try:
        refs.check_repo(question.repo)
        host_keys.configured(question.configured, Address(""), "")
    except ReleaseError as error:
        return str(error)
    except ValueError as error:
        return f"project_known_hosts: {error}"
    return ""


def can_be_found(host: str, address: Address | None) -> bool:
    """Return whether a host has an address here, or is reached through another one, which then knows it."""
    if address is None:
        return has_proxy() or resolves(host)
    found = ssh_settings(address)
    if "refused" in found:
        return resolves(host)
    return bool({"proxycommand", "proxyjump"} & found.keys()) or resolves(found.get("hostname", host))


def has_proxy() -> bool:
    """Return whether git uses a proxy for http."""
    names = {name.lower() for name, value in os.environ.items() if value}
    if names & {"https_proxy", "http_proxy", "all_proxy"}:
        return True
    return shutil.which("git") is not None and run(["git", "config", "--get-regexp", r"^http\..*proxy$"])[0] == 0


def ssh_settings(address: Address) -> dict[str, str]:
    """Return the settings of ssh for an address; `refused` when it has none."""
    try:
        code, out, err = run(host_keys.config_argv(address))
    except ReleaseError as error:
        return {"refused": str(error)}
    if code:
        return {"refused": err}
    return {word: value for word, _blank, value in (line.partition(" ") for line in out.splitlines())}


def ask_repository(question: Question, keys: Keys, key: Path) -> dict[str, Any]:
    """Ask the git server in each way that a deploy could, until one is answered. The first answer explains a failure.

    The clone's own setting comes first, then what the user has set, then the project's key.
    """
    answers: list[dict[str, Any]] = []
    with host_key_option(keys) as option:
        for command, used in ways(question, key):
            done = list_refs(question.repo, f"{command} {option} {SSH_OPTIONS}")
            if done.rc == 0:
                return {"access": "ok", "ssh_command": command if used else forgotten(question.source, key)}
            answers.append(failure(question, done))
    denied = [answer for answer in answers if answer["access"] == "denied"]
    return (denied or answers)[0]


def ways(question: Question, key: Path) -> list[tuple[str, bool]]:
    """Return the ssh commands to try, each with whether it is the one with the project's key."""
    plain = deploy_key.user_command(run_command)
    own = clone_command(question.source)
    # Where the user's environment names the command, deploys use no other.
    with_key = [] if os.environ.get("GIT_SSH_COMMAND") or not key.is_file() else [deploy_key.ssh_command(plain, key)]
    commands = [own or plain, plain, *with_key]
    return [(command, deploy_key.uses_key(command, key)) for command in dict.fromkeys(commands)]


def forgotten(source: Path, key: Path) -> str | None:
    """Return the empty command where a clone names the project's key, which it does not need any more."""
    return "" if deploy_key.uses_key(clone_command(source), key) else None


def clone_command(source: Path) -> str:
    """Return the ssh command that the clone has set for itself."""
    config = source / ".git/config"
    if os.environ.get("GIT_SSH_COMMAND") or not os.access(config, os.R_OK):
        return ""
    return run_command(["git", "config", "--file", str(config), "--get", "core.sshCommand"]).out.strip()


def list_refs(repo: str, command: str) -> Result:
    """Ask the git server for the repository's HEAD."""
    argv = with_settings("ls-remote", "--quiet", "--", repo, "HEAD", network=True)
    # Not in the directory of who asks: a repository there would have settings of its own.
    return run_command(argv, cwd="/", env={**ENVIRONMENT, "GIT_SSH_COMMAND": command}, silence=STALL_SECONDS)


def failure(question: Question, done: Result) -> dict[str, Any]:
    """Return the kind of a failure, why, and what to do."""
    error = explain(f"read {question.repo}", question.repo, done)
    answer = {"error": str(error.args[0] if error.args else error), "remedy": error.hint}
    if UNKNOWN_HOST.search(done.err) and not CHANGED_HOST.search(done.err):
        return {**answer, "access": "host_key"}
    over_ssh = host_keys.parse_address(question.repo) is not None
    return {**answer, "access": "denied" if over_ssh and DENIED.search(done.err) else "failed"}


@contextmanager
def host_key_option(keys: Keys) -> Iterator[str]:
    """Yield the option by which ssh knows the keys that are to be added, before they are.

    A file of our own comes first: what ssh itself would add goes there, and is removed with it.
    """
    if not keys.add:
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="setup-") as folder:
        fresh = Path(folder, "known_hosts")
        fresh.write_text("".join(f"{line}\n" for line in keys.add), encoding="utf-8")
        files = " ".join(f'"{file}"' for file in (str(fresh), *keys.files))
        yield f"-o {shlex.quote(f'UserKnownHostsFile={files}')}"
