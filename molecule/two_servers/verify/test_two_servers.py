"""Six projects on two servers by one command: its report is what is true on each server, whatever happens to one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from command import Done, Laptop
from procmon import wait_for
from server import Server
from upstream import Upstream

PORTS = {name: 3001 + place for place, name in enumerate(("blog", "cricket", "docs", "news", "shop", "wiki"))}
ON_WEB1 = ("blog", "cricket", "docs", "shop")
ON_WEB2 = ("docs", "news", "shop", "wiki")


@dataclass(frozen=True)
class Site:
    """Both servers, and the developers of all projects."""

    web1: Server
    web2: Server
    upstream: Callable[[str], Upstream]

    def publish(self, version: str, **others: str) -> None:
        """Push a commit of each project; `others` are the versions of those that differ."""
        for name in PORTS:
            self.upstream(name).publish(others.get(name, f"{name} {version}"))

    def answers(self) -> dict[tuple[str, str], str]:
        """Return what each project answers on each of its servers."""
        first = {(name, "web1"): self.web1.get(PORTS[name]) for name in ON_WEB1}
        return first | {(name, "web2"): self.web2.get(PORTS[name]) for name in ON_WEB2}


@pytest.fixture(scope="module")
def site(web1: Server, web2: Server, upstream: Callable[[str], Upstream]) -> Site:
    """What the tests change and look at."""
    return Site(web1, web2, upstream)


def expected(version: str, **others: str) -> dict[tuple[str, str], str]:
    """Return the answers when each project serves `version`, and these others."""
    places = [(name, "web1") for name in ON_WEB1] + [(name, "web2") for name in ON_WEB2]
    return {(name, server): others.get(name, f"{name} {version}") for name, server in places}


def rows(done: Done) -> dict[tuple[str, str], str]:
    """Return the rows of the table that `status` or a deploy has shown: what each project runs on each server."""
    found = re.findall(r"^ *(\w+)(?:@| +)127\.0\.0\.([12]) +([^:\s].*)$", done.output, re.MULTILINE)
    return {(name, f"web{number}"): row for name, number, row in found if name in PORTS}


def end_of_the_last_attempt(server: Server, name: str) -> tuple[str, str]:
    """Return the commit and the outcome of the last attempt that the server has written down."""
    last = json.loads(server.run("tail", "-n", "1", f"/srv/{name}/.deploys.jsonl"))
    return last["commit"], last["outcome"]


@pytest.mark.timeout(600)
def test_one_command_deploys_all_projects_and_status_shows_them(laptop: Laptop, site: Site) -> None:
    site.publish("one")
    done = laptop.run("deploy", project="all")
    assert done.code == 0, done.output
    assert site.answers() == expected("one")
    again = laptop.run("deploy", project="all")
    assert (again.code, set(again.changed.values())) == (0, {0}), again.output
    status = laptop.run("status")
    assert status.code == 0, status.output
    assert set(rows(status)) == set(expected("one"))


@pytest.mark.timeout(600)
def test_a_release_that_breaks_stops_its_own_project_only(laptop: Laptop, site: Site) -> None:
    site.publish("two", wiki="broken wiki")
    done = laptop.run("deploy", project="all")
    assert done.code != 0
    assert "this version does not start: broken wiki" in done.text
    assert site.answers() == expected("two", wiki="wiki one")
    assert set(rows(done)) == set(expected("two"))


@pytest.mark.timeout(900)
def test_a_server_that_vanishes_in_the_middle_is_reported_and_comes_to_its_own_end(laptop: Laptop, site: Site) -> None:
    """The hook of `news` waits on web2 while that server vanishes; it goes on when the server is back."""
    site.publish("three", news="waits for news")
    running = laptop.start("deploy", project="all")
    wait_for(lambda: "waiting" in site.web2.run("ls", "/srv/news/shared"), "the hook of news has started", 300)
    with site.web2.gone():
        done = running.wait()
        answers = {name: site.web1.get(PORTS[name]) for name in ON_WEB1}
    assert done.code != 0
    assert rows(done)["news", "web2"].endswith("the connection broke"), done.output
    # docs and shop are on both servers: they have gone live on web1 where web2 had prepared them before it vanished.
    for name, answer in answers.items():
        reported_live = rows(done)[name, "web1"].startswith(site.upstream(name).head()[:12])
        assert answer == (f"{name} three" if reported_live or name in ("blog", "cricket") else f"{name} two"), name
    site.web2.run("touch", "/srv/news/shared/go")
    sha = site.upstream("news").head()
    wait_for(lambda: end_of_the_last_attempt(site.web2, "news") == (sha, "live"), "news is live on web2", 120)
    assert site.web2.get(PORTS["news"]) == "waits for news"
    last = laptop.run("deploy", project="all")
    assert last.code == 0, last.output
    assert site.answers() == expected("three", news="waits for news")
