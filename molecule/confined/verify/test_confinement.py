"""The app's unit in a systemd that runs: what it refuses the app, which the same user may do outside of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Laptop
from server import Server
from upstream import Upstream

PORT = 3001
APP = Path(__file__).parents[1] / "attempts.py"
ALLOWED = {"write below path", "write in writable_paths"}
REFUSED = {
    "write in the home": "Read-only file system",
    "write where all may": "Read-only file system",
    "see files in /tmp": "No such file or directory",
    "make a setuid program": "Operation not permitted",
    "trace": "Operation not permitted",
    "change the personality": "Operation not permitted",
    "see processes of root": "No such file or directory",
}
KERNEL = {"NoNewPrivs": "1", "Seccomp": "2", "CapBnd": "0000000000000000", "CapEff": "0000000000000000"}


@pytest.fixture(scope="module")
def deployed(laptop: Laptop, servers: list[Server], upstream: Callable[[str], Upstream]) -> list[Server]:
    """The servers, with the app that tries all that."""
    upstream("blog").publish("attempts", {"main.py": APP.read_text()})
    done = laptop.run("deploy", project="blog")
    assert done.code == 0, done.output
    return servers


@pytest.mark.timeout(300)
def test_the_unit_refuses_the_app_what_its_user_may_do(deployed: list[Server]) -> None:
    for server in deployed:
        server.run("touch", "/tmp/of-others")  # noqa: S108 - that of the server
        outside = json.loads(server.run("runuser", "-u", "deploy", "--", "python3", "/var/www/blog/current/main.py"))
        inside = json.loads(server.get(PORT))
        assert {name: outside[name] for name in {*ALLOWED, *REFUSED, "become root"}} == dict.fromkeys(
            {*ALLOWED, *REFUSED, "become root"}, "ok"
        )
        assert {name: inside[name] for name in ALLOWED} == dict.fromkeys(ALLOWED, "ok")
        assert {name: inside[name] for name in REFUSED} == REFUSED
        assert "no new privileges" in inside["become root"]
        assert inside["open a packet socket"] == "Address family not supported by protocol"
        assert outside["open a packet socket"] == "Operation not permitted"
        assert inside["make a user namespace"] == "Operation not permitted"
        assert {name: inside[name] for name in KERNEL} == KERNEL
        assert (outside["NoNewPrivs"], outside["Seccomp"]) != (KERNEL["NoNewPrivs"], KERNEL["Seccomp"])


def test_setup_has_created_what_the_app_may_write_to(servers: list[Server]) -> None:
    for server in servers:
        assert server.run("stat", "--format=%U %a", "/srv/uploads/blog", "/srv/uploads").splitlines() == [
            *("deploy 755", "root 755")
        ]
