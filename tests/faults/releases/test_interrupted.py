# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed: the next one finds one whole release live, says what it found, and puts it right."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import locks as git_locks

from tests.support.releases.fake_procmon import FakeProcmon
from tests.support.releases.shim import GitShim, opened
from tests.support.releases.site import Site
from tests.support.releases.upstream import GIT, Upstream, git
from tests.support.waiting import until

# What changes the disk, or starts a program that does: between two of these nothing can differ for the next run.
ACTIONS = frozenset({"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"})
CHANGING = frozenset({"worktree", "update-ref", "reset", "fetch", "compileall", "true"})
KILL = "kill -9 $PPID"


def run_and_die(action: Callable[[], object], at: int) -> bool:
    """Run `action` in a process of its own that is killed before its action number `at`; say whether it was."""
    pid = os.fork()
    if pid == 0:
        _die_at(at)
        action()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def _die_at(at: int) -> None:
    left = at

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in ACTIONS or _is_write(event, arguments) or _is_changing(event, arguments):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _is_write(event: str, arguments: tuple[object, ...]) -> bool:
    if event != "open":
        return False
    opened, _mode, flags = arguments
    return opened != os.devnull and isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _is_changing(event: str, arguments: tuple[object, ...]) -> bool:
    if event != "subprocess.Popen" or not isinstance(arguments[1], list):
        return False
    return not CHANGING.isdisjoint(map(os.fsdecode, arguments[1]))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_killed_before_any_action_one_release_is_whole_and_the_next_run_ends_well(
    site: Site, upstream: Upstream
) -> None:
    """Each action in turn: after the kill `current` is whole, and the same deploy then succeeds."""
    upstream.commit("v0", app_py="x = 0")
    site.deploy()
    at = 0
    died = True
    while died:
        at += 1
        upstream.commit(f"v{at}")
        died = run_and_die(lambda: site.deploy(post_deploy="true", keep=2), at)
        assert site.version in {f"v{at - 1}", f"v{at}"}
        assert (site.paths.current / "public/system").is_dir()
        site.deploy(post_deploy="true", keep=2)
        assert site.version == f"v{at}"
        assert site.consistent()
        assert not site.paths.unfinished.exists()
    assert not site.paths.discarded.exists()
    assert at > 20


