"""Each system, driven by each controller: from a server without the project to a deploy, a revert and a removal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Done, Laptop
from server import Server
from upstream import Upstream

BLOG, OTHER, WIKI = 3001, 3002, 3003
PROJECTS = "blog,cricket,shop"
DEPLOY_KEY = "/var/www/.ssh/deploy_wiki.pub"
Of = Callable[[str], Upstream]


def well(done: Done) -> Done:
    """Return a run that went well."""
    assert done.code == 0, done.output
    return done


def unchanged(done: Done) -> bool:
    """Return whether a run that went well has changed nothing."""
    return set(well(done).changed.values()) == {0}


def answers(servers: list[Server]) -> list[str]:
    """Return what each app answers to this machine: blog on both systems, then the other Pythons'."""
    return [server.get_from_outside(port) for port in (BLOG, OTHER) for server in servers]


@pytest.mark.timeout(1500)
def test_a_project_from_setup_to_removal(controller: Laptop, servers: list[Server], upstream: Of) -> None:
    """Each step twice: the second one changes nothing."""
    for project in PROJECTS.split(","):
        well(controller.run("remove", project=project, confirm=project, data="true"))
        assert unchanged(controller.run("remove", project=project, confirm=project, data="true"))
    assert [server.run("find", "/srv", "-mindepth", "1") for server in servers] == ["", ""]
    check = well(controller.set_up(PROJECTS, "--check"))
    assert all(changed > 0 for changed in check.changed.values())
    assert [server.run("find", "/srv", "-mindepth", "1") for server in servers] == ["", ""]
    well(controller.set_up(PROJECTS))
    assert unchanged(controller.set_up(PROJECTS))
    for version in ("one", "two"):
        for project in PROJECTS.split(","):
            upstream(project).publish(f"{project} {version}")
        assert "would" in well(controller.run("deploy", "--check", project=PROJECTS)).output
        well(controller.run("deploy", project=PROJECTS))
        assert answers(servers) == [f"{name} {version}" for name in ("blog", "blog", "cricket", "shop")]
    assert unchanged(controller.run("deploy", project=PROJECTS))
    well(controller.run("revert", project=PROJECTS))
    assert answers(servers) == ["blog one", "blog one", "cricket one", "shop one"]
    shown = well(controller.run("status")).output
    assert len(re.findall(r"^(?:blog|cricket|shop) +127\.0\.0\.[12] ", shown, re.MULTILINE)) == 4


def interpreter(server: Server, project: str) -> str:
    """Return the version of Python in which a project's workers run."""
    return server.run(f"/srv/{project}/current/.venv/bin/python", "-c", "import sys; print(sys.prefix, sys.version)")


def test_each_app_runs_in_the_python_of_its_section(servers: list[Server]) -> None:
    debian12, debian13 = servers
    assert " 3.11." in interpreter(debian12, "blog")
    assert " 3.13." in interpreter(debian13, "blog")
    assert " 3.11." in interpreter(debian13, "shop")
    made_from = debian12.run("cat", "/srv/cricket/current/.venv/pyvenv.cfg")
    assert "/opt/python" in made_from or "home = /usr/bin" in made_from
    for server, project in ((debian12, "cricket"), (debian13, "shop")):
        status = json.loads(server.run("cat", f"/run/procmon/{project}/status.json"))
        assert {worker["state"] for worker in status["workers"]} == {"active"}


def test_the_deploy_user_has_no_root(servers: list[Server]) -> None:
    """What needs root is done by `admin: root`; sudo refuses this user everything."""
    for server in servers:
        refused = server.run("sh", "-c", "runuser -u deploy -- sudo -n true 2>&1 || true")
        assert "password is required" in refused or "may not run sudo" in refused
        assert server.run("stat", "--format=%U", "/srv/blog/current/main.py") == "deploy"


def test_sshd_forwards_nothing_and_has_no_sftp(servers: list[Server]) -> None:
    for server in servers:
        settings = server.run("/usr/sbin/sshd", "-T").splitlines()
        assert {"allowtcpforwarding no", "allowagentforwarding no", "x11forwarding no"} <= set(settings)
        assert not [line for line in settings if line.startswith("subsystem")]


@pytest.mark.timeout(600)
def test_a_user_without_a_login_shell_is_named_with_what_to_do(
    laptop: Laptop, servers: list[Server], upstream: Of, tmp_path: Path
) -> None:
    """www-data of Debian has /usr/sbin/nologin, no home and no key; the remedies are those of the messages."""
    section = {"host": "127.0.0.2", "user": "www-data", "repo": "git@upstream:blog.git", "path": "/srv/wiki"}
    section |= {"ref": "origin/main", "app": "main:app", "bind": f"0.0.0.0:{WIKI}"}
    wiki = laptop.with_settings(tmp_path, "wiki", **section)
    refused = wiki.set_up("wiki")
    assert refused.code != 0
    output = " ".join(refused.output.split())
    assert "user www-data cannot log in, because its shell is /usr/sbin/nologin" in output
    debian13 = servers[1]
    assert debian13.run("find", "/srv", "-maxdepth", "1", "-name", "wiki") == ""
    for remedy in ("usermod -s /bin/bash www-data", "mkhomedir_helper www-data"):
        assert remedy in output
        debian13.run(*remedy.split())
    upstream("blog").publish("as www-data")
    refused = wiki.set_up("wiki")
    assert "add this key there" in " ".join(refused.output.split())
    servers[0].run("sh", "-c", f"echo '{debian13.run('cat', DEPLOY_KEY)}' >>/home/git/.ssh/authorized_keys")
    well(wiki.set_up("wiki"))
    well(wiki.run("deploy", project="wiki"))
    assert debian13.get_from_outside(WIKI) == "as www-data"
    assert debian13.run("stat", "--format=%U", "/srv/wiki/current/main.py") == "www-data"
    well(wiki.run("remove", project="wiki", confirm="wiki", data="true"))
