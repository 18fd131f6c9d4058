# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package index that wants a password, and finds out who tells it to others."""

from __future__ import annotations

import base64
import secrets
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Index(ThreadingHTTPServer):
    """Serves a directory for a password; records the requests, and which processes have it as an argument.

    The password is new each time: other tests run at the same time. As a token it takes the place of the user, too.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Asked, directory=str(directory)))
        self.password = secrets.token_hex(8)
        self.asked: set[str] = set()
        self.leaked: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://me:{self.password}@127.0.0.1:{self.server_port}/simple"

    @property
    def token_address(self) -> str:
        return f"http://{self.password}@127.0.0.1:{self.server_port}/simple"

    def allows(self, header: str | None) -> bool:
        """Return whether a request with this header has a right login; the password of a token is empty."""
        logins = (f"me:{self.password}", f"{self.password}:")
        return header in {f"Basic {base64.b64encode(login.encode()).decode()}" for login in logins}


class Asked(SimpleHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        if not self.server.allows(self.headers.get("Authorization")):
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            return
        self.server.asked.add(self.path)
        running = map(arguments, Path("/proc").glob("[0-9]*/cmdline"))
        self.server.leaked |= {each for each in running if self.server.password in each}
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


def arguments(path: Path) -> str:
    """The arguments of a process, which may have ended since."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@contextmanager
def package_index(directory: Path) -> Iterator[Index]:
    """Serve `directory`, in which `simple/NAME/` holds the files of each package, until the end of the block."""
    with Index(directory) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class OpenIndex(ThreadingHTTPServer):
    """Serves a directory to everyone and records each request.

    With `status` it answers every request with that status instead, with `location` as the target of a redirect.
    """

    def __init__(self, directory: Path, status: int = 0, location: str = "", certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), partial(Recorded, directory=str(directory)))
        self.directory = directory
        self.status = status
        self.location = location
        self.requests: list[str] = []
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/simple"

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep the test's output clean: clients that refuse a certificate hang up."""


class Recorded(SimpleHTTPRequestHandler):
    server: OpenIndex

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if not self.server.status:
            super().do_GET()
            return
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def open_index(
    directory: Path, status: int = 0, location: str = "", certificate: Path | None = None
) -> Iterator[OpenIndex]:
    """Serve until the end of the block, as `OpenIndex` says."""
    with OpenIndex(directory, status, location, certificate) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
