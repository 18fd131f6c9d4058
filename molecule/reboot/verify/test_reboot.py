"""What is live after a server has booted, and what the next run does about a deploy that the boot has interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPException

import pytest
from command import Done, Laptop
from procmon import wait_for
from server import Server
from upstream import Upstream

BLOG = 3001
SOCKET = "import socket as s; c = s.socket(s.AF_UNIX); c.connect('/run/procmon/shop/http.sock'); "
ASK_SHOP = f"{SOCKET}c.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(c.makefile().read().splitlines()[-1])"
Of = Callable[[str], Upstream]


@pytest.fixture(scope="module")
def web(servers: list[Server]) -> Server:
    """The server that boots; the other one only has the repositories."""
    return servers[1]


def without_retries(laptop: Laptop) -> Laptop:
    """Return the laptop with an ssh that does not deploy once more on a server that has booted meanwhile."""
    return replace(laptop, environment=laptop.environment | {"ANSIBLE_SSH_RETRIES": "0"})


def deployed(laptop: Laptop, upstream: Of, version: str) -> Done:
    """Make a version of both projects live."""
    for project in ("blog", "shop"):
        upstream(project).publish(f"{project} {version}")
    done = laptop.run("deploy", project="blog,shop")
    assert done.code == 0, done.output
    return done


def answers(server: Server, expected: str) -> bool:
    """Return whether blog answers this to this machine: not while the server boots."""
    try:
        return server.get_from_outside(BLOG) == expected
    except (OSError, HTTPException):
        return False


def outcomes(server: Server, commit: str) -> list[str]:
    """Return how the attempts to deploy a commit of blog have ended, oldest first."""
    lines = [json.loads(line) for line in server.run("cat", "/srv/blog/.deploys.jsonl").splitlines()]
    return [line["outcome"] for line in lines if line["commit"] == commit]


def wait_for_the_hook(server: Server) -> None:
    """Wait until the hook of a version that waits has started."""
    wait_for(lambda: "waiting" in server.run("ls", "/srv/blog/shared"), "the hook has started", 120)
    server.run("rm", "/srv/blog/shared/waiting")


@pytest.mark.timeout(300)
def test_all_apps_come_back_on_the_live_release(laptop: Laptop, web: Server, upstream: Of) -> None:
    """Over TCP and over a socket in /run, which is empty after a boot."""
    deployed(laptop, upstream, "one")
    deployed(laptop, upstream, "two")
    assert laptop.run("revert", project="blog,shop").code == 0
    web.reboot()
    wait_for(lambda: answers(web, "blog one"), "blog serves", 120)
    assert web.run("python3", "-c", ASK_SHOP) == "shop one"
    again = laptop.run("setup", "--check", project="blog,shop")
    assert (again.code, set(again.changed.values())) == (0, {0}), again.output


@pytest.mark.timeout(300)
def test_a_deploy_without_power_is_undone_by_the_next(laptop: Laptop, web: Server, upstream: Of) -> None:
    """The switch was before the hook, so the new release serves after the boot, until a deploy undoes that."""
    deployed(laptop, upstream, "three")
    lost = upstream("blog").publish("waits for power")
    running = without_retries(laptop).start("deploy", project="blog")
    wait_for_the_hook(web)
    web.lose_power()
    assert running.wait().code != 0
    wait_for(lambda: answers(web, "waits for power"), "what current leads to serves", 120)
    assert outcomes(web, lost) == []
    status = laptop.run("status", project="blog")
    assert "interrupted" in status.text, status.output
    deployed(laptop, upstream, "four")
    assert outcomes(web, lost) == ["interrupted"]
    assert answers(web, "blog four")


@pytest.mark.timeout(300)
def test_a_deploy_that_a_shutdown_ends_puts_the_old_release_back(laptop: Laptop, web: Server, upstream: Of) -> None:
    """Unlike a loss of power, a shutdown asks the module to end: it puts the release before back, which serves then.

    systemd ends procmon at the same time. Where it was first, the module could not see the old release serve; the next
    deploy closes that attempt.
    """
    lost = upstream("blog").publish("waits for a shutdown")
    running = without_retries(laptop).start("deploy", project="blog")
    wait_for_the_hook(web)
    web.reboot()
    assert running.wait().code != 0
    wait_for(lambda: answers(web, "blog four"), "the release before serves", 120)
    deployed(laptop, upstream, "five")
    assert outcomes(web, lost) in (["put_back"], ["broken", "interrupted"])
    assert answers(web, "blog five")


def files_of(server: Server, name: str) -> list[str]:
    """Return what the server has of a project outside of its directory, and that directory."""
    places = ("/etc/systemd/system", "/etc/procmon", "/run/procmon", "/srv", "/home/deploy/.ssh")
    found = server.run("find", *places, "-maxdepth", "1", "-name", f"*{name}*").splitlines()
    return sorted(path for path in found if not path.endswith("wants"))


def removed(laptop: Laptop, name: str, **options: str) -> Done:
    """Remove a project twice, and return the first run: the second one changes nothing."""
    done = laptop.run("remove", project=name, confirm=name, **options)
    assert done.code == 0, done.output
    again = laptop.run("remove", project=name, confirm=name, **options)
    assert (again.code, set(again.changed.values())) == (0, {0}), again.output
    return done


@pytest.mark.timeout(300)
def test_remove_of_one_project_leaves_the_other_also_after_a_boot(laptop: Laptop, web: Server, upstream: Of) -> None:
    """By setup's login of root: the project's user may not stop a unit. The directory goes when that is asked for."""
    shop, shared = files_of(web, "shop"), web.run("ls", "/opt/procmon", "/etc/systemd/system/procmon@.service")
    assert len(shop) == 5, shop
    since = web.sshd().start.rpartition("-- cursor: ")[2]
    assert "kept /srv/blog" in removed(laptop, "blog").text
    assert "Accepted publickey for root" in web.sshd_since(since)
    assert files_of(web, "blog") == ["/srv/blog"]
    assert web.run("stat", "--format=%U", "/srv/blog/current/main.py") == "deploy"
    removed(laptop, "blog", data="true")
    assert (files_of(web, "blog"), files_of(web, "shop")) == ([], shop)
    assert web.run("ls", "/opt/procmon", "/etc/systemd/system/procmon@.service") == shared
    assert web.run("python3", "-c", ASK_SHOP) == "shop five"
    web.reboot()
    wait_for(
        lambda: "http.sock" in web.run("sh", "-c", "ls /run/procmon/shop || true"), "systemd listens for shop", 120
    )
    assert web.run("python3", "-c", ASK_SHOP) == "shop five"
    assert "procmon@blog" not in web.run("systemctl", "list-units", "--all", "--plain", "procmon@*")
    upstream("shop").publish("shop six")
    assert laptop.run("deploy", project="shop").code == 0
    assert web.run("python3", "-c", ASK_SHOP) == "shop six"


@pytest.mark.timeout(300)
def test_remove_of_the_last_project_leaves_nothing_of_it(laptop: Laptop, web: Server) -> None:
    removed(laptop, "shop", data="true")
    assert web.run("find", "/srv", "/run/procmon", "-mindepth", "1") == ""
    assert "procmon@" not in web.run("systemctl", "list-units", "--all", "--plain", "procmon@*")
