"""The commands as a user types them: where they run, which projects they take, and their errors."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import ROOT, Laptop, Upstream


@pytest.mark.parametrize(
    ("form", "folder"), [("{}.yml", "playbooks"), ("playbooks/{}.yml", "."), ("onetouch.deploy.{}", ".")]
)
def test_each_command_runs_from_everywhere(laptop: Laptop, upstream: Upstream, form: str, folder: str) -> None:
    """From `playbooks/`, from the root, and by the collection's name."""

    def run(command: str) -> str:
        done = laptop.run(form.format(command), cwd=ROOT / folder, extra={"project": "blog"})
        assert done.code == 0, done.output
        return done.output

    path = laptop.project("blog", upstream.path)
    assert "Make the directories and clone the repository] **" in run("setup"), "announced before it is done"
    assert (path / "source").is_dir()
    assert not (path / "current").exists()
    assert "blog@localhost: " in run("deploy")
    upstream.commit("two")
    run("deploy")
    run("revert")
    assert (path / "current/page").read_text() == "one"
    assert upstream.git("rev-list", "--max-parents=0", "HEAD")[:12] in run("status")
    assert "the project has no app" in run("restart")


@pytest.mark.parametrize(
    ("playbook", "project", "says"),
    [
        ("deploy", {}, "Which project? Name it with -e project=NAME. Known projects: blog, shop."),
        ("setup", {"project": ""}, "Which project? Name it with -e project=NAME. Known projects: blog, shop."),
        ("revert", {"project": "blgo,shop"}, 'There is no project "blgo". Known projects: blog, shop.'),
        ("restart", {"project": "blgo"}, 'There is no project "blgo". Known projects: blog, shop.'),
        ("status", {"project": "blgo"}, 'There is no project "blgo". Known projects: blog, shop.'),
    ],
)
def test_a_project_that_is_not_there_is_an_error_with_those_that_are(
    laptop: Laptop, upstream: Upstream, playbook: str, project: dict[str, str], says: str
) -> None:
    """Nothing is asked of any server, also not for the project that is there."""
    for name in ("blog", "shop"):
        laptop.project(name, upstream.path)
    done = laptop.run(f"playbooks/{playbook}.yml", extra=project)
    assert done.code != 0
    assert says in " ".join(done.output.split())
    assert not (laptop.folder / "srv").exists()


def test_an_inventory_that_is_not_there_says_what_to_do(laptop: Laptop) -> None:
    """The first error that a newcomer makes."""
    laptop.inventory.unlink()
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code != 0
    assert "Copy docs/examples/projects.yml to inventory/projects.yml" in " ".join(done.output.split())


def test_several_projects_and_all_projects(laptop: Laptop, upstream: Upstream) -> None:
    """Other hosts of the inventory belong to no project, and are left alone."""
    paths = [laptop.project(name, upstream.path) for name in ("blog", "shop", "wiki")]
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog,shop"}).code == 0
    assert [path.exists() for path in paths] == [True, True, False]
    foreign = laptop.folder / "foreign.ini"
    foreign.write_text("foreign ansible_connection=local\n")
    done = laptop.run("playbooks/deploy.yml", "-i", str(foreign), extra={"project": "all"})
    assert done.code == 0, done.output
    assert [path.exists() for path in paths] == [True, True, True]
    assert "foreign" not in done.changed


def test_what_cannot_be_found_is_named_with_what_there_is(laptop: Laptop, upstream: Upstream) -> None:
    """A ref that does not exist, and more steps than the log has; nothing is changed by either."""
    path = laptop.project("blog", upstream.path)
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    before = (path / ".deploys").read_text()
    unknown = laptop.run("playbooks/deploy.yml", extra={"project": "blog", "ref": "origin/mian"})
    assert unknown.code != 0
    assert "Branches: main" in unknown.output
    far = laptop.run("playbooks/revert.yml", extra={"project": "blog", "steps": "3"})
    assert far.code != 0
    assert f"{upstream.git('rev-parse', 'HEAD')[:12]} (live)" in far.output
    assert (path / ".deploys").read_text() == before
    assert (path / "current/page").read_text() == "one"


def test_there_and_back(laptop: Laptop, upstream: Upstream) -> None:
    """Deploy, deploy, revert by a step and again, revert to a commit; the same again changes nothing."""
    first = upstream.git("rev-parse", "HEAD")
    path = laptop.project("blog", upstream.path)
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    second = upstream.commit("two")
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    again = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert (again.code, again.changed["blog@localhost"]) == (0, 0)
    assert laptop.run("playbooks/revert.yml", extra={"project": "blog"}).code == 0
    assert (path / "current/page").read_text() == "one"
    forward = laptop.run("playbooks/revert.yml", extra={"project": "blog"})
    assert (path / "current/page").read_text() == "two"
    a, b = first[:12], second[:12]
    assert f"another revert would return to {a}; the log, oldest first: {a} {b} {a} {b} (live)" in forward.output
    assert laptop.run("playbooks/revert.yml", extra={"project": "blog", "to": first}).code == 0
    assert (path / "current/page").read_text() == "one"
    live = [line.split()[0] for line in (path / ".deploys").read_text().splitlines()]
    for commit, line in zip([first, second, first, second, first], live, strict=True):
        assert commit.startswith(line)


