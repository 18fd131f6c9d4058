"""The guard against unpushed work: what counts is work for the very ref that is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._unpushed import Answer, find_unpushed, unpushed_error

from tests.support.releases.upstream import Upstream, git


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with all pushed; `feature` is a branch of its own, and so is `v1` a tag."""
    upstream = Upstream.make(tmp_path)
    upstream.commit("one")
    upstream.tag("v1")
    git(tmp_path, "clone", "--quiet", str(upstream.url), "clone")
    path = tmp_path / "clone"
    git(path, "checkout", "--quiet", "-b", "feature")
    git(path, "push", "--quiet", "--set-upstream", "origin", "feature")
    git(path, "checkout", "--quiet", "master")
    return path


def refused(clone: Path, ref: str | None) -> list[str]:
    """Return what a deploy of `ref` would leave behind."""
    error = unpushed_error("blog", str(clone), *find_unpushed(str(clone), ref), force=False)
    return [line.split(maxsplit=1)[1] for line in error.splitlines()[1:-1]] if error else []


def work(clone: Path, branch: str) -> None:
    """Commit on a branch, and leave a change that is not committed."""
    git(clone, "checkout", "--quiet", branch)
    (clone / "VERSION").write_text("two")
    git(clone, "commit", "--quiet", "--all", "--message=two")
    (clone / "VERSION").write_text("three")


@pytest.mark.parametrize("ref", ["origin/master", "master", "refs/heads/master", None])
def test_work_on_the_branch_that_is_deployed_is_refused(clone: Path, ref: str | None) -> None:
    assert refused(clone, ref) == []
    work(clone, "master")
    assert refused(clone, ref) == ["VERSION", "two"]


@pytest.mark.parametrize("ref", ["origin/master", "v1", "refs/tags/v1"])
def test_work_on_another_branch_stops_no_deploy(clone: Path, ref: str) -> None:
    work(clone, "feature")
    assert refused(clone, ref) == []
    assert refused(clone, "origin/feature") == ["VERSION", "two"]


def test_commits_of_the_branch_count_while_another_one_is_checked_out(clone: Path) -> None:
    work(clone, "master")
    git(clone, "checkout", "--quiet", "--force", "feature")
    assert refused(clone, "origin/master") == ["two"]


def test_a_branch_that_was_never_pushed_is_missing_as_a_whole(clone: Path) -> None:
    git(clone, "checkout", "--quiet", "-b", "new")
    work(clone, "new")
    assert refused(clone, "new") == ["VERSION", "two"]


def test_what_is_no_clone_is_named(tmp_path: Path) -> None:
    error = unpushed_error("blog", str(tmp_path), *find_unpushed(str(tmp_path), "master"), force=True)
    assert error is not None
    assert f"`local` is not a git clone: {tmp_path} (fatal: not a git repository" in error


def test_force_is_named_as_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    changes, commits = Answer(0, (" M page",), ""), Answer(0, (), "")
    assert str(unpushed_error("blog", "/x", changes, commits, force=False)).endswith("pushed with -e force=true.")
    monkeypatch.setenv("ONETOUCH_DEPLOY_TYPED", "deploy")
    assert str(unpushed_error("blog", "/x", changes, commits, force=False)).endswith("pushed with --force.")
