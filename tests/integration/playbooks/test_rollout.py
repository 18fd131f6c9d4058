"""A project on several servers: they get one commit, the first failure stops, and a report shows what each one runs."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Done, Laptop, Upstream
from tests.support.sshd import Sshd

# Fails where the file that the server's name stands in is there.
TEST = "test ! -e $DEPLOY_PATH/ill"


def pages(paths: dict[str, Path]) -> list[str]:
    """What each server serves."""
    return [(path / "current/page").read_text() if (path / "current").exists() else "" for path in paths.values()]


def rows(output: str) -> list[str]:
    """The rows of the report, blanks folded."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    start = lines.index("SERVER RUNS NOTE") + 1
    return lines[start : lines.index("", start)]


def report(output: str) -> list[str]:
    """The rows of the project blog."""
    return [line for line in rows(output) if line.startswith("blog@")]


@pytest.mark.parametrize(
    ("at_once", "expected"), [("1", ["two", "one", "one", "one"]), ("2", ["two", "one", "one", "one"])]
)
def test_the_first_failure_stops_the_rollout_and_says_what_each_server_runs(
    laptop: Laptop, upstream: Upstream, at_once: str, expected: list[str]
) -> None:
    paths = laptop.servers("a b c d", upstream, project_test=TEST)
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    one, two = upstream.git("rev-parse", "HEAD")[:12], upstream.commit("two")[:12]
    (paths["b"] / "ill").touch()
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog", "at_once": at_once})
    assert done.code != 0
    assert pages(paths) == expected
    rows = report(done.output)
    assert rows[:2] == [f"blog@a {two} went live", f"blog@b {one} failed, previous release restored"]
    assert rows[2:4] == [f"blog@{name} {one} {two} is prepared, not reached" for name in "cd"]


def test_a_revert_after_a_rollout_that_was_stopped_brings_all_to_one_commit(laptop: Laptop, upstream: Upstream) -> None:
    """The second server's log is shorter by what it never served: a step back is not the same for both."""
    paths = laptop.servers("a b", upstream, project_test=TEST)
    for text in ("", "two"):
        assert not text or upstream.commit(text)
        assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    upstream.commit("three")
    (paths["b"] / "ill").touch()
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code != 0
    assert pages(paths) == ["three", "two"]
    (paths["b"] / "ill").unlink()
    done = laptop.run("playbooks/revert.yml", extra={"project": "blog"})
    assert done.code == 0, done.output
    assert pages(paths) == ["two", "two"]
    done = laptop.run("playbooks/revert.yml", extra={"project": "blog"})
    assert done.code != 0, "the second server never served what the first one came from"
    assert "has never been live" in " ".join(done.output.split())
    assert pages(paths) == ["two", "two"], "found before any server goes back"


# An ssh that finds no server once the file is there; with `after` it first runs what it was asked, and then breaks.
BREAKING_SSH = """#!/bin/sh
fail() {{ echo "ssh: connect to host b port 22: Connection refused" >&2; exit 255; }}
test -e {folder}/down && fail
case "$*" in *-O*|*-N*) exec {ssh} "$@";; esac
{ssh} "$@"; code=$?
test -e {folder}/break && fail
exit $code
"""


def behind_ssh(laptop: Laptop, sshd: Sshd, upstream: Upstream, **settings: str) -> dict[str, Path]:
    """A project on three servers, the second one behind an ssh that breaks."""
    script = laptop.folder / "ssh-b"
    script.write_text(BREAKING_SSH.format(folder=laptop.folder, ssh=sshd.bin / "ssh"))
    script.chmod(0o755)
    paths = laptop.servers("a b c", upstream, **settings)
    hosts = json.loads(laptop.inventory.read_text())
    login = {"ansible_host": "127.0.0.1", "ansible_port": sshd.port, "ansible_user": getpass.getuser()}
    hosts["all"]["children"]["blog"]["hosts"]["blog@b"] |= {
        **login,
        "ansible_connection": "ssh",
        "ansible_ssh_executable": str(script),
        "ansible_ssh_retries": 0,
    }
    laptop.inventory.write_text(json.dumps(hosts))
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    return paths


