"""An app that tries what its unit is to refuse, and answers how each attempt ended; as a program, it prints that."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
LIBC = ctypes.CDLL(None, use_errno=True)
# The containers of the tests themselves allow this change of the personality.
CLONE_NEWUSER, PTRACE_TRACEME, UNAME26 = 0x10000000, 0, 0x0020000
UPLOADS, TREE = Path("/srv/uploads/blog"), Path("/var/www/blog/shared")


def write(path: Path) -> None:
    """Write a file, and remove it."""
    path.write_text("x")
    path.unlink()


def call(name: str, *arguments: int) -> None:
    """Call a function of the C library. Raises OSError when it fails."""
    ctypes.set_errno(0)
    if getattr(LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def make_setuid() -> None:
    """Make a program that runs as its owner."""
    path = UPLOADS / "program"
    path.write_text("x")
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


def forked(action: Callable[[], None]) -> None:
    """Act in a process of its own, for what cannot be undone. Raises OSError with its error."""
    child = os.fork()
    if not child:
        try:
            action()
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "in a process of its own")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "write below path": lambda: write(TREE / "written"),
    "write in writable_paths": lambda: write(UPLOADS / "written"),
    "write in the home": lambda: write(Path("/home/deploy/written")),
    "write where all may": lambda: write(Path("/srv/everyone/written")),
    "see files in /tmp": lambda: Path("/tmp/of-others").stat(),  # noqa: S108 - that of the server
    "become root": lambda: subprocess.run(["sudo", "-n", "true"], check=True, capture_output=True),
    "make a setuid program": make_setuid,
    "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM).close(),
    "trace": lambda: forked(lambda: call("ptrace", PTRACE_TRACEME, 0, 0, 0)),
    "change the personality": lambda: forked(lambda: call("personality", UNAME26)),
    "make a user namespace": lambda: forked(lambda: call("unshare", CLONE_NEWUSER)),
    "see processes of root": lambda: Path("/proc/1").stat(),
}


def outcome(attempt: Callable[[], object]) -> str:
    """Return `ok`, or the name of the error."""
    try:
        attempt()
    except OSError as error:
        return os.strerror(error.errno or 0)
    except subprocess.CalledProcessError as error:
        return str(error.stderr.decode().strip())
    return "ok"


def report() -> dict[str, str]:
    """Return how each attempt ends, and what the kernel says about this process."""
    fields = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    kernel = {name: fields[name].strip() for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapEff")}
    return {**{name: outcome(attempt) for name, attempt in ATTEMPTS.items()}, **kernel}


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer every request with the report."""
    assert scope["type"] == "http"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(report()).encode()})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report()))
