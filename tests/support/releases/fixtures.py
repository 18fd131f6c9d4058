# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the module's tests: a remote, a server's tree, something that answers for procmon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.releases.fake_procmon import FakeProcmon
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream


@pytest.fixture(autouse=True)
def _own_git_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer of this machine has set for git decides nothing here."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream.make(tmp_path)


@pytest.fixture
def site(tmp_path: Path, upstream: Upstream) -> Site:
    return Site(tmp_path / "blog", upstream)


@pytest.fixture
def procmon(site: Site, tmp_path: Path) -> Iterator[FakeProcmon]:
    started = FakeProcmon(site.paths.current, tmp_path / "status.json")
    started.start()
    yield started
    started.stop()