def test_all_servers_get_the_commit_that_the_first_one_found(
    laptop: Laptop, upstream: Upstream, tmp_path: Path
) -> None:
    """A commit is pushed between two servers' fetches: the second server's remote is ahead here from the start."""
    ahead = tmp_path / "ahead"
    upstream.git("clone", "--quiet", str(upstream.path), str(ahead))
    wanted = upstream.git("rev-parse", "HEAD")
    Upstream(ahead).commit("later")
    hosts = "".join(
        f"blog@{name} project_repo={repo} project_path={tmp_path}/srv/{name}\n"
        for name, repo in (("a", upstream.path), ("b", ahead))
    )
    local = f"ansible_connection=local\nansible_python_interpreter={sys.executable}\n"
    common = f"{local}project_name=blog\nproject_ref=origin/main\n"
    laptop.inventory = tmp_path / "hosts.ini"
    laptop.inventory.write_text(f"[blog]\n{hosts}[blog:vars]\n{common}")
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code == 0, done.output
    journal = [json.loads((tmp_path / f"srv/{name}/.deploys.jsonl").read_text()) for name in ("a", "b")]
    assert [(line["commit"], line["ref"]) for line in journal] == [(wanted, "origin/main")] * 2


def test_a_project_that_fails_stops_no_other_and_the_end_shows_what_each_runs(
    laptop: Laptop, upstream: Upstream
) -> None:
    """The second project's repository is gone. Nothing of it is there, and the first one is live."""
    path = laptop.project("blog", upstream.path)
    gone = laptop.project("shop", laptop.folder / "gone")
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog,shop"})
    assert done.code != 0
    assert (path / "current/page").read_text() == "one"
    assert not (gone / "current").exists()
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    table = lines[lines.index("SERVER RUNS NOTE") + 1 :]
    assert table[:2] == [
        f"blog@localhost {upstream.git('rev-parse', 'HEAD')[:12]} went live",
        "shop@localhost nothing failed, nothing was changed",
    ]


def test_work_that_was_not_pushed_is_not_forgotten(laptop: Laptop, upstream: Upstream, tmp_path: Path) -> None:
    """The original's guard, on the project's own clone."""
    clone = tmp_path / "clone"
    upstream.git("clone", "--quiet", str(upstream.path), str(clone))
    path = laptop.project("blog", upstream.path, local=str(clone))
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    Upstream(clone).commit("unpushed")
    (clone / "page").write_text("not committed")
    refused = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert refused.code != 0
    assert "M page" in refused.output
    assert re.search(r"^ *[0-9a-f]{7,} Say unpushed$", refused.output, re.MULTILINE)
    upstream.commit("two")
    forced = laptop.run("playbooks/deploy.yml", extra={"project": "blog", "force": "true"})
    assert forced.code == 0, forced.output
    assert (path / "current/page").read_text() == "two"


def test_the_guard_minds_a_clone_without_upstream_and_names_what_is_no_clone(
    laptop: Laptop, upstream: Upstream, tmp_path: Path
) -> None:
    """As in the original, a branch that follows nothing cannot be ahead of anything."""
    clone = Upstream(tmp_path / "clone")
    clone.commit("mine")
    laptop.project("blog", upstream.path, local=str(clone.path))
    laptop.project("shop", upstream.path, local=str(tmp_path / "nowhere"))
    assert laptop.run("playbooks/deploy.yml", extra={"project": "blog"}).code == 0
    done = laptop.run("playbooks/deploy.yml", extra={"project": "shop"})
    assert done.code != 0
    assert f"`local` is not a git clone: {tmp_path}/nowhere" in " ".join(done.output.split())


def test_a_playbook_that_imports_ours_sets_the_variables_of_the_command(laptop: Laptop, upstream: Upstream) -> None:
    """They are no part of the inventory, where they would apply to every run."""
    path = laptop.project("blog", upstream.path)
    own = laptop.folder / "release.yml"
    ours = {"import_playbook": "onetouch.deploy.deploy", "vars": {"project": "blog", "ref": "one"}}
    own.write_text(json.dumps([{"name": "Release", **ours}]))
    done = laptop.run(str(own))
    assert done.code == 0, done.output
    assert (path / "current/page").read_text() == "one"
