"""A project on several servers: they get one commit, the first failure stops, and a report shows what each one runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Laptop, Upstream

# Fails where the file that the server's name stands in is there.
TEST = "test ! -e $DEPLOY_PATH/ill"


def pages(paths: dict[str, Path]) -> list[str]:
    """What each server serves."""
    return [(path / "current/page").read_text() if (path / "current").exists() else "" for path in paths.values()]


def report(output: str) -> list[str]:
    """The rows of the report, blanks folded."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    start = lines.index("SERVER RUNS NOTE") + 1
    return [line for line in lines[start:] if line.startswith("blog@")]


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
    assert rows[:2] == [f"blog@a {two} went live", f"blog@b {one} {two} failed, the previous release was restored"]
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


def test_a_server_that_cannot_be_reached_stops_the_rollout(laptop: Laptop, upstream: Upstream) -> None:
    """It answers while all prepare, and is gone when its turn comes."""
    paths = laptop.servers("a b c", upstream, project_post_deploy="touch $DEPLOY_PATH/../gone")
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    (laptop.folder / "srv/gone").unlink()
    two = upstream.commit("two")[:12]
    gone = f"{{{{ lookup('ansible.builtin.pipe', 'test -e {laptop.folder}/srv/gone && echo ssh || echo local') }}}}"
    text = laptop.inventory.read_text().replace('"blog@b": {', f'"blog@b": {{"ansible_connection": "{gone}", ')
    laptop.inventory.write_text(text)
    unreachable = {"ansible_host": "127.0.0.1", "ansible_port": "9", "ansible_ssh_retries": "0"}
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog", **unreachable})
    assert done.code != 0
    assert pages(paths) == ["two", "one", "one"]
    assert report(done.output)[:2] == [f"blog@a {two} went live", "blog@b not known cannot be reached"]


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
