# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restoring the previous release when hooks have interfered with what it needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.releases.fake_procmon import FakeProcmon
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream


@pytest.fixture
def served(site: Site, upstream: Upstream, procmon: FakeProcmon) -> Site:
    """Return a site with `one` live and served, and `two` to be deployed."""
    upstream.commit("one")
    site.deploy(status_file=procmon.status_file)
    upstream.commit("two")
    return site


def test_a_previous_release_that_a_hook_removed_is_built_again(served: Site, procmon: FakeProcmon) -> None:
    hook = "cd $DEPLOY_PATH/releases && ls | grep -v ${DEPLOY_COMMIT:0:12} | xargs rm -rf"
    failure = served.fail(ref="master", status_file=procmon.status_file, post_deploy=hook, test="false")
    assert failure.text.endswith("was restored and is live")
    assert (served.version, served.outcomes[-1]) == ("one", "put_back")
    assert procmon.serves == str(served.paths.current.resolve())
    assert served.consistent()


def test_a_current_that_led_nowhere_is_not_called_restored(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    shutil.rmtree(site.paths.current.resolve())
    upstream.commit("two")
    failure = site.fail(ref="master", test="false")
    assert "Nothing was live before, so there is nothing to restore: current points at releases/" in failure.text


@pytest.mark.parametrize("hook", ["ln -sfn source $DEPLOY_PATH/current", "rm $DEPLOY_PATH/current"])
def test_a_hook_that_changes_current_does_not_go_live(site: Site, upstream: Upstream, hook: str) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    failure = site.fail(ref="master", test=hook)
    assert "current was changed during the deploy: it " in failure.text
    assert (site.version, site.outcomes[-1]) == ("one", "put_back")


def test_a_hook_log_that_cannot_be_written_changes_nothing(served: Site, procmon: FakeProcmon) -> None:
    served.paths.hook_log.unlink(missing_ok=True)
    served.paths.hook_log.mkdir(parents=True)
    failure = served.fail(ref="master", status_file=procmon.status_file, post_deploy="true")
    assert f"{served.paths.hook_log}: Is a directory" in failure.text
    assert (served.version, served.outcomes[-1]) == ("one", "failed")


def test_procmon_serves_the_restored_release_also_when_its_hook_cannot_start(
    served: Site, procmon: FakeProcmon
) -> None:
    log = served.paths.hook_log
    failure = served.fail(
        ref="master", status_file=procmon.status_file, post_deploy=f"rm -f {log}; mkdir -p {log}; exit 1"
    )
    assert "was restored and is live; there " in failure.text
    assert served.outcomes[-1] == "put_back"
    assert procmon.serves == str(served.paths.current.resolve())


def test_in_place_the_hook_of_the_restored_release_has_its_variables(
    site: Site, upstream: Upstream, tmp_path: Path
) -> None:
    one = upstream.commit("one")
    site.deploy(strategy="in_place")
    upstream.commit("two")
    hook = f"echo $DEPLOY_COMMIT > {tmp_path}/out"
    site.fail(ref="master", strategy="in_place", post_deploy=hook, test="false")
    assert (tmp_path / "out").read_text().strip() == one
