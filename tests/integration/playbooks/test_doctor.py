"""`doctor`: what is right about a project, and what to do about the rest, with real answers and a real sshd."""

from __future__ import annotations

import http.server
import re
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.integration.playbooks.conftest import Laptop, Servers, Upstream
from tests.support.ports import free_port
from tests.support.sshd import Sshd

WITHOUT_SYSTEMD = {"supervisor_systemd": "false", "supervisor_python": sys.executable}


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with 200 on /up, and with 404 elsewhere."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/up" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    """The port of an app that answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def report(laptop: Laptop, project: str = "blog") -> tuple[int, dict[str, str]]:
    """Run `doctor`; return its exit code and each line by its subject, with its mark."""
    done = laptop.run("playbooks/doctor.yml", extra={"project": project, **WITHOUT_SYSTEMD})
    lines = [line.split(maxsplit=1) for line in done.output.splitlines() if line.startswith(("  ok", "  NO", "  --"))]
    assert lines, done.output
    return done.code, {text.partition(":")[0]: f"{mark} {text}" for mark, text in lines}


def test_a_project_that_is_right(laptop: Laptop, upstream: Upstream, port: int) -> None:
    settings = {
        "app": "page:app",
        "bind": f"127.0.0.1:{port}",
        "heartbeat": {"path": "/up"},
        "env": {"SECRET": "s3cret"},
    }
    laptop.project("blog", upstream.path, **settings)
    status_file = {"project_status_file": ""}
    deployed = laptop.run("playbooks/deploy.yml", extra={"project": "blog", **status_file})
    assert deployed.code == 0, deployed.output
    done = laptop.run("playbooks/doctor.yml", extra={"project": "blog", **WITHOUT_SYSTEMD, **status_file})
    assert done.code == 0, done.output
    assert "  NO" not in done.output
    assert f"  ok  answer: 200 on 127.0.0.1:{port}" in done.output
    assert "; variables: SECRET" in done.output
    assert "s3cret" not in done.output
    again = laptop.run("playbooks/doctor.yml", extra={"project": "blog", **WITHOUT_SYSTEMD, **status_file})
    assert set(again.changed.values()) == {0}


def test_each_thing_that_is_wrong_has_what_to_do(laptop: Laptop, upstream: Upstream, port: int) -> None:
    settings = {"app": "page:app", "bind": f"127.0.0.1:{port}", "env_file": "/nowhere"}
    laptop.project("blog", upstream.path, **settings)
    laptop.project("shop", f"{upstream.path}-gone", app="page:app", bind=f"127.0.0.1:{free_port()}")
    code, blog = report(laptop)
    assert code != 0
    assert blog["answer"].startswith(
        f"NO answer: 404 on 127.0.0.1:{port}, of something else: this project is not set up"
    )
    assert blog["live"].startswith("NO live: not set up. Run setup")
    assert blog["env_file /nowhere cannot be read"].startswith("NO ")
    assert blog["clock"].startswith("ok ")
    code, shop = report(laptop, "shop")
    assert code != 0
    assert re.fullmatch(r"-- answer: none on 127.0.0.1:\d+ yet", shop["answer"])
    assert any("there is no repository at that address" in line for line in shop.values())


def test_a_server_without_an_answer_hides_no_other(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    place = Servers(laptop, sshd, upstream)
    place.project("fine", "web1")
    place.project("deaf", "web3", ansible_port=free_port())
    place.write()
    done = laptop.run("playbooks/doctor.yml", extra=WITHOUT_SYSTEMD)
    assert done.code != 0
    assert "  NO  the server 127.0.0.1 cannot be reached by ssh" in done.output
    fine = done.output[done.output.index("\nfine@web1\n") :]
    assert "  ok  login: as " in fine
    assert "  ok  git: " in fine
