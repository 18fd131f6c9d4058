# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploying a project that procmon serves: the deploy ends when procmon has answered, or takes everything back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import procmon as procmon_module
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import history as log

from tests.support.releases.fake_procmon import FakeProcmon
from tests.support.releases.shim import opened
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream


@pytest.fixture
def served(site: Site, upstream: Upstream, procmon: FakeProcmon) -> Site:
    """Return a site whose first release is live and served."""
    upstream.commit("one")
    site.deploy(status_file=procmon.status_file)
    return site


def test_a_deploy_ends_when_the_new_release_serves(served: Site, upstream: Upstream, procmon: FakeProcmon) -> None:
    sha = upstream.commit("two")
    report = served.deploy(status_file=procmon.status_file)
    assert procmon.serves == str(served.paths.release(sha))
    assert "reload" in {phase["name"] for phase in report.phases}


def test_a_touch_by_the_hook_is_the_one_that_is_answered(
    served: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    sha = upstream.commit("two")
    procmon.reloads.clear()
    served.deploy(status_file=procmon.status_file, post_deploy="touch public/system/restart")
    assert procmon.reloads == [sha[:12]]


def test_the_restart_file_may_be_anywhere(site: Site, upstream: Upstream, procmon: FakeProcmon, tmp_path: Path) -> None:
    procmon.restart_file = tmp_path / "restart"
    sha = upstream.commit("one")
    site.deploy(status_file=procmon.status_file, restart_file=str(procmon.restart_file))
    assert procmon.reloads == [sha[:12]]


def test_the_file_that_procmon_watches_is_touched_also_when_the_key_has_changed(
    served: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    """Until procmon has reread its configuration a touch of another file would wait for an answer that never comes."""
    sha = upstream.commit("two")
    procmon.message["restart_file"] = str(procmon.restart_file)
    procmon.write()
    served.deploy(
        status_file=procmon.status_file, restart_file="tmp/restart", post_deploy="mkdir -p tmp; touch tmp/restart"
    )
    assert procmon.reloads[-1] == sha[:12]


def test_a_release_that_fails_to_start_is_rolled_back(served: Site, upstream: Upstream, procmon: FakeProcmon) -> None:
    upstream.commit("bad", BROKEN="")
    failure = served.fail(ref="master", status_file=procmon.status_file)
    assert "No module named 'flask'" in failure.error.detail
    assert failure.report.outcome == "put_back"
    assert failure.text.splitlines()[0].endswith("was restored and is live")
    assert served.version == "one"
    assert procmon.serves == str(served.paths.current.resolve())
    assert served.consistent()
    assert served.outcomes == ["live", "put_back"]
    assert len(served.logged) == 1


@pytest.mark.parametrize("hook", ["post_deploy", "test"])
def test_a_hook_that_fails_after_the_switch_takes_it_back(
    served: Site, upstream: Upstream, procmon: FakeProcmon, hook: str
) -> None:
    upstream.commit("two")
    failure = served.fail(ref="master", status_file=procmon.status_file, **{hook: "echo because; exit 3"})
    assert f"{hook} failed (exit 3)" in failure.text
    assert failure.error.detail == "because"
    assert served.version == "one"
    assert procmon.serves == str(served.paths.current.resolve())
    assert served.consistent()


def test_a_hook_that_fails_before_the_switch_changes_nothing(
    served: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    upstream.commit("two")
    procmon.reloads.clear()
    failure = served.fail(ref="master", status_file=procmon.status_file, pre_deploy="exit 1")
    assert "Nothing was changed" in failure.text
    assert procmon.reloads == []
    assert served.consistent()
    assert served.outcomes[-1] == "failed"


@pytest.mark.parametrize("hook", ["pre_deploy", "post_deploy", "test"])
def test_a_hook_that_hangs_is_ended_with_all_it_has_started(
    served: Site, upstream: Upstream, procmon: FakeProcmon, tmp_path: Path, hook: str
) -> None:
    """It would hold the lock for ever."""
    upstream.commit("two")
    hanging = {hook: f"echo because; mkfifo {tmp_path}/gate; (read line < {tmp_path}/gate); true"}
    failure = served.fail(ref="master", status_file=procmon.status_file, hook_timeout=2, **hanging)
    assert f"{hook} hook timed out after 2 s and was killed: echo because" in failure.text
    assert "Raise hook_timeout if it needs longer" in failure.text
    assert failure.error.detail == "because"
    assert not opened(tmp_path / "gate")
    assert served.version == "one"
    assert served.consistent()


def test_no_answer_in_time_takes_it_back(served: Site, upstream: Upstream, procmon: FakeProcmon) -> None:
    upstream.commit("slow", HANGS="")
    failure = served.fail(ref="master", status_file=procmon.status_file, reload_timeout=0.3)
    late = (
        "procmon did not finish reloading within 0.3 s (state: serving). Raise reload_timeout if the app starts slowly"
    )
    assert failure.text.startswith(late)
    assert served.version == "one"
    assert served.consistent()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the default short enough for a test to wait."""
    monkeypatch.setattr(procmon_module, "RELOAD_SECONDS", 1.0)
    monkeypatch.setattr(procmon_module, "MARGIN_SECONDS", 0.2)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("since", ["before", "the new configuration"])
def test_a_deploy_waits_as_long_as_procmon_says_that_a_reload_may_take(
    served: Site, upstream: Upstream, procmon: FakeProcmon, since: str
) -> None:
    """With `surge: one` and connections that stay open it may be longer than the default."""
    if since == "before":
        procmon.message["reload_limit"] = 30
        procmon.write()
    else:
        procmon.next_limit = 30
    procmon.reload_seconds = 2.0
    sha = upstream.commit("streams")
    assert served.deploy(status_file=procmon.status_file).outcome == "live"
    assert procmon.serves == str(served.paths.release(sha))


@pytest.mark.usefixtures("_impatient")
def test_a_deploy_does_not_wait_longer_than_procmon_says(
    served: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    procmon.next_limit = 1.2
    upstream.commit("slow", HANGS="")
    failure = served.fail(ref="master", status_file=procmon.status_file)
    assert "procmon did not finish reloading within 1.4 s (state: serving). Raise reload_timeout if" in failure.text
    assert served.version == "one"


def test_a_timeout_of_the_user_holds_and_is_compared_with_what_a_reload_may_take(
    served: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    procmon.next_limit = 185
    upstream.commit("slow", HANGS="")
    failure = served.fail(ref="master", status_file=procmon.status_file, reload_timeout=0.3)
    assert failure.text.startswith(
        "procmon did not finish reloading within 0.3 s (state: serving). "
        "By procmon's configuration a reload may take 185 s: raise reload_timeout to 215, or remove it"
    )
    assert served.version == "one"


def test_procmon_dying_during_the_reload_is_reported_and_the_previous_release_is_restored(
    served: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    """The files are put back for the procmon that is started next; that nothing serves now must not be hidden."""
    upstream.commit("deadly", DEADLY="")
    failure = served.fail(ref="master", status_file=procmon.status_file, reload_timeout=0.5)
    assert "procmon died" in failure.text
    one = served.paths.current.readlink()
    assert f"Live now: current -> {one}; procmon is not running, so nothing answers" in failure.text
    assert failure.report.outcome == "broken"
    assert served.version == "one"


def test_a_previous_release_that_fails_to_start_is_reported(
    served: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    one = served.paths.current.readlink()
    (served.paths.current / "BROKEN").touch()
    two = upstream.commit("two")
    failure = served.fail(ref="master", status_file=procmon.status_file, test="false")
    assert "Restoring" in failure.text
    assert "failed too: the new workers failed to start" in failure.text
    assert f"Live now: current -> {one}; procmon serves {served.paths.release(two)}" in failure.text
    assert failure.report.outcome == "broken"


@pytest.mark.parametrize("supervised", [True, False])
def test_a_link_that_cannot_be_restored_is_reported(
    served: Site, upstream: Upstream, procmon: FakeProcmon, *, supervised: bool
) -> None:
    two = upstream.commit("two")
    status_file = procmon.status_file if supervised else ""
    hook = "cd $DEPLOY_PATH; rm .current.back; mkdir .current.new; exit 1"
    failure = served.fail(ref="master", status_file=status_file, test=hook)
    serves = f"; procmon serves {served.paths.release(two)}" if supervised else ""
    assert failure.text.endswith(
        f"Live now: current -> releases/{two[:12]}{serves}. The next deploy or revert restores it first"
    )
    (served.paths.path / ".current.new").rmdir()
    assert served.fail(ref="nowhere", status_file=status_file).report.warnings
    assert served.version == "one"


def test_a_procmon_that_serves_nothing_is_reported(procmon: FakeProcmon) -> None:
    asked = procmon_module.Procmon("blog", procmon.status_file, procmon.restart_file)
    assert asked.describe() == "procmon serves nothing (state: waiting)"


def test_without_a_running_procmon_nothing_is_changed(served: Site, upstream: Upstream, procmon: FakeProcmon) -> None:
    upstream.commit("two")
    procmon.die()
    failure = served.fail(ref="master", status_file=procmon.status_file)
    assert "procmon is not running for blog (its process " in failure.text
    assert "has ended). Start it with: systemctl start procmon@blog. If that fails, " in failure.text
    assert "run setup" in failure.text
    assert served.version == "one"
    assert served.outcomes[-1] == "failed"
    assert served.consistent()


def test_a_first_deploy_that_fails_leaves_nothing_live(site: Site, upstream: Upstream, procmon: FakeProcmon) -> None:
    upstream.commit("bad", BROKEN="")
    failure = site.fail(ref="master", status_file=procmon.status_file)
    assert "Nothing was live before" in failure.text
    assert not os.path.lexists(site.paths.current)
    (upstream.work / "BROKEN").unlink()
    upstream.commit("good")
    site.deploy(status_file=procmon.status_file)
    assert site.version == "good"


def test_the_live_commit_is_deployed_again_when_procmon_serves_another(served: Site, procmon: FakeProcmon) -> None:
    assert not served.deploy(status_file=procmon.status_file).changed
    procmon.message["release"] = "/elsewhere"
    procmon.write()
    assert served.deploy(status_file=procmon.status_file).changed


def test_without_a_status_file_nothing_is_touched(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    assert not (site.paths.current / "public/system/restart").exists()


def test_without_procmon_the_post_hook_starts_the_previous_release_again(
    site: Site, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    site.fail(ref="master", post_deploy=f"cat VERSION >> {tmp_path}/started", test="false")
    assert (tmp_path / "started").read_text().split() == ["two", "one"]


def test_what_a_hook_writes_is_kept_on_the_server(served: Site, upstream: Upstream) -> None:
    upstream.commit("two")
    served.deploy(post_deploy="echo out; echo err >&2")
    assert served.paths.hook_log.read_text().splitlines()[-2:] == ["out", "err"]
    assert log.read_journal(served.paths.journal)[-1]["outcome"] == "live"


def test_a_current_that_leads_to_itself_is_replaced(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1")
    site.run(state="present")
    site.paths.current.symlink_to("current")
    assert site.deploy().changed
    assert site.version == "v1"
