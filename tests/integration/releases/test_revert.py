# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Going back along the log, without the remote."""

from __future__ import annotations

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git


@pytest.fixture
def history(site: Site, upstream: Upstream) -> Site:
    """Return a site that has had the versions a, b, c live, and whose remote is gone."""
    for version in "abc":
        upstream.commit(version)
        site.deploy()
    upstream.url.rename(upstream.url.with_name("away"))
    return site


def shown(site: Site) -> list[str]:
    """The log as messages show it: 12 characters of each commit."""
    return [git(site.paths.source, "rev-parse", line)[:12] for line in site.logged]


def test_a_revert_makes_the_previous_line_live_and_is_a_line_itself(history: Site) -> None:
    report = history.revert()
    assert (report.changed, history.version) == (True, "b")
    assert history.logged == [*history.logged[:3], history.logged[1]]
    assert [commit.subject for commit in report.commits] == ["b"]
    assert history.consistent()


def test_reverting_twice_goes_there_and_back(history: Site) -> None:
    history.revert()
    report = history.revert()
    assert history.version == "c"
    a, b, c, *_later = shown(history)
    assert report.msg.endswith(f"another revert would return to {b}; the log, oldest first: {a} {b} {c} {b} {c} (live)")


def test_steps_count_lines(history: Site) -> None:
    history.revert(steps=2)
    assert history.version == "a"


def test_neighbouring_lines_with_one_commit_count_as_one(history: Site) -> None:
    with history.paths.deploys.open("a") as log:
        log.write(f"{history.live[:9]} again\r\n")
    history.revert()
    assert history.version == "b"


def test_to_names_the_commit(history: Site) -> None:
    history.revert(to=history.logged[0])
    assert history.version == "a"
    history.revert(to=history.logged[1][:5])
    assert history.version == "b"


def test_past_the_log_is_an_error_that_lists_it(history: Site) -> None:
    failure = history.fail(state="reverted", steps=3)
    assert "cannot go back 3 steps" in failure.text
    a, b, c = shown(history)
    assert failure.text.endswith(f"The log, oldest first: {a} {b} {c} (live)")
    assert history.version == "c"


def test_a_commit_that_was_never_live_is_an_error_that_lists_the_log(history: Site) -> None:
    failure = history.fail(state="reverted", to="0123456")
    assert "0123456 has never been live here" in failure.text
    assert failure.text.endswith(f"The log, oldest first: {' '.join(shown(history))}")


def test_a_revert_runs_all_hooks_and_is_put_back_when_one_fails(history: Site) -> None:
    failure = history.fail(state="reverted", test="false")
    assert "test failed" in failure.text
    assert history.version == "c"
    assert history.consistent()


def test_nothing_was_ever_deployed(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.run(state="present")
    assert "The log is empty" in site.fail(state="reverted").text


def test_a_revert_reports_where_another_one_would_go(history: Site) -> None:
    """A revert is a line of the log, so the second one goes forward, as in the original."""
    a, b, c = shown(history)
    live = history.live
    message = history.revert().msg
    assert message.endswith(
        f"; another revert would return to {live[:12]}; the log, oldest first: {a} {b} {c} {b} (live)"
    )
