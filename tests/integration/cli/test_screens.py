"""Whole screens of the command at 80x24: six projects on two servers, and what a user mistypes, with a real sshd."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.cli.conftest import Desk, over_ssh
from tests.integration.playbooks.conftest import Upstream
from tests.support.ports import free_port
from tests.support.sshd import Sshd
from tests.support.terminal import Terminal

NAMES = ("api", "blog", "cricket", "docs", "shop", "wiki")
SERVERS = ("127.0.0.1", "127.0.0.2")
PLACES = [(name, SERVERS[number % 2]) for number, name in enumerate(NAMES)]


@contextmanager
def typed(desk: Desk, *words: str, columns: int = 80) -> Iterator[Terminal]:
    """Type the command in a terminal of 24 lines, and wait for its end."""
    environment = {**desk.environment, "ANSIBLE_STDOUT_CALLBACK": "onetouch.deploy.terminal"}
    terminal = Terminal(desk.argv(*words), desk.folder, environment, columns, 24)
    try:
        terminal.end()
        yield terminal
    finally:
        terminal.close()


def lines_of(terminal: Terminal) -> list[str]:
    """Return all lines of a screen, with each time as `0.0 s`; they fit."""
    text = terminal.screen.history()
    assert terminal.screen.text() == text, "it fits the screen"
    assert max(map(len, text.split("\n"))) <= terminal.screen.columns
    return re.sub(r" +\d+\.\d s", " 0.0 s", text).split("\n")


def test_six_projects_on_two_servers(desk: Desk, sshd: Sshd, upstream: Upstream) -> None:
    for name, server in PLACES:
        desk.project(name, upstream, **over_ssh(sshd, server))
    sha = upstream.git("rev-parse", "HEAD")[:12]
    with typed(desk, "all") as terminal:
        head, *rows, last = lines_of(terminal)
        assert terminal.process.returncode == 0
    assert head == "api, blog, cricket, docs, shop, wiki on 2 servers"
    assert sorted(rows) == [f"✔ {f'{name}@{server}':<17}  {sha}  went live 0.0 s  Say one" for name, server in PLACES]
    assert last == "✔ 6 projects on 2 servers, 0.0 s"

    # One of the servers is away: its projects share the reason, and no line is broken within a word.
    away = free_port()
    for name, server in PLACES[1::2]:
        desk.project(name, upstream, **{**over_ssh(sshd, server), "port": away})
    for columns in (80, 160):
        with typed(desk, "status", columns=columns) as terminal:
            head, *rows = lines_of(terminal)
            assert terminal.process.returncode == 4
        assert head.split() == ["PROJECT", "SERVER", "LIVE", "SINCE", "BY", "WORKERS", "SUBJECT"]
        assert [row.split()[:3] for row in rows[:6]] == [
            [name, server, sha if server == SERVERS[0] else "?"] for name, server in PLACES
        ]
        reason = " ".join(" ".join(rows[6:]).split())
        assert re.fullmatch(
            r"blog, docs, wiki on 127\.0\.0\.2: cannot be reached: connect to host 127\.0\.0\.2 port \d+: "
            r"Connection refused\. Check that it runs, and that `host`, `port` and its firewall are right",
            reason,
        ), reason

    with typed(desk, "blog", "exec", "ls") as terminal:
        lines = lines_of(terminal)
    assert lines[0].startswith("deploy: blog@127.0.0.2 cannot be reached, or the connection broke: connect to")
    assert " ".join(" ".join(lines).split()).endswith(
        "Connection refused. Check that it runs, and that `host`, `port` and its firewall are right."
    )


def test_a_name_and_a_key_that_are_misspelt(desk: Desk, upstream: Upstream) -> None:
    desk.project("blog", upstream)
    with typed(desk, "blgo") as terminal:
        assert lines_of(terminal) == ['[ERROR]: There is no project "blgo". Known projects: blog.']
    desk.project("blog", upstream, posst_deploy="true", workers="many")
    with typed(desk, "blog") as terminal:
        head, *lines = terminal.screen.history().split("\n")
    assert head == "[ERROR]: invalid project configuration:"
    found = " ".join(" ".join(lines).split())
    assert "project blog, posst_deploy: unknown key; did you mean 'post_deploy'?" in found
    assert "project blog, workers: must be an integer from 1 to 512, not 'many'" in found
