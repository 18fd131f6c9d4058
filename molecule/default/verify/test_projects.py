"""Several projects and several servers at once."""

from __future__ import annotations

import json
from collections.abc import Callable

from command import Laptop
from load import load
from server import Server
from upstream import Upstream

BLOG, CRICKET, SHOP = 3001, 3002, 3003
Of = Callable[[str], Upstream]


def test_one_command_deploys_two_projects_of_one_server(laptop: Laptop, web1: Server, upstream: Of) -> None:
    """Each keeps its own repository, tree and port."""
    upstream("blog").publish("blog together")
    upstream("cricket").publish("cricket together")
    done = laptop.run("deploy", project="blog,cricket")
    assert done.code == 0, done.output
    assert (web1.get(BLOG), web1.get(CRICKET)) == ("blog together", "cricket together")


def test_two_projects_of_one_server_are_one_login(cold_laptop: Laptop, web1: Server, upstream: Of) -> None:
    """One opens the connection, and each prepares and goes live in one execution; later that connection is open."""
    upstream("blog").publish("blog from cold")
    upstream("cricket").publish("cricket from cold")
    sshd = web1.sshd()
    assert cold_laptop.run("deploy", project="blog,cricket").code == 0
    assert sshd.count() == (1, 2)
    sshd = web1.sshd()
    assert cold_laptop.run("deploy", project="blog,cricket").code == 0
    assert sshd.count() == (0, 2)


def test_one_command_deploys_to_both_servers(laptop: Laptop, web1: Server, web2: Server, upstream: Of) -> None:
    upstream("shop").publish("shop on both")
    done = laptop.run("deploy", project="shop")
    assert done.code == 0, done.output
    assert (web1.get(SHOP), web2.get(SHOP)) == ("shop on both", "shop on both")


def test_the_second_server_is_left_alone_when_the_first_fails(
    laptop: Laptop, web1: Server, web2: Server, upstream: Of
) -> None:
    upstream("shop").publish("shop serves")
    assert laptop.run("deploy", project="shop").code == 0
    attempts = web2.run("wc", "-l", "/srv/shop/.deploys.jsonl")
    upstream("shop").publish("broken shop")
    done = laptop.run("deploy", project="shop")
    assert done.code != 0
    assert (web1.get(SHOP), web2.get(SHOP)) == ("shop serves", "shop serves")
    assert web2.run("wc", "-l", "/srv/shop/.deploys.jsonl") == attempts


def test_a_secret_reaches_the_workers_and_the_hooks_alone(laptop: Laptop, web1: Server, upstream: Of) -> None:
    """It is in one file, which only the project's user can read, and in the environment of both."""
    upstream("cricket").publish("cricket knows a secret")
    done = laptop.run("deploy", project="cricket")
    assert done.code == 0, done.output
    assert web1.run("stat", "--format=%a %U:%G", "-L", "/srv/cricket/procmon.env") == "600 deploy:deploy"
    status = json.loads(web1.run("cat", "/run/procmon/cricket/status.json"))
    worker = next(worker["pid"] for worker in status["workers"] if worker["state"] == "active")
    assert "PASSWORD=the 'secret' of \"cricket\"" in web1.run(
        "runuser", "-u", "deploy", "--", "cat", f"/proc/{worker}/environ"
    ).split("\0")
    length = len("the 'secret' of \"cricket\"")
    assert f" with a password of {length} characters" in web1.run(
        "tail", "-n", "1", "/srv/cricket/shared/logs/hook.log"
    )
    for readable in ("/run/procmon/cricket/status.json", "/etc/procmon/cricket.toml"):
        assert "secret" not in web1.run("cat", readable)
    assert "secret" not in web1.run("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null")


def test_a_restart_brings_new_workers_of_the_same_release_and_loses_nothing(
    laptop: Laptop, web1: Server, upstream: Of
) -> None:
    upstream("cricket").publish("cricket again")
    assert laptop.run("deploy", project="cricket").code == 0

    def generation() -> tuple[int, str]:
        status = json.loads(web1.run("cat", "/run/procmon/cricket/status.json"))
        return status["generation"], status["release"]

    before = generation()
    with load(web1, CRICKET) as report:
        done = laptop.run("restart", project="cricket")
    assert done.code == 0, done.output
    assert generation() == (before[0] + 1, before[1])
    assert report.lost == []


def test_status_shows_every_project_on_every_server(laptop: Laptop, upstream: Of) -> None:
    sha = upstream("blog").publish("status")
    assert laptop.run("deploy", project="blog").code == 0
    done = laptop.run("status")
    assert done.code == 0, done.output
    assert sha[:7] in done.output
    shown = {tuple(line.split()[:2]) for line in done.output.splitlines()}
    assert shown >= {("blog", "127.0.0.1"), ("cricket", "127.0.0.1"), ("shop", "127.0.0.1"), ("shop", "127.0.0.2")}


def test_a_project_serves_again_after_its_server_has_booted(laptop: Laptop, web2: Server, upstream: Of) -> None:
    upstream("shop").publish("after boot")
    assert laptop.run("deploy", project="shop").code == 0
    web2.reboot()
    assert web2.get_within(60, SHOP) == "after boot"
