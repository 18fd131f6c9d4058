# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploying a project without procmon: what is on disk afterwards, and what hooks see."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import history as log
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git


def test_the_first_deploy_makes_all_there_is(site: Site, upstream: Upstream) -> None:
    sha = upstream.commit("one", app_py="print(1)")
    report = site.deploy()
    assert report.changed
    assert (report.commit, report.previous_commit, report.outcome) == (sha, None, "live")
    assert report.release == str(site.paths.release(sha))
    assert [commit.subject for commit in report.commits] == ["one"]
    assert os.readlink(site.paths.current) == f"releases/{sha[:12]}"  # noqa: PTH115  the text as it stands
    assert site.logged == [git(site.paths.source, "rev-parse", "--short", sha)]
    assert (site.paths.shared / "logs").is_dir()
    assert (site.paths.shared / "pids").is_dir()
    assert site.consistent()


def test_the_same_commit_again_touches_nothing(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one")
    site.deploy()
    before = site.snapshot()
    report = site.deploy(post_deploy=f"touch {tmp_path}/ran", pre_deploy=f"touch {tmp_path}/ran")
    assert not report.changed
    assert report.commits == []
    assert not (tmp_path / "ran").exists()
    assert site.snapshot() == before


def test_force_deploys_the_live_commit_again(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one")
    site.deploy()
    assert site.deploy(force=True, post_deploy=f"touch {tmp_path}/ran").changed
    assert (tmp_path / "ran").exists()
    assert len(site.logged) == 2


def test_the_commits_between_are_reported(site: Site, upstream: Upstream) -> None:
    first = upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    upstream.commit("three")
    report = site.deploy()
    assert [commit.subject for commit in report.commits] == ["three", "two"]
    assert report.previous_commit == first


def test_prepare_changes_nothing_live_and_deploy_then_needs_no_remote(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    second = upstream.commit("two")
    report = site.run(state="prepared", ref="origin/master")
    assert (report.changed, report.commit, report.outcome) == (True, second, "prepared")
    assert site.version == "one"
    assert not site.run(state="prepared", ref=second).changed
    upstream.url.rename(upstream.url.with_name("away"))
    site.deploy(ref="origin/master", commit=second)
    assert site.version == "two"


def test_hooks_run_in_the_new_release_with_all_variables(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    first = upstream.commit("one")
    site.deploy()
    second = upstream.commit("two")
    message = "pwd -P; cat VERSION; echo $SHARED $DEPLOY_PROJECT $DEPLOY_COMMIT $DEPLOY_PREVIOUS $DEPLOY_REF"
    message += " $DEPLOY_PATH $DEPLOY_RELEASE; readlink $DEPLOY_PATH/current"
    hooks = {name: f"({message}) > {tmp_path}/{name}" for name in ("pre_deploy", "post_deploy", "test")}
    site.deploy(**hooks)
    release = site.paths.release(second)
    answered = [str(release), "two"]
    answered.append(f"{site.paths.shared} blog {second} {first} master {site.path} {release}")
    assert (tmp_path / "pre_deploy").read_text().splitlines() == [*answered, f"releases/{first[:12]}"]
    for name in ("post_deploy", "test"):
        assert (tmp_path / name).read_text().splitlines() == [*answered, f"releases/{second[:12]}"]


def test_a_hook_has_a_clean_path_with_the_environment_of_the_release_first(
    site: Site, upstream: Upstream, tmp_path: Path
) -> None:
    sha = upstream.commit("one", _venv__bin__tool="")
    site.deploy(post_deploy=f"echo $PATH > {tmp_path}/path; echo ${{PYTHONPATH-none}} >> {tmp_path}/path")
    path, pythonpath = (tmp_path / "path").read_text().splitlines()
    assert path.split(":")[0] == f"{site.paths.release(sha)}/.venv/bin"
    assert path.endswith(":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    assert pythonpath == "none"


def test_a_daemon_that_a_hook_leaves_behind_does_not_hold_the_deploy_or_the_lock(
    site: Site, upstream: Upstream, tmp_path: Path
) -> None:
    """A pipe would be held open by it, and an inherited lock would never be free again."""
    upstream.commit("one")
    daemon = tmp_path / "daemon"
    site.deploy(post_deploy=f"(read line < {tmp_path}/gate) & echo $! > {daemon}", pre_deploy=f"mkfifo {tmp_path}/gate")
    assert Path(f"/proc/{daemon.read_text().strip()}").exists()
    assert not site.deploy().changed
    (tmp_path / "gate").write_text("go\n")


def test_shared_paths_outlive_releases(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy(shared_paths=["public/system", "data"])
    (site.paths.current / "data/photo").write_text("cat")
    upstream.commit("two")
    site.deploy(shared_paths=["public/system", "data"])
    assert (site.paths.current / "data/photo").read_text() == "cat"
    assert (site.paths.current / "public/system").resolve() == site.paths.shared / "public/system"


def test_what_the_repository_has_in_a_shared_path_is_its_first_content(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", data__seed="grown")
    site.deploy(shared_paths=["data"])
    (site.paths.shared / "data/seed").write_text("mine")
    upstream.commit("two", data__seed="other")
    site.deploy(shared_paths=["data"])
    assert (site.paths.current / "data/seed").read_text() == "mine"


def test_byte_code_is_there_before_anything_is_live(site: Site, upstream: Upstream) -> None:
    sha = upstream.commit("one", app_py="x = 1", template_py="{{ not python }}")
    site.run(state="prepared", ref="master")
    assert list((site.paths.release(sha) / "__pycache__").glob("app.*.pyc"))


def test_byte_code_of_what_did_not_change_is_inherited(site: Site, upstream: Upstream) -> None:
    """So that preparing costs what has changed; what a hook edited in the live release is not taken for unchanged."""
    upstream.commit("one", same_py="x = 1", edited_py="x = 1", changed_py="x = 1")
    site.deploy(post_deploy="sed -i 's/1/7/' edited.py && python3 -m compileall -q . ")
    twins = {path.name: path.stat().st_mtime_ns for path in site.paths.current.glob("*.py")}
    upstream.commit("two", changed_py="x = 2")
    site.deploy()
    times = {path.name: path.stat().st_mtime_ns for path in site.paths.current.glob("*.py")}
    assert times["same.py"] == twins["same.py"]
    assert times["edited.py"] != twins["edited.py"]
    values = "import same, edited, changed; print(same.x, edited.x, changed.x)"
    done = run_command([sys.executable, "-v", "-c", values], cwd=str(site.paths.current), env={"PYTHONPATH": "."})
    assert done.out.split() == ["1", "1", "2"]
    assert "code object from './same.py'" not in done.err
    assert "# wrote" not in done.err


def test_old_releases_go_and_the_previous_one_stays(site: Site, upstream: Upstream) -> None:
    shas = []
    for number in range(4):
        shas.append(upstream.commit(f"v{number}"))
        site.deploy(keep=1)
    assert {path.name for path in site.paths.releases.iterdir() if path.name[0] != "."} == {
        sha[:12] for sha in shas[-2:]
    }
    assert len(git(site.paths.source, "worktree", "list").splitlines()) == 3


def test_a_release_that_was_pruned_is_made_again_without_the_remote(site: Site, upstream: Upstream) -> None:
    for number in range(4):
        upstream.commit(f"v{number}")
        site.deploy(keep=1)
    upstream.url.rename(upstream.url.with_name("away"))
    site.revert(steps=3)
    assert site.version == "v0"


def test_a_force_push_and_gc_do_not_take_a_deployed_commit(site: Site, upstream: Upstream) -> None:
    first = upstream.commit("one")
    site.deploy()
    lost = upstream.commit("mistake")
    site.deploy()
    upstream.rewind(first)
    upstream.commit("better")
    for _ in range(3):
        upstream.commit("more")
        site.deploy(keep=1)
    git(site.paths.source, "reflog", "expire", "--expire=now", "--all")
    git(site.paths.source, "gc", "--quiet", "--prune=now")
    site.revert(to=lost)
    assert site.version == "mistake"


def test_the_journal_tells_who_did_what(site: Site, upstream: Upstream) -> None:
    sha = upstream.commit("one")
    site.deploy()
    (entry,) = log.read_journal(site.paths.journal)
    assert (entry["by"], entry["action"], entry["ref"], entry["commit"]) == ("tj", "deploy", "master", sha)
    assert (entry["from"], entry["to"], entry["outcome"], entry["error"]) == (None, sha, "live", "")
    assert {phase["name"] for phase in entry["phases"]} >= {"fetch", "checkout", "switch"}


@pytest.mark.parametrize("state", ["deployed", "prepared", "reverted"])
@pytest.mark.parametrize("strategy", ["releases", "in_place"])
def test_a_current_that_is_no_link_is_refused(site: Site, upstream: Upstream, state: str, strategy: str) -> None:
    """A directory cannot be replaced in one instant. Nothing of it is changed, and nothing beside it."""
    for version in ("one", "two"):
        upstream.commit(version)
        site.deploy(strategy=strategy)
    upstream.commit("three")
    site.paths.current.unlink()
    shutil.copytree(site.paths.source, site.paths.current, symlinks=True)
    before = site.snapshot()
    failure = site.fail(state=state, ref="master" if state != "reverted" else None, strategy=strategy)
    assert "is not a symlink. Move it away" in failure.text
    assert site.snapshot() == before