def test_a_server_that_cannot_be_reached_stops_the_rollout(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    """It answers while all prepare, and is gone when its turn comes; in the next deploy it is gone from the start."""
    hook = f"test ! -e {laptop.folder}/srv/go || touch {laptop.folder}/down"
    paths = behind_ssh(laptop, sshd, upstream, project_post_deploy=hook)
    one, two = upstream.git("rev-parse", "HEAD")[:12], upstream.commit("two")[:12]
    (laptop.folder / "srv/go").touch()
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code != 0
    assert pages(paths) == ["two", "one", "one"]
    rows = [
        f"blog@a {two} went live",
        f"blog@b {one} cannot be reached",
        f"blog@c {one} {two} is prepared, not reached",
    ]
    assert report(done.output)[:3] == rows
    three = upstream.commit("three")[:12]
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code != 0
    assert pages(paths) == ["two", "one", "one"], "no server switches when one cannot prepare"
    rows = [f"blog@a {two} {three} is prepared, not reached", "blog@b as before cannot be reached"]
    assert report(done.output)[:2] == rows


def test_a_server_whose_connection_breaks_while_it_switches_is_not_known(
    laptop: Laptop, sshd: Sshd, upstream: Upstream
) -> None:
    paths = behind_ssh(
        laptop, sshd, upstream, project_post_deploy=f"test ! -e {laptop.folder}/srv/go || touch {laptop.folder}/break"
    )
    two = upstream.commit("two")[:12]
    (laptop.folder / "srv/go").touch()
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code != 0
    assert pages(paths) == ["two", "two", "one"]
    assert report(done.output)[:2] == [f"blog@a {two} went live", "blog@b not known the connection broke"]
    assert "What it serves now is not known. Ask with status." in " ".join(done.output.split())


def test_projects_go_live_side_by_side(laptop: Laptop, upstream: Upstream) -> None:
    """The hook of each waits for the other one's."""
    both = f"test -e {laptop.folder}/blog -a -e {laptop.folder}/shop"
    meet = f"touch {laptop.folder}/$DEPLOY_PROJECT; until {both}; do sleep 0.05; done"
    for name in ("blog", "shop"):
        laptop.project(name, upstream.path, post_deploy=meet, hook_timeout=60)
    done = laptop.run("playbooks/deploy.yml", extra={"project": "all"})
    assert done.code == 0, done.output


def test_the_servers_of_each_project_take_turns(laptop: Laptop, upstream: Upstream) -> None:
    """With so few forks that not all hosts can run at the same time, and a failure in one of two projects."""
    order = f"echo $DEPLOY_PROJECT $(basename $DEPLOY_PATH) >> {laptop.folder}/order; test ! -e $DEPLOY_PATH/ill"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    common = {**local, "project_ref": "origin/main", "project_repo": str(upstream.path), "project_post_deploy": order}
    groups = {}
    for name in ("blog", "shop"):
        hosts = {f"{name}@{server}": {"project_path": f"{laptop.folder}/{name}-{server}"} for server in "abc"}
        groups[name] = {"hosts": hosts, "vars": {"project_name": name}}
    laptop.inventory = laptop.folder / "hosts.yml"
    laptop.inventory.write_text(json.dumps({"all": {"children": groups, "vars": common}}))
    (laptop.folder / "shop-b").mkdir()
    (laptop.folder / "shop-b/ill").touch()
    done = laptop.run("playbooks/deploy.yml", "--forks", "2", extra={"project": "blog,shop"})
    assert done.code != 0
    order_of = [line.split() for line in (laptop.folder / "order").read_text().splitlines()]
    assert [server for project, server in order_of if project == "blog"] == ["blog-a", "blog-b", "blog-c"]
    assert "shop-c" not in [server for _project, server in order_of]
    shown = {row.split()[0]: row.partition(" ")[2].partition(" ")[2] for row in rows(done.output)}
    assert [shown[f"blog@{server}"] for server in "abc"] == ["went live"] * 3
    commit = upstream.git("rev-parse", "HEAD")[:12]
    assert shown["shop@b"] == "failed, previous release restored"
    assert shown["shop@c"] == f"{commit} is prepared, not reached"


def test_at_once_that_is_no_number_changes_nothing(laptop: Laptop, upstream: Upstream) -> None:
    paths = laptop.servers("a b", upstream)
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog", "at_once": "half"})
    assert done.code != 0
    assert "at_once is 'half'. It must be a whole number of 1 or more." in " ".join(done.output.split())
    assert not any((path / "current").exists() for path in paths.values())


def test_check_mode_shows_what_would_go_live_on_each_server(laptop: Laptop, upstream: Upstream) -> None:
    paths = laptop.servers("a b", upstream)
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    two = upstream.commit("two")[:12]
    done = laptop.run("playbooks/deploy.yml", "--check", "--diff", extra={"project": "blog"})
    assert done.code == 0, done.output
    assert pages(paths) == ["one", "one"]
    for server in "ab":
        assert f"blog@{server}: {two} would go live (1 commit)" in done.output
    assert f"+ {two} Say two" in done.output


def own_play(laptop: Laptop, hosts: str) -> Done:
    """Run both steps in a play that is not of this collection."""
    steps = [{"onetouch.deploy.rollout": {"state": "deployed", "step": step}} for step in ("prepare", "activate")]
    play = {"hosts": hosts, "gather_facts": False, "tasks": steps}
    (laptop.folder / "own.yml").write_text(json.dumps([play]))
    return laptop.run(str(laptop.folder / "own.yml"))


def test_a_play_of_ones_own_may_activate_a_single_server(laptop: Laptop, upstream: Upstream) -> None:
    """It went live while it was prepared: there is nothing to wait for."""
    paths = laptop.servers("a", upstream)
    done = own_play(laptop, "blog")
    assert done.code == 0, done.output
    assert pages(paths) == ["one"]


def test_a_first_server_that_cannot_even_begin_fails_the_others(laptop: Laptop, upstream: Upstream) -> None:
    """A variable of it cannot be evaluated. Those after it learn that, instead of waiting for it."""
    paths = laptop.servers("a b", upstream)
    hosts = json.loads(laptop.inventory.read_text())
    hosts["all"]["children"]["blog"]["hosts"]["blog@a"]["project_name"] = "{{ nothing }}"
    laptop.inventory.write_text(json.dumps(hosts))
    done = own_play(laptop, "blog")
    assert done.code != 0
    assert "The variable project_name of blog@a cannot be evaluated." in done.output
    assert not any((path / "current").exists() for path in paths.values())


def test_a_limit_may_leave_out_the_first_server(laptop: Laptop, upstream: Upstream) -> None:
    paths = laptop.servers("a b c", upstream)
    done = laptop.run("playbooks/deploy.yml", "--limit", "blog@b,blog@c,localhost", extra={"project": "blog"})
    assert done.code == 0, done.output
    assert pages(paths) == ["", "one", "one"]


def test_all_projects_of_an_inventory_that_holds_other_servers_too(laptop: Laptop, upstream: Upstream) -> None:
    """Without a group of projects `all` would be every server."""
    laptop.servers("a b", upstream)
    foreign = laptop.folder / "foreign.ini"
    foreign.write_text("foreign ansible_connection=local\n")
    done = laptop.run("playbooks/deploy.yml", "-i", str(foreign), extra={"project": "all"})
    assert done.code != 0
    assert "foreign belong to no project" in " ".join(done.output.split())
    assert laptop.run("playbooks/deploy.yml", extra={"project": "all"}).code == 0