def test_killed_after_the_switch_the_next_deploy_verifies_the_release_again(
    site: Site, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    assert site.exit_code(ref="master", post_deploy=KILL) == -signal.SIGKILL
    assert (site.version, len(site.logged)) == ("two", 1)
    report = site.deploy(post_deploy=f"touch {tmp_path}/ran")
    assert (tmp_path / "ran").exists()
    assert "was interrupted" in report.warnings[0]
    assert site.outcomes == ["live", "interrupted", "live"]
    assert site.consistent()


def test_killed_after_the_switch_another_deploy_that_fails_puts_back_the_proven_release(
    site: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    """What the killed run left live was never proven: it is not what one goes back to."""
    upstream.commit("one")
    site.deploy(status_file=procmon.status_file)
    upstream.commit("two")
    site.exit_code(ref="master", status_file=str(procmon.status_file), test=KILL)
    assert procmon.serves == str(site.paths.current.resolve())
    upstream.commit("three", BROKEN="")
    site.fail(ref="master", status_file=procmon.status_file)
    assert site.version == "one"
    assert procmon.serves == str(site.paths.current.resolve())
    assert site.consistent()


def test_killed_before_the_switch_nothing_has_happened(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    site.exit_code(ref="master", pre_deploy=KILL)
    assert site.version == "one"
    report = site.revert(to=site.logged[0])
    assert "is still live" in report.warnings[0]
    assert site.consistent()


def test_a_manual_deploy_after_the_kill_is_not_undone(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    site.exit_code(ref="master", post_deploy=KILL)
    site.paths.current.unlink()
    site.paths.current.symlink_to(site.paths.source)
    report = site.deploy()
    assert "there has been another deploy since" in report.warnings[0]
    assert site.consistent()


def test_in_place_a_kill_after_the_reset_is_undone(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy(strategy="in_place")
    upstream.commit("two")
    site.exit_code(ref="master", strategy="in_place", post_deploy=KILL)
    assert site.version == "two"
    failure = site.fail(ref="nowhere", strategy="in_place")
    assert site.version == "one"
    assert "was restored" in failure.report.warnings[0]
    assert site.consistent()


def test_what_was_begun_in_place_is_undone_in_place(site: Site, upstream: Upstream) -> None:
    """Also by a run with the other strategy: the clone's files are what is live."""
    upstream.commit("one")
    site.deploy(strategy="in_place")
    upstream.commit("two")
    site.exit_code(ref="master", strategy="in_place", post_deploy=KILL)
    assert "was restored" in site.fail(ref="nowhere").report.warnings[0]
    assert site.version == "one"
    assert site.consistent()


def test_what_was_begun_in_a_release_leaves_the_clones_files_alone(site: Site, upstream: Upstream) -> None:
    """A file that a user changed there is theirs; only a deploy in place would overwrite it."""
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    site.exit_code(ref="master", post_deploy=KILL)
    (site.paths.source / "VERSION").write_text("mine")
    site.fail(ref="nowhere", strategy="in_place")
    assert (site.paths.source / "VERSION").read_text() == "mine"
    assert site.version == "one"


def test_a_terminated_run_takes_its_release_back(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one")
    site.deploy()
    two = upstream.commit("two")
    hook = f"test $DEPLOY_COMMIT = {two} || exit 0; echo > {tmp_path}/up; exec sleep 300"
    process = site.start(ref="master", post_deploy=hook)
    until((tmp_path / "up").exists, "the hook")
    process.send_signal(signal.SIGTERM)
    until(lambda: site.version == "one", "the release before")
    out, _ = process.communicate()
    assert "stopped by SIGTERM" in out
    assert site.consistent()


def test_a_lost_connection_does_not_stop_a_deploy(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one")
    gate = f"mkfifo {tmp_path}/gate; echo > {tmp_path}/up; read line < {tmp_path}/gate"
    process = site.start(ref="master", post_deploy=gate)
    until((tmp_path / "up").exists, "the hook")
    process.send_signal(signal.SIGHUP)
    (tmp_path / "gate").write_text("go\n")
    process.communicate()
    assert process.returncode == 0
    assert site.consistent()


def test_a_lock_file_of_a_git_that_died_does_not_stop_a_deploy(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy(strategy="in_place")
    upstream.commit("two")
    (site.paths.source / ".git/index.lock").touch()
    assert "removed index.lock" in site.deploy(strategy="in_place").warnings[0]
    assert site.version == "two"
    assert site.consistent()


@pytest.fixture(params=[False, True], ids=["straight", "by a link"])
def reached(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> Site:
    """A project whose path is a real one, and one whose path leads through a symlink."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    return Site(tmp_path / ("link/blog" if request.param else "real/blog"), upstream)


def test_a_release_that_was_being_made_is_forgotten(reached: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    reached.deploy()
    sha = upstream.commit("two")
    git(reached.paths.source, "fetch", "--quiet")
    making = reached.paths.unfinished / sha[:12]
    git(reached.paths.source, "worktree", "add", "--quiet", "--detach", str(making), sha)
    reached.deploy()
    assert len(git(reached.paths.source, "worktree", "list").splitlines()) == 3
    assert reached.consistent()


def test_a_lock_file_stays_while_a_git_works_there(
    reached: Site, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_locks, "GIT_EXIT_SECONDS", 0.1)
    upstream.commit("one")
    reached.deploy(strategy="in_place")
    upstream.commit("two")
    (reached.paths.source / ".git/index.lock").touch()
    with subprocess.Popen([GIT, "cat-file", "--batch"], cwd=reached.paths.source, stdin=subprocess.PIPE) as working:
        assert "another git process works in" in reached.fail(ref="master", strategy="in_place").text
        assert working.poll() is None
        assert working.stdin
        working.stdin.close()
    assert reached.version == "one"


def test_preparing_leaves_what_an_interrupted_run_goes_back_to(site: Site, upstream: Upstream) -> None:
    """With one release kept, it would be the one to make the next out of."""
    upstream.commit("one")
    site.deploy(keep=1)
    upstream.commit("two")
    site.exit_code(ref="master", keep=1, post_deploy=KILL)
    upstream.commit("three")
    site.run(state="prepared", ref="master", keep=1)
    site.fail(ref="master", keep=1, test="false")
    assert site.version == "one"
    assert site.consistent()


@pytest.mark.parametrize("state", ["present", "prepared"])
@pytest.mark.parametrize("check", [False, True], ids=["", "check"])
def test_who_only_makes_ready_says_what_was_interrupted(
    site: Site, upstream: Upstream, state: str, *, check: bool
) -> None:
    """And leaves it: nothing live may change by it."""
    upstream.commit("one")
    site.deploy()
    two = upstream.commit("two")
    site.exit_code(ref="master", post_deploy=KILL, by="anna")
    report = (site.check if check else site.run)(state=state, ref="master")
    assert "the run of anna at 20" in report.warnings[0]
    assert f"was interrupted ({two[:12]}); the next deploy or revert recovers from it" in report.warnings[0]
    assert site.version == "two"
    assert "had not been verified" in site.deploy().warnings[0]
    assert site.run(state=state, ref="master").warnings == []


def test_a_previous_release_that_was_removed_is_recreated(site: Site, upstream: Upstream) -> None:
    one = upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    site.exit_code(ref="master", post_deploy=KILL)
    shutil.rmtree(site.paths.release(one))
    assert "was restored" in site.fail(ref="nowhere").report.warnings[0]
    assert site.version == "one"
    assert site.consistent()


def test_nothing_is_live_by_a_link_that_leads_nowhere(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one")
    site.deploy()
    shutil.copytree(site.paths.current, tmp_path / "elsewhere")
    site.paths.current.unlink()
    site.paths.current.symlink_to(tmp_path / "elsewhere")
    upstream.commit("two")
    site.exit_code(ref="master", post_deploy=KILL)
    shutil.rmtree(tmp_path / "elsewhere")
    assert f"cannot be undone: {tmp_path}/elsewhere is missing. Restore that directory" in site.fail(ref="master").text
    assert site.version == "two"


@pytest.mark.parametrize("command", ["clone", "fetch", "worktree add"])
def test_a_git_does_not_outlive_its_run(
    site: Site, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """It would go on in directories that the next run removes or fills."""
    upstream.commit("one")
    if command != "clone":
        site.deploy()
        upstream.commit("two")
    shim = GitShim(tmp_path / "shim", command)
    with monkeypatch.context() as shimmed:
        shim.put_before(shimmed)
        process = site.start(ref="master")
        shim.reach()
    process.kill()
    process.communicate()
    site.deploy()
    assert not shim.open()
    assert site.consistent()
    assert not site.paths.unfinished.exists()


def test_a_hook_does_not_outlive_its_run(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    """Nor what it has started. The next run's hooks would have it beside them."""
    upstream.commit("one")
    gate = tmp_path / "gate"
    process = site.start(ref="master", pre_deploy=f"mkfifo {gate}; (echo > {tmp_path}/up; read line < {gate}); true")
    until((tmp_path / "up").exists, "the hook")
    process.kill()
    process.communicate()
    site.deploy()
    assert not opened(gate)
    assert site.consistent()
