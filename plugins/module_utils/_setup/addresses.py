# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Whether a service can have an address, and who has it when not.

The kernel decides: the address is bound for a moment. /proc names the holders, and systemd the unit of a socket that it
holds itself.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

BIND = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d+)")
LISTENING = "0A"
ACCEPTS = 0x10000
SYSTEMD = ("", "name=systemd")
"""The control groups that systemd uses for its units: version 2, and its own of version 1."""
ANY = ("0.0.0.0", "::")  # noqa: S104 - these are recognized, not bound


@dataclass(frozen=True)
class Listener:
    """A socket that listens: its address as systemd writes it, its port (0 for a path), and its inode."""

    address: str
    port: int
    inode: str


@dataclass(frozen=True)
class Holder:
    """A process that holds a socket, and its unit. The unit of one that systemd holds is the socket's."""

    pid: int
    command: str
    unit: str

    def describe(self) -> str:
        """Return how a message names it."""
        return f"{self.command} (pid {self.pid}{f', {self.unit}' if self.unit else ''})"


def parse_tcp(text: str) -> Iterator[Listener]:
    """Read /proc/net/tcp or tcp6: the sockets that listen."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if words[3] == LISTENING:
            host, port = words[1].split(":")
            yield Listener(_text_address(host, int(port, 16)), int(port, 16), words[9])


def _text_address(digits: str, port: int) -> str:
    """Turn the kernel's form of an address, in words of the processor's byte order, into the one that people write."""
    words = (bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8))
    host = ipaddress.ip_address(b"".join(words))
    return f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"  # noqa: PLR2004 - as in IPv6


def parse_unix(text: str) -> Iterator[Listener]:
    """Read /proc/net/unix: the sockets with a path that listen."""
    for line in text.splitlines()[1:]:
        words = line.split(None, 7)
        if len(words) == 8 and int(words[3], 16) & ACCEPTS:  # noqa: PLR2004 - the last one is the path
            yield Listener(words[7], 0, words[6])


def parse_units(text: str) -> dict[str, str]:
    """Read what `systemctl list-sockets` prints: the unit that listens on each address."""
    words = (line.split() for line in text.splitlines())
    return {found[0]: found[1] for found in words if len(found) > 1 and found[1].endswith(".socket")}


def unit_of(cgroup: str) -> str:
    """Return the unit that /proc/PID/cgroup names, the innermost one; nothing outside of units.

    With control groups of version 1 each controller has its own line. systemd's own has the unit whatever it controls.
    """
    fields = (line.split(":", 2) for line in cgroup.splitlines())
    paths = [found[2] for found in fields if len(found) == 3 and found[1] in SYSTEMD]  # noqa: PLR2004 - as proc(5) says
    names = [name for path in paths for name in path.split("/") if name.endswith((".service", ".scope"))]
    return names[-1] if names else ""


def rivals(listeners: Iterable[Listener], host: str, port: int) -> list[Listener]:
    """Return those that keep `host` and `port` from being bound: on that address, or one of them on all."""
    same = [listener for listener in listeners if listener.port == port]
    wanted = {f"{host}:{port}", f"[{host}]:{port}"}
    everywhere = {f"{ANY[0]}:{port}", f"[{ANY[1]}]:{port}"}
    return [one for one in same if host in ANY or one.address in wanted | everywhere]


def holders(listeners: Iterable[Listener], units: Mapping[str, str]) -> list[Holder]:
    """Return the processes that hold the sockets; `units` says which socket units systemd has, by address."""
    by_inode = {f"socket:[{listener.inode}]": listener for listener in listeners}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        held = [by_inode[link] for link in _links(process / "fd") if link in by_inode]
        if held:
            cgroup, command = _read(process / "cgroup"), _read(process / "comm").strip()
            unit = units.get(held[0].address, "") if process.name == "1" else unit_of(cgroup)
            found.append(Holder(int(process.name), command, unit))
    return sorted(found, key=lambda holder: holder.pid)


def _links(directory: Path) -> Iterator[str]:
    """Yield where the descriptors of a process lead. Either may end meanwhile, which hides none of the others."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are all that is needed
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            yield os.readlink(directory / name)  # noqa: PTH115 - the target is no path


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def problem(bind: str, own: Iterable[str], units: Mapping[str, str]) -> str:
    """Return why `bind` cannot be had; nothing when it can, or when only units in `own` have it."""
    if bind.startswith("unix:"):
        return _path_problem(bind[len("unix:") :], own, units)
    matched = BIND.fullmatch(bind)
    if matched is None:
        return "is not an address"
    host, port = matched["six"] or matched["host"], int(matched["port"])
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        return f"is not an address of this server: {error.strerror}"
    code = _try(found[0], found[4])
    if code == errno.EADDRINUSE:
        listeners = [*parse_tcp(_read(Path("/proc/net/tcp"))), *parse_tcp(_read(Path("/proc/net/tcp6")))]
        return _taken(rivals(listeners, str(found[4][0]), port), own, units)
    if code == errno.EADDRNOTAVAIL:
        return "is not an address of this server"
    return f"cannot be bound: {os.strerror(code)}" if code else ""


def is_free(bind: str) -> bool:
    """Return whether no process listens on `bind` now. That of a port for root alone is known to others as well."""
    if bind.startswith("unix:"):
        return not any(one.address == bind[len("unix:") :] for one in parse_unix(_read(Path("/proc/net/unix"))))
    matched = BIND.fullmatch(bind)
    if matched is None:
        return False
    host, port = matched["six"] or matched["host"], int(matched["port"])
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror:
        return False
    return _try(found[0], found[4]) in (0, errno.EACCES)


def _try(family: int, address: tuple[object, ...]) -> int:
    """Bind an address without listening; return the error's number, or 0."""
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def _path_problem(path: str, own: Iterable[str], units: Mapping[str, str]) -> str:
    """Return why a unix socket cannot be had. systemd would replace whatever is at its path."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return ""
    if not stat.S_ISSOCK(mode):
        return "is not a socket: another file has that path"
    listeners = [one for one in parse_unix(_read(Path("/proc/net/unix"))) if one.address == path]
    return _taken(listeners, own, units) if listeners else ""


def _taken(listeners: Iterable[Listener], own: Iterable[str], units: Mapping[str, str]) -> str:
    found = holders(listeners, units)
    others = [holder for holder in found if holder.unit not in own]
    if found and not others:
        return ""
    return f"is taken by {', '.join(holder.describe() for holder in others) or 'a process that cannot be seen'}"
