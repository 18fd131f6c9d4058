# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two modules as Ansible runs them: a process that reads arguments and answers in JSON."""

from __future__ import annotations

import json

from tests.support.releases.fake_procmon import TRACEBACK, FakeProcmon
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git


def test_a_deploy_returns_its_facts(site: Site, upstream: Upstream) -> None:
    sha = upstream.commit("one")
    answered = site.module(ref="master", _ansible_diff=True)
    assert answered["changed"]
    assert answered["commit"] == sha
    assert answered["previous_commit"] is None
    assert answered["release"] == str(site.paths.release(sha))
    assert answered["commits"] == [{"sha": sha, "subject": "one"}]
    assert {"name", "seconds"} == set(answered["phases"][0])
    assert answered["outcome"] == "live"
    assert answered["msg"] == f"blog: {sha[:12]} is live (1 commit)"
    assert answered["diff"]["prepared"] == f"+ {sha[:12]} one\n"


def test_a_failure_returns_the_same_facts_and_the_traceback(
    site: Site, upstream: Upstream, procmon: FakeProcmon
) -> None:
    good = upstream.commit("good")
    site.module(ref="master", status_file=str(procmon.status_file))
    bad = upstream.commit("bad", BROKEN="")
    answered = site.module(ref="master", status_file=str(procmon.status_file))
    assert answered["failed"]
    assert (answered["commit"], answered["previous_commit"], answered["outcome"]) == (bad, good, "put_back")
    assert answered["traceback_tail"] == TRACEBACK
    first, *rest = answered["msg"].splitlines()
    assert first == f"blog: the new workers failed to start. {good[:12]} was restored and is live"
    assert rest == TRACEBACK.splitlines()


def test_an_interrupted_run_is_a_warning(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.exit_code(ref="master", post_deploy="kill -9 $PPID")
    answered = site.module(ref="master")
    assert "was interrupted" in json.dumps(answered["warnings"])


def test_info_tells_what_is_live(site: Site, upstream: Upstream, procmon: FakeProcmon) -> None:
    status_file = str(procmon.status_file)
    first = upstream.commit("one")
    site.deploy(status_file=status_file)
    second = upstream.commit("two")
    site.run(state="prepared", ref="master")
    answered = site.info(ref="origin/master", status_file=status_file)
    assert not answered["changed"]
    assert (answered["commit"], answered["subject"], answered["behind"]) == (first, "one", 1)
    assert 0 <= answered["live_seconds"] < 3600
    assert answered["live_since"] == answered["journal"][-1]["time"]
    assert answered["release"] == str(site.paths.release(first))
    assert answered["releases"] == sorted([first[:12], second[:12]])
    assert answered["history"] == site.logged
    assert answered["journal"][-1]["outcome"] == "live"
    assert answered["procmon"]["state"] == "serving"
    assert (answered["drift"], answered["locked_by"], answered["interrupted"]) == ([], None, None)
    assert answered["notes"] == ["1 behind"]


def test_info_fetches_only_when_asked(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    assert site.info(ref="master")["behind"] == 0
    assert site.info(ref="master", fetch=True)["behind"] == 1


def test_info_of_nothing(site: Site, upstream: Upstream) -> None:
    answered = site.info()
    assert (answered["commit"], answered["history"], answered["notes"]) == (None, [], ["not set up"])
    assert not site.path.exists()
    upstream.commit("one")
    site.run(state="present")
    deployed, to_deploy = site.info()["notes"]
    assert deployed == "never deployed"
    assert to_deploy.startswith("nothing to deploy, by what was fetched last: no ref was given and the repository has ")


def test_info_tells_drift_and_trouble(site: Site, upstream: Upstream, procmon: FakeProcmon) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    site.exit_code(ref="master", post_deploy="kill -9 $PPID")
    git(site.paths.source, "reset", "--quiet", "--soft", "origin/master")
    procmon.die()
    answered = site.info(status_file=str(procmon.status_file))
    assert answered["interrupted"]["by"] == "tj"
    assert answered["procmon"]["state"] == "not running"
    assert "the log ends with" in answered["notes"][0]
