# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bug of our own, at any step: the previous release stays or is restored, and the journal has it."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import states
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.deploy import activate, hooks
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git.client import Git
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import history
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.release import build, current

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream


def fail(*_arguments: object, **_options: object) -> None:
    raise TypeError("not enough arguments")


@pytest.mark.parametrize(
    ("place", "outcome"),
    [
        ((states, "resolve"), "failed"),
        ((Git, "commits"), "failed"),
        ((build, "prepare"), "failed"),
        ((hooks, "search_path"), "failed"),
        ((current, "switch"), "put_back"),
        ((activate, "_verify_checkout"), "put_back"),
        ((history, "append_commit"), "put_back"),
    ],
)
def test_an_unforeseen_error_leaves_the_previous_release_live_and_is_journaled(
    site: Site, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, place: tuple[object, str], outcome: str
) -> None:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    monkeypatch.setattr(*place, fail)
    failure = site.fail(ref="master", pre_deploy="true")
    monkeypatch.undo()
    assert "unexpected TypeError: not enough arguments (test_unforeseen.py, line " in failure.text
    assert "Report this as a bug" in failure.text
    assert "raise TypeError" in failure.error.detail
    assert (site.version, site.outcomes) == ("one", ["live", outcome])
    assert site.consistent()
    assert site.deploy().changed


def test_an_unforeseen_error_after_success_is_a_warning(
    site: Site, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.commit("one")
    monkeypatch.setattr(current, "move_source_head", fail)
    report = site.deploy()
    assert (site.version, site.outcomes) == ("one", ["live"])
    assert "unexpected TypeError" in report.warnings[0]


def test_a_revert_whose_log_cannot_be_shown_is_live(
    site: Site, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("one", "two"):
        upstream.commit(version)
        site.deploy()
    monkeypatch.setattr(history, "format_log", fail)
    report = site.revert()
    assert (site.version, site.outcomes[-1], report.changed) == ("one", "live", True)
    assert "the log could not be shown: unexpected TypeError" in report.warnings[0]
