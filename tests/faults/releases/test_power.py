# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a power loss may take: nothing that a later step of the transaction relies on.

Each record of the transaction must be on disk before the next step is taken, and the release before it is live.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.releases.site import Site
from tests.support.releases.tracer import Tracer
from tests.support.releases.upstream import Upstream


@pytest.fixture(params=["releases", "in_place"])
def calls(request: pytest.FixtureRequest, site: Site, upstream: Upstream, tmp_path: Path) -> list[str]:
    """What a second deploy and all that it starts do to the disk, in order."""
    upstream.commit("one", app_py="x = 1")
    site.deploy(strategy=request.param)
    for record in (site.paths.deploys, site.paths.journal):
        record.unlink()
    upstream.commit("two", app_py="x = 2")
    tracer = Tracer(tmp_path / "trace", site.path)
    return tracer.record(site.options(ref="master", strategy=request.param, post_deploy="touch built"))


def position(calls: list[str], pattern: str) -> int:
    """Where the one call that matches is."""
    found = [index for index, line in enumerate(calls) if re.search(pattern, line)]
    assert len(found) == 1, (pattern, [calls[index] for index in found])
    return found[0]


def test_a_release_is_on_disk_before_it_is_live(calls: list[str], site: Site) -> None:
    switch = position(calls, rf'rename\w*\(.*"{site.paths.current}"')
    # One before it has its name is enough for its files; this one has what was made of them since.
    synced = position(calls, r"syncfs\(\d+<(?!.*/releases/\.new/).* = 0")
    between = [line for line in calls[synced + 1 : switch] if str(site.path) in line]
    assert synced < switch
    assert [line for line in between if ".current.new" not in line] == []
    assert re.search(rf"fsync\(\d+<{site.path}>\) += 0", calls[switch + 1])


def test_the_state_is_on_disk_before_anything_is_live_and_goes_last(calls: list[str], site: Site) -> None:
    state = re.escape(str(site.paths.state))
    synced = position(calls, rf"fsync\(\d+<{state}\.new>\) += 0")
    named = position(calls, rf'rename\w*\(.*"{state}"')
    assert synced < named < position(calls, rf'rename\w*\(.*"{site.paths.current}"')
    assert re.search(rf"fsync\(\d+<{site.path}>\) += 0", calls[named + 1])
    gone = position(calls, rf'unlink\w*\(.*"{state}"')
    assert position(calls, rf"fsync\(\d+<{re.escape(str(site.paths.journal))}>\) += 0") < gone


def test_a_line_is_on_disk_with_its_name_before_the_next_step(calls: list[str], site: Site) -> None:
    for record in (site.paths.deploys, site.paths.journal):
        name = re.escape(str(record))
        written = position(calls, rf"write\(\d+<{name}>")
        assert re.search(rf"fsync\(\d+<{name}>\) += 0", calls[written + 1])
        assert re.search(rf"fsync\(\d+<{site.path}>\) += 0", calls[written + 2])
