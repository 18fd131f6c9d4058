# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server without settings of its own, releases of given files, packages to install."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import installer
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import Environments

from tests.support.package_index import OpenIndex, open_index
from tests.support.releases.environments import TOOLS, Files, MakeRelease, made_by, make_server_bare
from tests.support.releases.fixtures import _own_git_settings, procmon, site, upstream
from tests.support.releases.packages import make_wheel

__all__ = ["_own_git_settings", "procmon", "site", "upstream"]


@pytest.fixture(autouse=True)
def _bare_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_server_bare(tmp_path / "home", monkeypatch)
    monkeypatch.setattr(installer, "SERVER_UV", tmp_path / "opt/procmon/tools/uv/bin/uv")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A directory with two versions of `tiny`."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    for version in ("1.0", "2.0"):
        make_wheel(directory, "tiny", version)
    return directory


@pytest.fixture
def make_release(tmp_path: Path) -> MakeRelease:
    """Make release after release, each with the given files."""

    def make(files: Files) -> Path:
        release = tmp_path / "releases" / f"{len(list(tmp_path.glob('releases/*'))):012x}"
        for name, content in files.items():
            (release / name).parent.mkdir(parents=True, exist_ok=True)
            (release / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return release

    return make


@pytest.fixture(params=TOOLS)
def tool(request: pytest.FixtureRequest) -> str:
    """Whether uv or pip installs."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def environments(tmp_path: Path, wheels: Path, tool: str) -> Environments:
    """Environments of packages out of `wheels`."""
    return made_by(tool, tmp_path / "envs", wheels)


@pytest.fixture
def by_uv(tmp_path: Path, wheels: Path) -> Environments:
    return made_by("uv", tmp_path / "envs", wheels)


@pytest.fixture
def by_pip(tmp_path: Path, wheels: Path) -> Environments:
    return made_by("pip", tmp_path / "envs", wheels)


@pytest.fixture
def public(tmp_path: Path) -> Iterator[OpenIndex]:
    """An index of others that has a newer `tiny`, and a package that only it has."""
    for name in ("tiny", "stranger"):
        (tmp_path / "public/simple" / name).mkdir(parents=True)
        make_wheel(tmp_path / "public/simple" / name, name, "99.0")
    with open_index(tmp_path / "public") as server:
        yield server
