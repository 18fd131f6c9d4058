"""`status`: one row per project and server, with what is live, since when, and what a person should know."""

from __future__ import annotations

import getpass
import os
import re

from tests.support.waiting import until

from .conftest import Laptop, Upstream

# A hook that waits until the test has seen what it wants to see.
WAIT = "touch $DEPLOY_PATH/waits; until test -e $DEPLOY_PATH/goes; do sleep 0.05; done"


def shown(laptop: Laptop, code: int = 0) -> list[str]:
    """Run `status`, which ends with `code`, and return its lines."""
    done = laptop.run("playbooks/status.yml")
    assert done.code == code, done.output
    lines = done.output.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("PROJECT "))
    return [line for line in lines[start:] if line.startswith(("PROJECT", "blog ", "shop ", "    "))]


def rows(laptop: Laptop, code: int = 0) -> list[list[str]]:
    """Return the header and rows of `status`, each split where two blanks separate columns."""
    return [re.split(r" {2,}", line) for line in shown(laptop, code) if not line.startswith(" ")]


def test_status_shows_every_project_on_one_screen(laptop: Laptop, upstream: Upstream) -> None:
    """Also one that is not set up yet."""
    laptop.project("blog", upstream.path)
    laptop.project("shop", upstream.path)
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    head, blog, shop, note, *_result = shown(laptop, 2)
    assert head.split() == ["PROJECT", "SERVER", "LIVE", "SINCE", "BY", "WORKERS", "SUBJECT"]
    cells = re.split(r" {2,}", blog)
    assert cells[:3] == ["blog", "localhost", upstream.git("rev-parse", "HEAD")[:12]]
    assert re.fullmatch(r"\d+[sm]", cells[3])
    assert cells[4:] == [getpass.getuser(), "-", "Say one"]
    assert shop.split() == ["shop", "localhost", "-", "-"]
    assert note == "    not set up"


def test_status_during_a_deploy_is_one_sentence(laptop: Laptop, upstream: Upstream) -> None:
    """After the switch the log, the clone and `current` disagree until the deploy ends: that is no drift."""
    path = laptop.project("blog", upstream.path)
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    laptop.inventory.write_text(f"{laptop.inventory.read_text()}    post_deploy: {WAIT}\n")
    upstream.commit("two")
    deploy = laptop.start("playbooks/deploy.yml", extra={"project": "blog"})
    until((path / "waits").exists, "the hook")
    _head, _blog, note = shown(laptop)
    (path / "goes").touch()
    output, _errors = deploy.communicate()
    assert deploy.returncode == 0, output
    by = f"{getpass.getuser()}@{os.uname().nodename}"
    assert re.fullmatch(rf"    {re.escape(by)} is deploying origin/main, for \d+ s", note)
    assert len(shown(laptop)) == 2


def test_servers_of_one_project_on_different_commits_are_named(laptop: Laptop, upstream: Upstream) -> None:
    laptop.servers("a b", upstream)
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    assert len(shown(laptop)) == 3
    upstream.commit("two")
    done = laptop.run("playbooks/deploy.yml", "--limit", "blog@b,localhost", extra={"project": "blog"})
    assert done.code == 0, done.output
    first, second = (upstream.git("rev-parse", tag)[:12] for tag in ("one", "two"))
    assert [(row[1], row[2]) for row in rows(laptop, 2)[1:3]] == [("a", first), ("b", second)]
    assert "    the servers of blog have different commits live" in shown(laptop, 2)


def test_what_the_original_script_has_deployed_is_live_since_its_line_in_the_log(
    laptop: Laptop, upstream: Upstream
) -> None:
    """It writes no journal."""
    path = laptop.project("blog", upstream.path, strategy="in_place")
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    two = upstream.commit("two")
    source = Upstream(path / "source")
    source.git("fetch", "--quiet", "origin")
    source.git("reset", "--quiet", "--hard", two)
    log = path / ".deploys"
    log.write_text(f"{log.read_text()}{two[:7]}\n")
    os.utime(log, (0, log.stat().st_mtime - 3 * 3600))
    assert rows(laptop)[1][2:4] == [two[:12], "3h"]
