# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Host keys of git servers: what ssh makes of an address, and the keys that known_hosts files have for it.

ssh itself is asked wherever it can answer (`ssh -G`, `ssh-keygen -F`): it knows aliases, ports, hashed names, patterns
and which files count.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

# ssh://[user@]host[:port]/path, and the two older names of the same
URL = re.compile(
    r"(?:git\+)?ssh(?:\+git)?://(?:(?P<user>[^@/]+)@)?(?P<host>\[[^\]/]+\]|[^:/\[\]]+)(?::(?P<port>\d+))?/"
)
# [user@]host:path; a slash before the first colon makes it a path, two behind it a URL
SHORT = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[^\]/]+\]|[^:/\[\]]+):(?!//)")
SHORT_PORT = re.compile(r"(?P<host>[^:]+):(?P<port>\d+)")
SSH_PORT = "22"
MARKERS = ("@cert-authority", "@revoked")

Run = Callable[[Sequence[str]], "tuple[int, str, str]"]
"""Runs a command; returns its exit code and what it wrote to standard output and standard error."""


@dataclass(frozen=True)
class Address:
    """The part of a repository's address that ssh gets. The port is empty where the address names none."""

    host: str
    port: str = ""
    user: str = ""

    def words(self) -> list[str]:
        """Return it as arguments of ssh."""
        port = ["-p", self.port] if self.port else []
        return [*port, *(["-l", self.user] if self.user else []), "--", self.host]

    def command(self) -> str:
        """Return the command by which a person connects to it, and is asked whether the key is right."""
        port = f"-p {self.port} " if self.port not in ("", SSH_PORT) else ""
        return f"ssh {port}-T {self.user or 'git'}@{self.host}"


@dataclass(frozen=True)
class Destination:
    """Where an address leads by the configuration of ssh on one machine.

    `name` is what known_hosts calls it; `own` are the user's files of known hosts, `shared` those of the machine.
    """

    name: str
    own: tuple[str, ...]
    shared: tuple[str, ...]


@dataclass(frozen=True)
class HostKey:
    """One line of known_hosts without its names. `marker` is empty for a plain key."""

    kind: str
    key: str
    marker: str = ""

    def line(self, name: str) -> str:
        """Return the line that gives this key to `name`."""
        return " ".join(word for word in (self.marker, name, self.kind, self.key) if word)


def parse_address(repo: str) -> Address | None:
    """Return what git hands to ssh for `repo`; None for a path and for what does not use ssh."""
    found = URL.match(repo) or (None if "://" in repo.partition("/")[0] else SHORT.match(repo))
    if found is None:
        return None
    port = found.groupdict().get("port") or ""
    host = found["host"].strip("[]")
    inside = SHORT_PORT.fullmatch(host) if found["host"].startswith("[") else None
    if inside:
        host, port = inside["host"], inside["port"]
    return Address(host, port, found["user"] or "")


def config_argv(address: Address) -> list[str]:
    """Ask ssh for its configuration for an address. It connects to nothing."""
    return ["ssh", "-G", *address.words()]


def parse_config(text: str, home: str) -> Destination:
    """Read what `config_argv` prints."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        word, _blank, value = line.partition(" ")
        found.setdefault(word, value)
    host, port = found["hostname"], found["port"]
    plain = host if port == SSH_PORT else f"[{host}]:{port}"
    own, shared = (_files(found.get(f"{which}knownhostsfile", ""), home) for which in ("user", "global"))
    return Destination(found.get("hostkeyalias") or plain, own, shared)


def _files(text: str, home: str) -> tuple[str, ...]:
    paths = (f"{home}/{path[2:]}" if path.startswith("~/") else path for path in text.split())
    return tuple(path for path in paths if path != "none")


def lookup_argv(name: str, file: str) -> list[str]:
    """Ask for the lines of one file that are for `name`, hashed ones and patterns too."""
    return ["ssh-keygen", "-F", name, "-f", file]


def parse_lookup(text: str) -> list[HostKey]:
    """Read what `lookup_argv` prints: lines of known_hosts, each below a comment that says where it was found."""
    found = (parse_line(line) for line in text.splitlines())
    return [key for _names, key in filter(None, found)]


def parse_line(line: str) -> tuple[str, HostKey] | None:
    """Split a line of known_hosts into its names and its key; None for a comment and for what is no such line."""
    words = line.split()
    marker = words.pop(0) if words and words[0] in MARKERS else ""
    if len(words) < 3 or words[0].startswith("#"):  # noqa: PLR2004 - names, kind, key
        return None
    return words[0], HostKey(words[1], words[2], marker)


def destination(run: Run, address: Address) -> Destination:
    """Ask the ssh of this machine where an address leads. Raises ValueError with its reason when it refuses."""
    code, out, err = run(config_argv(address))
    if code:
        raise ValueError(err.strip() or f"ssh ended with {code}")
    return parse_config(out, os.path.expanduser("~"))  # noqa: PTH111 - its own text is kept


def known_keys(run: Run, name: str, files: Iterable[str]) -> list[HostKey]:
    """Return the keys that files of known hosts have for `name`; a file that does not exist has none."""
    existing = (file for file in files if os.access(file, os.R_OK))
    return [key for file in existing for key in parse_lookup(run(lookup_argv(name, file))[1])]


def choose(known: Iterable[HostKey], *sources: Iterable[HostKey]) -> list[HostKey]:
    """Return the keys to add to what is `known`, out of sources of which an earlier one is trusted more.

    A source that is trusted less does not add another key of a kind that one before it has given.
    """
    seen, chosen, kinds = set(known), [], set()
    for source in sources:
        new = [key for key in dict.fromkeys(source) if (key.kind, key.marker) not in kinds]
        kinds |= {(key.kind, key.marker) for key in new}
        chosen += [key for key in new if key.marker != MARKERS[1] and key not in seen]
    return chosen


def configured(lines: Iterable[str], address: Address, name: str) -> tuple[list[HostKey], list[str]]:
    """Split configured lines into the keys for the git server, by either of its names, and the lines for other hosts.

    Raises ValueError for a line that is none of known_hosts.
    """
    ours, others = [], []
    for line in lines:
        parsed = parse_line(line)
        if parsed is None:
            raise ValueError(f"not a line of known_hosts: {line}. Use: NAME TYPE KEY")
        names = parsed[0].split(",")
        if {name, address.host} & set(names) or names[0].startswith("|"):
            ours.append(parsed[1])
        else:
            others.append(line)
    return ours, others
