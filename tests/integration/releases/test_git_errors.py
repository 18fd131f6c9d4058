# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git servers and disks that fail, provoked with the real git: the message names the true cause and what helps."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.ports import free_port
from tests.support.releases.other_user import OTHER_USER, as_other_user, give_away, open_directory
from tests.support.releases.site import Site
from tests.support.releases.upstream import GIT, Upstream
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of this machine is asked."""
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)


@contextmanager
def web_server(
    status: int, headers: dict[str, str], body: bytes = b"", context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Answer every request in one way; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value.format(port=server.server_address[1]))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refused(site: Site, **changed: object) -> str:
    """The message of the module, which fails."""
    answered = site.module(**{"ref": "master", **changed})
    assert answered["failed"], answered
    assert "Traceback" not in answered["msg"]
    message: str = answered["msg"].splitlines()[0]
    return message


PLAIN = {"Content-Type": "text/plain"}
ANSWERS = {
    401: ({"WWW-Authenticate": 'Basic realm="git"'}, "asks for a user and a password", "ssh address with a deploy key"),
    403: (PLAIN, "answered 403: it does not let this user read the repository", "the rights of the key or token"),
    404: (PLAIN, "there is no repository at that address, or it is hidden", "Check repo"),
    429: (PLAIN, "answered 429: there were too many requests", "Wait some minutes"),
    500: (PLAIN, "answered 500: it has a failure of its own", "Try again later"),
    502: (PLAIN, "answered 502: it has a failure of its own", "Try again later"),
    503: (PLAIN, "answered 503: it has a failure of its own", "Try again later"),
    200: ({"Content-Type": "text/html"}, "a web server answers at that address, but not with a git", "for cloning"),
    302: ({"Location": "http://127.0.0.1:{port}/login"}, "the git server redirects to another address", "Set repo"),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_a_server_that_answers_something_else(site: Site, status: int) -> None:
    headers, found, remedy = ANSWERS[status]
    with web_server(status, headers, b"<html>\n") as port:
        message = refused(site, repo=f"http://127.0.0.1:{port}/blog.git")
    assert found in message
    assert remedy in message
    assert "cannot be reached" not in message


def test_a_refusal_that_the_server_explains(site: Site) -> None:
    """Its words are there, and are not mistaken for something of this server."""
    with web_server(403, PLAIN, b"No space left on device\nconnection refused\x1b[2J\n") as port:
        answered = site.module(ref="master", repo=f"http://127.0.0.1:{port}/blog.git")
    assert "answered 403" in answered["msg"].splitlines()[0]
    assert "remote: No space left on device" in answered["msg"]
    assert "\x1b" not in answered["msg"]


def certificate(folder: Path, name: x509.GeneralName, days: int) -> ssl.SSLContext:
    """Return a server's side of TLS with a certificate that no authority signed and that ends in so many days."""
    folder.mkdir()
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "git server")])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
    builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    public = signed.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "cert.pem").write_bytes(public)
    (folder / "both.pem").write_bytes(private + public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


HERE = x509.IPAddress(ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("other.example.com")


CERTIFICATES = {
    "self-signed": (HERE, 2, False, "does not trust the git server's certificate", "http.sslCAInfo FILE"),
    "expired": (HERE, -1, True, "does not trust the git server's certificate", "check this server's clock"),
    "another host": (ELSEWHERE, 2, True, "certificate is for another host name", "the name that the certificate has"),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_certificate_that_is_not_good(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    name, days, known, found, remedy = CERTIFICATES[kind]
    context = certificate(tmp_path / "tls", name, days)
    if known:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "tls/cert.pem"))
    with web_server(404, PLAIN, context=context) as port:
        message = refused(site, repo=f"https://127.0.0.1:{port}/blog.git")
    assert found in message
    assert remedy in message


def test_the_remedy_for_a_certificate_helps(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the authority known, the server's own answer is what fails."""
    context = certificate(tmp_path / "tls", HERE, 2)
    config = tmp_path / "config"
    subprocess.run([GIT, "config", "--file", config, "http.sslCAInfo", tmp_path / "tls/cert.pem"], check=True)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    with web_server(503, PLAIN, context=context) as port:
        assert "answered 503" in refused(site, repo=f"https://127.0.0.1:{port}/blog.git")


def test_a_port_that_does_not_speak_tls(site: Site) -> None:
    with web_server(200, PLAIN) as port:
        assert "no encrypted connection to the git server" in refused(site, repo=f"https://127.0.0.1:{port}/blog.git")


FAKE = """#!/bin/sh
case " $* " in *" {command} "*) {action};; esac
exec {git} "$@"
"""


def put_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, action: str) -> None:
    """A git that does something else in one of its commands."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(FAKE.format(command=command, action=action, git=GIT))
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")


def test_a_git_that_the_kernel_killed(
    site: Site, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.commit("one")
    put_before(tmp_path, monkeypatch, "clone", "kill -9 $$")
    message = refused(site)
    assert "git was killed by SIGKILL. If memory was short (see dmesg)" in message


@pytest.fixture
def daemon(upstream: Upstream) -> Iterator[str]:
    """The address of the repository at a git server in a process of its own."""
    port = free_port()
    options = [
        "--export-all",
        "--reuseaddr",
        "--listen=127.0.0.1",
        f"--port={port}",
        f"--base-path={upstream.url.parent}",
    ]
    with subprocess.Popen([GIT, "daemon", *options], start_new_session=True) as process:
        until(lambda: is_open(port), "git daemon listens")
        yield f"git://127.0.0.1:{port}/{upstream.url.name}"
        os.killpg(process.pid, signal.SIGKILL)


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_git_without_memory(
    site: Site, upstream: Upstream, daemon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.commit("one")
    site.deploy(repo=daemon)
    upstream.commit("two", big_bin="x" * 60_000_000)
    put_before(tmp_path, monkeypatch, "fetch", "ulimit -v 50000")
    assert "ran out of memory. Add memory or swap" in refused(site, repo=daemon)
    assert site.version == "one"


def test_a_git_server_without_memory(
    site: Site, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not this server that needs more; on one machine, the limit counts for both sides."""
    upstream.commit("one")
    site.deploy()
    upstream.commit("two", big_bin="x" * 60_000_000)
    put_before(tmp_path, monkeypatch, "fetch", "ulimit -v 50000")
    message = refused(site)
    assert "the git server answered: fatal: Out of memory" in message
    assert "ask the people who run it" in message


@pytest.fixture
def others() -> Iterator[Site]:
    """A project of a user without rights, with a commit to deploy."""
    with open_directory() as directory:
        site = Site(directory / "blog", Upstream.make(directory))
        site.upstream.commit("one")
        site.deploy()
        site.upstream.commit("two")
        give_away(directory)
        yield site


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("path", ["objects", "refs", "worktrees", "."])
def test_files_of_another_user_in_the_clone(others: Site, path: str) -> None:
    """Of a clone that root has worked in: the owner of its files is the reason, not the git server."""
    inside = others.paths.source / ".git" / path
    give_away(inside, 0)
    if path == ".":
        os.chown(inside, OTHER_USER, OTHER_USER)
    text = as_other_user(lambda: others.fail(ref="master").text)
    assert "git server" not in text
    assert f"another user owns files in {others.paths.source}. Let the deploy user own" in text


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_repository_on_this_server_that_may_not_be_read(others: Site) -> None:
    """The project's own files are in order: the message names the path that is not."""
    give_away(others.upstream.url / "objects", 0)
    for path in (others.upstream.url / "objects").glob("*"):
        path.chmod(0o700)
    text = as_other_user(lambda: others.fail(ref="master").text)
    assert "another user owns files" not in text
    assert "files in the repository at that address that this user may not read" in text
