"""What a slow line to the servers costs: logins and remote executions, counted by sshd; and who waits for whom."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from pathlib import Path

from ansible_collections.onetouch.deploy.plugins.plugin_utils._board import SESSIONS_PER_SERVER

from tests.integration.playbooks.conftest import Laptop, Upstream
from tests.support.ports import free_port
from tests.support.releases.site import Site
from tests.support.releases.upstream import GIT
from tests.support.releases.upstream import Upstream as Remote
from tests.support.sshd import Counts, Sshd
from tests.support.waiting import until


def test_each_server_is_logged_in_to_once(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    """A single one is asked once; each of several first to make ready, or what it would do, and then to do it."""
    address = "{{ {'blog@a': '127.0.0.1', 'blog@b': '127.0.0.2'}[inventory_hostname] }}"
    login = {"ansible_connection": "ssh", "ansible_host": address, "ansible_port": str(sshd.port)}
    paths = laptop.servers("a b", upstream, **login, ansible_user=getpass.getuser())
    a, b = (Site(path, Remote(url=upstream.path, work=upstream.path)) for path in paths.values())
    a.path.parent.mkdir()
    a.deploy("main")
    b.deploy("main")
    upstream.commit("two")
    a.deploy("main")

    def cost(playbook: str, *words: str) -> Counts:
        before = sshd.counts()
        done = laptop.run(playbook, *words, extra={"project": "blog"})
        assert done.code == 0, done.output
        return sshd.counts().since(before)

    assert cost("playbooks/revert.yml", "--limit", "blog@a,localhost") == Counts(logins=1, executions=1)
    sshd.server.hang_up()
    sockets = Path(laptop.environment["ANSIBLE_SSH_CONTROL_PATH_DIR"])
    until(lambda: not any(sockets.iterdir()), "the end of the shared connection")
    assert cost("playbooks/deploy.yml") == Counts(logins=2, executions=4)
    assert [(path / "current/page").read_text() for path in paths.values()] == ["two", "two"]
    assert cost("playbooks/revert.yml") == Counts(logins=0, executions=4)
    assert [(path / "current/page").read_text() for path in paths.values()] == ["one", "one"]


def over_ssh(laptop: Laptop, sshd: Sshd, upstream: Upstream, *names: str, **settings: object) -> list[Path]:
    """Add projects on the server, of one user who logs in."""
    login = {"connection": "ssh", "host": "127.0.0.1", "port": sshd.port, "user": getpass.getuser()}
    return [laptop.project(name, upstream.path, **login, **settings) for name in names]


def test_a_deploy_to_one_server_is_one_login_and_one_execution(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    """Whether there is something new or not, also with an open connection, and for the other commands."""
    over_ssh(laptop, sshd, upstream, "blog")
    once, open_already = Counts(logins=1, executions=1), Counts(logins=0, executions=1)

    def cost(playbook: str) -> Counts:
        before = sshd.counts()
        done = laptop.run(f"playbooks/{playbook}.yml", extra={"project": "blog"})
        assert done.code == 0, done.output
        return sshd.counts().since(before)

    assert cost("deploy") == once
    assert cost("deploy") == open_already
    sshd.server.hang_up()
    assert cost("deploy") == once
    upstream.commit("two")
    assert cost("deploy") == open_already
    assert [cost("revert"), cost("status")] == [open_already] * 2


def test_projects_on_one_server_share_a_login_and_leave_sessions_free(
    laptop: Laptop, sshd: Sshd, upstream: Upstream
) -> None:
    """sshd at its defaults takes ten sessions of a connection: each hook counts those that are open."""
    lines = laptop.folder / "open"
    lines.mkdir()
    own = f"{lines}/$DEPLOY_PROJECT"
    hook = f"touch {own}; ls {lines} | wc -l >> {laptop.folder}/counted; sleep 0.3; rm {own}"
    names = [f"p{number:02}" for number in range(14)]
    paths = over_ssh(laptop, sshd, upstream, *names, post_deploy=hook)
    before = sshd.counts()
    done = laptop.run("playbooks/deploy.yml", "--forks", "20", extra={"project": "all"})
    assert done.code == 0, done.output
    assert [(path / "current/page").read_text() for path in paths] == ["one"] * len(names)
    assert sshd.counts().since(before) == Counts(logins=1, executions=len(names))
    assert 1 < max(map(int, (laptop.folder / "counted").read_text().split())) <= SESSIONS_PER_SERVER


def test_status_of_six_projects_asks_each_server_once(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    """Both servers are asked at the same time. None of the projects is set up, which fails."""
    servers = {"connection": "ssh", "hosts": ["127.0.0.1", "127.0.0.2"], "port": sshd.port, "user": getpass.getuser()}
    for number in range(6):
        laptop.project(f"p{number}", upstream.path, **servers)
    done = laptop.run("playbooks/status.yml")
    assert done.code == 2, done.output
    assert done.output.count("    not set up\n") == 12
    assert sshd.counts() == Counts(logins=2, executions=2)


def rows(output: str) -> list[list[str]]:
    """Return the words of each row in the table of `status`."""
    return [line.split() for line in output.splitlines() if line.startswith(("blog ", "news ", "shop ", "wiki "))]


def test_status_asks_together_only_what_is_reached_alike(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    """One host at a time, and one project whose variables have no value: it has its own reason, the others rows."""
    over_ssh(laptop, sshd, upstream, "blog", "shop")
    over_ssh(laptop, sshd, upstream, "wiki", ref="{{ missing }}")
    over_ssh(laptop, sshd, upstream, "news", python="/usr/bin/python3")
    done = laptop.run("playbooks/status.yml", "--forks", "1")
    assert done.code == 2, done.output
    assert "The variable project_ref (key ref) of wiki@127.0.0.1 cannot be evaluated." in done.output
    assert [row[:3] for row in rows(done.output)] == [
        ["blog", "127.0.0.1", "-"],
        ["news", "127.0.0.1", "-"],
        ["shop", "127.0.0.1", "-"],
        ["wiki", "127.0.0.1", "?"],
    ]
    assert sshd.counts() == Counts(logins=1, executions=2)


def test_status_of_a_project_that_cannot_be_asked_hides_no_other(
    laptop: Laptop, sshd: Sshd, upstream: Upstream
) -> None:
    """Variables of two have a value, but not one that the module takes: they are asked alone, as the others are."""
    over_ssh(laptop, sshd, upstream, "blog", "news")
    for name in ("shop", "wiki"):
        over_ssh(laptop, sshd, upstream, name, app="main:app", bind=f"unix:/run/{name}")
    (laptop.folder / "group_vars").mkdir()
    (laptop.folder / "group_vars/shop.yml").write_text("supervisor_workers: many\n")
    (laptop.folder / "group_vars/wiki.yml").write_text("supervisor_writable_paths: {a: b}\n")
    done = laptop.run("playbooks/status.yml")
    assert done.code == 2, done.output
    assert [(row[0], row[2]) for row in rows(done.output)] == [
        ("blog", "-"),
        ("news", "-"),
        ("shop", "?"),
        ("wiki", "?"),
    ]
    assert "shop@127.0.0.1: workers is 'many'. It must be a whole number of 1 or more." in done.output
    assert re.search(r"^wiki@127.0.0.1: .*writable_paths", done.output, re.MULTILINE)


def test_status_of_a_server_that_is_down_is_one_try(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    """Its projects have a row each, and those of the other server too."""
    over_ssh(laptop, sshd, upstream, "blog", "shop")
    away = {"connection": "ssh", "host": "127.0.0.2", "port": free_port(), "user": getpass.getuser()}
    for name in ("news", "wiki"):
        laptop.project(name, upstream.path, **away)
    done = laptop.run("playbooks/status.yml")
    assert done.code == 4, done.output
    assert [row[:3] for row in rows(done.output)] == [
        ["blog", "127.0.0.1", "-"],
        ["news", "127.0.0.2", "?"],
        ["shop", "127.0.0.1", "-"],
        ["wiki", "127.0.0.2", "?"],
    ]
    assert sshd.counts() == Counts(logins=1, executions=1)


def test_a_server_that_is_down_costs_its_timeout_once_and_holds_up_no_other(
    laptop: Laptop, sshd: Sshd, upstream: Upstream
) -> None:
    """Its projects share the failed login. It accepts a connection, and never says a word."""
    over_ssh(laptop, sshd, upstream, "blog")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(20)
        login = {"connection": "ssh", "host": "127.0.0.1", "port": silent.getsockname()[1], "user": getpass.getuser()}
        for name in ("one", "two", "three"):
            laptop.project(name, upstream.path, **login)
        laptop.environment["ANSIBLE_TIMEOUT"] = "2"
        done = laptop.run("playbooks/deploy.yml", extra={"project": "all"})
        silent.setblocking(False)
        tries = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
                tries += 1
    assert done.code != 0
    assert tries == 1
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert f"blog@127.0.0.1 {upstream.git('rev-parse', 'HEAD')[:12]} went live" in lines
    for name in ("one", "two", "three"):
        assert f"{name}@127.0.0.1 as before cannot be reached" in lines


# A clone for server b or c begins when the other one's has begun, too.
MEETING = """#!/bin/sh
for name in b c; do
    case "$*" in *clone*/srv/$name/*) touch {met}/$name; tries=0
        until test -e {met}/b && test -e {met}/c; do
            test $((tries += 1)) -lt 600 || exit 1
            sleep 0.05
        done
    esac
done
exec {git} "$@"
"""


def test_servers_prepare_at_the_same_time(laptop: Laptop, upstream: Upstream) -> None:
    """All but the first server, which resolves the commit: two fetches that wait for each other end."""
    shim = laptop.folder / "bin/git"
    shim.parent.mkdir()
    shim.write_text(MEETING.format(met=shim.parent, git=GIT))
    shim.chmod(0o755)
    laptop.environment["PATH"] = os.pathsep.join((str(shim.parent), laptop.environment["PATH"]))
    paths = laptop.servers("a b c", upstream)
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code == 0, done.output
    assert [(path / "current/page").read_text() for path in paths.values()] == ["one"] * 3
