"""A small master for tests: it owns a listening socket, starts workers and speaks the control protocol with them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from procmon.master.spawn import worker_argv

APPS = Path(__file__).parent / "apps"
Address = str | tuple[str, int]
DEADLINE = 30.0
PERIODIC = ("tick", "draining")


def listen(address: Address = ("127.0.0.1", 0)) -> socket.socket:
    """Listen as the master does, on TCP or, given a path, on a unix socket."""
    unix = isinstance(address, str)
    sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(address)
    sock.listen(2048)
    if not unix:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


class Worker:
    """One worker process and the master's end of its control channel."""

    def __init__(  # noqa: PLR0913 - all that a test may vary
        self,
        listener: socket.socket,
        app: str = "behaviours:app",
        *,
        directory: Path = APPS,
        python: str = sys.executable,
        env: Mapping[str, str] | None = None,
        idle_grace: float = 5.0,
        tick_interval: float = 0.0,
        drain_timeout: float = 30.0,
        stderr: Path | None = None,
        **uvicorn: object,
    ) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(DEADLINE)
        self.stderr = stderr
        with theirs, Path(stderr or os.devnull).open("wb") as errors:
            self.process = subprocess.Popen(
                worker_argv(python, theirs.fileno()),
                cwd=directory,
                env={**os.environ, **(env or {})},
                pass_fds=(theirs.fileno(), listener.fileno()),
                stdin=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        self.command(
            "configure",
            app=app,
            listen_fd=listener.fileno(),
            uvicorn=uvicorn,
            idle_grace=idle_grace,
            tick_interval=tick_interval,
            drain_timeout=drain_timeout,
            slot=0,
            generation=1,
        )

    def command(self, kind: str, fds: tuple[int, ...] = (), **body: object) -> None:
        """Send one command. A worker that has exited does not receive it; its last messages can still be read."""
        with suppress(ConnectionResetError, BrokenPipeError):
            socket.send_fds(self.channel, [json.dumps({"type": kind, **body}).encode()], list(fds))

    def read(self) -> dict[str, Any]:
        """Read one message; `{"type": "end"}` at the end of the channel."""
        try:
            data = self.channel.recv(65536)
        except ConnectionResetError:
            # It exited without reading a command. Linux reports that once, before its last messages.
            data = self.channel.recv(65536)
        return json.loads(data) if data else {"type": "end"}

    def next(self) -> dict[str, Any]:
        """Read up to the next message that is not periodic."""
        while (message := self.read())["type"] in PERIODIC:
            pass
        return message

    def expect(self, kind: str) -> dict[str, Any]:
        """Read the next message of substance, which must be a `kind`."""
        message = self.next()
        assert message["type"] == kind, message
        return message

    def report(self, kind: str = "tick") -> dict[str, Any]:
        """Read up to the next periodic message `kind`."""
        while (message := self.read())["type"] != kind:
            assert message["type"] in PERIODIC, message
        return message

    def started(self) -> Worker:
        """Wait until the worker has loaded and started its app."""
        self.expect("loaded")
        self.expect("started")
        return self

    def accepting(self) -> Worker:
        """Start the worker and let it accept."""
        self.started()
        self.command("accept")
        self.expect("accepting")
        return self

    def drain(self, seconds: float = 20.0, **body: object) -> None:
        """Command the drain and wait for its first report."""
        self.command("drain", (), seconds=seconds, **body)
        self.report("draining")

    def drained(self) -> int:
        """Wait for the end of the drain and for exit code 0; return the number of requests that were cut."""
        cut = self.expect("drained")["cut"]
        assert self.exit_code() == 0
        return int(cut)

    def probe(self, **addresses: object) -> socket.socket:
        """Return a private connection to the worker's server, with the `client` and `server` given."""
        ours, theirs = socket.socketpair()
        ours.settimeout(DEADLINE)
        with theirs:
            self.command("probe", (theirs.fileno(),), **addresses)
        return ours

    def exit_code(self) -> int:
        """Wait for the end of the process."""
        return self.process.wait(DEADLINE)

    def complaints(self) -> str:
        """Return what the worker has written to its standard error."""
        assert self.stderr is not None
        return self.stderr.read_text()

    def close(self) -> None:
        """End the process, if it has not ended, and the channel."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.channel.close()


class Client:
    """A strict HTTP client on one connection: it never retries, and shows whether the close was announced."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(DEADLINE)
        self.buffer = b""

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self.sock.sendall(data)

    def request(self, path: str = "/", method: str = "GET", body: bytes = b"") -> None:
        """Send a whole request."""
        self.send(head(path, method, len(body)) + body)

    def response(self) -> Response:
        """Read a whole response that has a content length."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        header, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = header.decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", "0"))
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Response(int(lines[0].split()[1]), headers, body)

    def get(self, path: str = "/") -> Response:
        """Send a GET and read its response."""
        self.request(path)
        return self.response()

    def is_ended(self) -> bool:
        """Wait for the server's end of the connection; True when it came clean and without a byte more."""
        return self.sock.recv(1) == b""

    def has_news(self) -> bool:
        """Return, without waiting, whether bytes or the end of file have arrived."""
        return bool(select.select([self.sock], [], [], 0)[0])

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError(f"the server has closed the connection after {self.buffer!r}")
        self.buffer += data

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()


class Response:
    """A response: `closes` is true if the connection's close was announced."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.closes = headers.get("connection") == "close"


def connect(address: Address) -> socket.socket:
    """Connect to a TCP address or a unix path."""
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE)
    sock.connect(address)
    return sock


def head(path: str = "/", method: str = "GET", length: int = 0) -> bytes:
    """Return a request's header."""
    return f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n".encode()
