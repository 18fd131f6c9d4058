"""Deploys of one project on one server."""

from __future__ import annotations

import json
from collections.abc import Callable

from command import Laptop
from load import load
from server import Server
from upstream import Upstream

BLOG = 3001
TRACES = "cd /srv/blog; cat .deploys shared/logs/hook.log; stat -L -c %y current/public/system/restart"
TREE = "cd /srv/blog; ls -lAR --time-style=full-iso releases .deploys .deploys.jsonl current | sha256sum"
Of = Callable[[str], Upstream]


def journal(server: Server) -> list[dict[str, str]]:
    """The attempts that blog's server has written down, oldest first."""
    return [json.loads(line) for line in server.run("cat", "/srv/blog/.deploys.jsonl").splitlines()]


def test_a_commit_goes_live(laptop: Laptop, web1: Server, upstream: Of) -> None:
    sha = upstream("blog").publish("live")
    done = laptop.run("deploy", project="blog")
    assert done.code == 0, done.output
    assert web1.get(BLOG) == "live"
    assert sha.startswith(web1.run("tail", "-n", "1", "/srv/blog/.deploys"))
    assert web1.run("readlink", "-f", "/srv/blog/current") == f"/srv/blog/releases/{sha[:12]}"


def test_the_same_commit_again_changes_nothing(laptop: Laptop, web1: Server, upstream: Of) -> None:
    """No hook, no touch, no line in the log: `changed=0` must be the truth."""
    upstream("blog").publish("again")
    assert laptop.run("deploy", project="blog").code == 0
    before = web1.run("sh", "-c", TRACES)
    done = laptop.run("deploy", project="blog")
    assert done.code == 0, done.output
    assert set(done.changed.values()) == {0}
    after = web1.run("sh", "-c", TRACES)
    assert after == before


def test_a_deploy_from_cold_is_one_login(cold_laptop: Laptop, web1: Server, upstream: Of) -> None:
    """What the laptop waits for on a slow line, counted by sshd on the other end."""
    upstream("blog").publish("counted")
    sshd = web1.sshd()
    done = cold_laptop.run("deploy", project="blog")
    assert done.code == 0, done.output
    logins, executions = sshd.count()
    assert logins == 1
    assert executions == 1


def test_no_request_is_lost_while_a_new_version_goes_live(laptop: Laptop, web1: Server, upstream: Of) -> None:
    upstream("blog").publish("old")
    assert laptop.run("deploy", project="blog").code == 0
    upstream("blog").publish("new")
    with load(web1, BLOG) as report:
        done = laptop.run("deploy", project="blog")
    assert done.code == 0, done.output
    assert report.lost == []
    assert set(report.answers) == {"old", "new"}


def test_a_version_that_does_not_start_fails_and_the_old_one_serves_on(
    laptop: Laptop, web1: Server, upstream: Of
) -> None:
    good = upstream("blog").publish("good")
    assert laptop.run("deploy", project="blog").code == 0
    lines = web1.run("wc", "-l", "/srv/blog/.deploys")
    bad = upstream("blog").publish("broken")
    with load(web1, BLOG) as report:
        done = laptop.run("deploy", project="blog")
    assert done.code != 0
    assert "this version does not start: broken" in done.output
    assert report.lost == []
    assert set(report.answers) == {"good"}
    assert web1.run("readlink", "-f", "/srv/blog/current") == f"/srv/blog/releases/{good[:12]}"
    assert web1.run("wc", "-l", "/srv/blog/.deploys") == lines
    assert journal(web1)[-1]["commit"] == bad
    assert journal(web1)[-1]["outcome"] == "put_back"


def test_a_hook_that_fails_puts_the_old_version_back(laptop: Laptop, web1: Server, upstream: Of) -> None:
    upstream("blog").publish("before")
    assert laptop.run("deploy", project="blog").code == 0
    bad = upstream("blog").publish("hook")
    done = laptop.run("deploy", project="blog")
    assert done.code != 0
    assert f"the hook does not like {bad}" in done.output
    assert web1.get(BLOG) == "before"


def test_a_ref_that_does_not_exist_is_named_with_what_there_is(laptop: Laptop) -> None:
    done = laptop.run("deploy", project="blog", ref="origin/mian")
    assert done.code != 0
    assert "origin/mian" in done.output
    assert "main" in done.output.replace("origin/mian", "")


def test_check_mode_shows_the_commits_and_changes_nothing(laptop: Laptop, web1: Server, upstream: Of) -> None:
    upstream("blog").publish("shown")
    assert laptop.run("deploy", project="blog").code == 0
    upstream("blog").publish("unseen")
    before = web1.run("sh", "-c", TREE)
    done = laptop.run("deploy", "--check", "--diff", project="blog")
    assert done.code == 0, done.output
    assert "Say unseen" in done.output
    assert web1.run("sh", "-c", TREE) == before
    assert web1.get(BLOG) == "shown"
