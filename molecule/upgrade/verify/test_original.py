"""From the original script to this collection: its tree is taken over while its app serves, and nginx changes over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command import Done, Laptop
from load import load_from_outside
from procmon import wait_for
from server import Server
from upstream import Upstream

EXAMPLE = Path(__file__).parents[3] / "docs/examples/nginx-tcp.conf"
HOST = "www.example.com"
FORMER, NEW = 3100, 3002
# What the original script does on the server for `setup`, and for each deploy and revert: its last argument is a ref.
SETUP = "mkdir -p shared/logs shared/pids && git clone -q git@upstream:blog.git source"
DEPLOY = """
cd source && git fetch -q --all && git reset -q --hard "$0" && ln -sfn /srv/cricket/source /srv/cricket/current &&
git rev-parse --short HEAD >>/srv/cricket/.deploys && mkdir -p public/system && touch public/system/restart
"""


def well(done: Done) -> Done:
    """Return a run that went well."""
    assert done.code == 0, done.output
    return done


def original(server: Server, script: str, *arguments: str) -> None:
    """Run a script as the user of the original's tree."""
    server.run("runuser", "-u", "deploy", "--", "sh", "-euc", f"cd /srv/cricket\n{script}", *arguments)


def switch_nginx(server: Server, port: int, answer: str) -> None:
    """Make nginx ask this port, and wait until it does."""
    server.write("/etc/nginx/sites-enabled/cricket", EXAMPLE.read_text().replace("3001", str(port)))
    server.run("systemctl", "reload-or-restart", "nginx")
    wait_for(lambda: server.get_from_outside(80, "/", HOST) == answer, f"nginx asks port {port}")


@pytest.fixture
def served_by_the_original(web1: Server, upstream: Callable[[str], Upstream]) -> None:
    """A tree of the original script, which has deployed twice; a server of its own serves it, behind nginx."""
    web1.run("install", "-d", "-o", "deploy", "/srv/cricket")
    original(web1, SETUP)
    for version in ("one of the original", "two of the original"):
        upstream("blog").publish(version)
        original(web1, DEPLOY, "origin/main")
    former = ["--uid=deploy", "--working-directory=/srv/cricket/current", "/opt/former/bin/uvicorn", "main:app"]
    web1.run("systemd-run", "--unit=former", *former, f"--port={FORMER}")
    web1.get_within(60, FORMER)
    switch_nginx(web1, FORMER, "two of the original")


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("served_by_the_original")
def test_the_original_tree_is_taken_over_without_a_gap_and_both_can_take_turns(
    laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream], tmp_path: Path
) -> None:
    section = {"host": "127.0.0.1", "repo": "git@upstream:blog.git", "path": "/srv/cricket", "ref": "origin/main"}
    section |= {"post_deploy": "./bin/deploy", "app": "main:app", "bind": f"127.0.0.1:{NEW}"}
    cricket = laptop.with_settings(tmp_path, "cricket", **section)
    log = web1.run("cat", "/srv/cricket/.deploys").splitlines()
    # A reload of nginx itself closes what its clients keep, between two requests of theirs.
    with load_from_outside(web1, 80, HOST, threads=8, pause=0.05, keep=False) as report:
        well(cricket.set_up("cricket"))
        assert set(well(cricket.set_up("cricket")).changed.values()) == {0}
        third = upstream("blog").publish("three of this collection")
        well(cricket.run("deploy", project="cricket"))
        switch_nginx(web1, NEW, "three of this collection")
        web1.run("systemctl", "stop", "former")
        # The original's turn: procmon sees its touch, as it saw that of the hook.
        fourth = upstream("blog").publish("four of the original")
        original(web1, DEPLOY, "origin/main")
        wait_for(lambda: web1.get(NEW) == "four of the original", "the original's commit serves")
        well(cricket.run("revert", project="cricket"))
        assert web1.get(NEW) == "three of this collection"
    assert report.lost == []
    assert set(report.answers) == {"two of the original", "three of this collection", "four of the original"}
    short = [line[:7] for line in web1.run("cat", "/srv/cricket/.deploys").splitlines()]
    assert short == [line[:7] for line in log] + [third[:7], fourth[:7], third[:7]]
