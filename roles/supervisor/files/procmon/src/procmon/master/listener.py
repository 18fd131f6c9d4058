# SPDX-License-Identifier: GPL-3.0-or-later
"""The one listening socket of all workers: handed over by systemd, or bound here."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import Bind

log = logging.getLogger("procmon")

BACKLOG = 2048
FIRST_HANDED_FD = 3
UNIX_MODE = 0o666
"""As with a TCP port, everyone who reaches it may connect; the directory around it is the place to restrict that."""


class ListenError(Exception):
    """Raised when there is no socket to listen on."""


def open_listener(bind: Bind, environment: Mapping[str, str]) -> socket.socket:
    """Return the socket, bound but (unless it was handed over) not listening. Raises `ListenError`."""
    if environment.get("LISTEN_PID") == str(os.getpid()):
        listener = _handed_over(environment.get("LISTEN_FDS", ""))
        if not _is_at(listener, bind):
            log.warning(
                'systemd handed over a socket on %s, but bind = "%s": see ListenStream=', describe(listener), bind
            )
        return listener
    try:
        return _bind_unix(bind.path) if bind.path else _bind_tcp(bind)
    except OSError as error:
        raise ListenError(_explain(bind, error)) from error


def describe(listener: socket.socket) -> str:
    """Return where a socket listens, in the form of `bind`."""
    address = listener.getsockname()
    return str(Bind(host=address[0], port=address[1]) if isinstance(address, tuple) else Bind(path=_text(address)))


def _is_at(listener: socket.socket, bind: Bind) -> bool:
    address = listener.getsockname()
    if bind.path or not isinstance(address, tuple):
        return describe(listener) == str(bind)
    with contextlib.suppress(ListenError):
        return address[:2] in [found[:2] for found in _resolve(bind)]
    return False


def _text(address: str | bytes) -> str:
    return address if isinstance(address, str) else os.fsdecode(address)


def take_over(fd: int) -> socket.socket:
    """Return the socket that the procmon before this one in the same process has served."""
    return socket.socket(fileno=fd)


def listen(listener: socket.socket) -> None:
    """Open the queue for connections. Raises `ListenError` when another program does so on the same address."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        raise ListenError(f"cannot listen on {describe(listener)}: {error.strerror}") from error


def close_listener(listener: socket.socket, bind: Bind) -> None:
    """Close the master's copy; a unix socket's name goes with it, so that clients fail at once."""
    ours = bind.path and listener.family == socket.AF_UNIX and not _handed(listener)
    listener.close()
    if ours:
        Path(bind.path).unlink(missing_ok=True)


def _handed(listener: socket.socket) -> bool:
    return listener.fileno() == FIRST_HANDED_FD and os.environ.get("LISTEN_PID") == str(os.getpid())


def _handed_over(count: str) -> socket.socket:
    if count != "1":
        raise ListenError(
            f"systemd handed over {count or 'no'} sockets: procmon serves one. Give the unit one ListenStream="
        )
    try:
        listener = socket.socket(fileno=FIRST_HANDED_FD)
    except OSError as error:
        raise ListenError(
            f"descriptor {FIRST_HANDED_FD}, handed over by systemd, is not a socket: {error.strerror}"
        ) from error
    if listener.type != socket.SOCK_STREAM:
        listener.close()
        raise ListenError("systemd handed over a socket that is not a stream: use ListenStream=")
    return _prepare(listener)


def resolve_address(bind: Bind) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Return the one address that `bind` means. Raises `ListenError` for a name with several or none."""
    addresses = _resolve(bind)
    if len(addresses) > 1:
        names = ", ".join(str(Bind(host=str(address[0]), port=bind.port)) for address in addresses)
        raise ListenError(
            f'bind = "{bind}" means {len(addresses)} addresses: procmon listens on one. Use one of {names}'
        )
    address, family = next(iter(addresses.items()))
    return family, address


def _resolve(bind: Bind) -> dict[tuple[Any, ...], socket.AddressFamily]:
    """Return each address that `bind` means, and its family. Raises `ListenError` where there is none."""
    try:
        found = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        reason = f'bind = "{bind}": the host name cannot be resolved: {error.strerror}'
        raise ListenError(f"{reason}. Correct it, or use an address") from error
    except UnicodeError as error:
        raise ListenError(f'bind = "{bind}": this is not a valid host name') from error
    return {address: family for family, _type, _protocol, _name, address in found}


def _bind_tcp(bind: Bind) -> socket.socket:
    family, address = resolve_address(bind)
    # asyncio sets TCP_NODELAY on accepted connections only when the listener's protocol is TCP.
    listener = _prepare(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
    return _bound(listener, address)


def _bind_unix(path: str) -> socket.socket:
    _remove_stale(path)
    listener = _bound(_prepare(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)), path)
    Path(path).chmod(UNIX_MODE)
    return listener


def _bound(listener: socket.socket, address: str | tuple[Any, ...]) -> socket.socket:
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _prepare(listener: socket.socket) -> socket.socket:
    listener.setblocking(False)
    if listener.family in (socket.AF_INET, socket.AF_INET6):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by each accepted connection.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _remove_stale(path: str) -> None:
    """Remove the name that an exited server has left; one that is answered is in use, and another file is not ours."""
    if not Path(path).is_socket():
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        found = client.connect_ex(path)
    if found != errno.ECONNREFUSED:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    Path(path).unlink()


def _explain(bind: Bind, error: OSError) -> str:
    hints = {
        errno.EADDRINUSE: "another program listens there: stop that program or choose another bind",
        errno.EACCES: "not permitted: choose a port from 1024, or a directory that this user may write",
        errno.EADDRNOTAVAIL: "this host has no such address",
        errno.EEXIST: "a file that is not a socket has this name: remove it or choose another bind",
        errno.ENOENT: "its directory does not exist",
    }
    return f'bind = "{bind}": {hints.get(error.errno or 0) or error.strerror or error}'
