# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A uv.lock is followed when it matches pyproject.toml, and refused when it does not."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import Environments
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command

from tests.support.package_index import OpenIndex
from tests.support.ports import free_port
from tests.support.releases.environments import UV, MakeRelease, build, version_in
from tests.support.releases.packages import make_wheel

PROJECT = '[project]\nname = "blog"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["{}"]\n'


@pytest.fixture
def locked(tmp_path: Path, make_release: MakeRelease, wheels: Path) -> Path:
    """A release with a lock, from before there was tiny 3.0."""
    release = make_release({"pyproject.toml": PROJECT.format("tiny")})
    done = run_command(
        [UV, "lock", "--no-index", "--find-links", str(wheels), "--python", sys.executable], str(release)
    )
    assert done.rc == 0, done.err
    make_wheel(tmp_path / "wheels", "tiny", "3.0")
    return release


def test_a_lock_is_followed(locked: Path, by_uv: Environments) -> None:
    before = {path.name: path.read_bytes() for path in locked.iterdir()}
    assert version_in(build(by_uv, locked).path) == "2.0"
    assert {path.name: path.read_bytes() for path in locked.iterdir()} == before, "a release is not written to"


@pytest.mark.parametrize("requirement", ["tiny<2", "other", 'tiny", "other'])
def test_a_lock_that_is_out_of_date_is_refused(locked: Path, by_uv: Environments, requirement: str) -> None:
    (locked / "pyproject.toml").write_text(PROJECT.format(requirement))
    with pytest.raises(ReleaseError) as failure:
        build(by_uv, locked)
    assert str(failure.value) == (
        "uv.lock does not match pyproject.toml: the lock is out of date. Run `uv lock`, commit uv.lock and deploy again"
    )
    assert [path.name for path in by_uv.path.iterdir() if not path.name.startswith(".")] == []


UV_TOML = 'prerelease = "allow"\n[[index]]\nname = "others"\nurl = "{0}"\ndefault = true\n'


def test_settings_of_the_server_make_no_lock_out_of_date(
    tmp_path: Path, locked: Path, by_uv: Environments, public: OpenIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"UV_RESOLUTION": "lowest", "UV_INDEX": public.address, "XDG_CONFIG_DIRS": str(tmp_path / "etc")}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for place in ("home/.config", "etc"):
        (tmp_path / place / "uv").mkdir(parents=True)
        (tmp_path / place / "uv/uv.toml").write_text(UV_TOML.format(public.address))
    assert version_in(build(by_uv, locked).path) == "2.0"
    assert public.requests == []


def test_neither_the_check_nor_the_lock_needs_an_index(
    tmp_path: Path, locked: Path, by_uv: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{free_port()}/simple")
    unset = replace(by_uv, path=tmp_path / "other", index=None)
    assert version_in(build(unset, locked).path) == "2.0"


def test_of_dependencies_that_a_build_shows_the_lock_alone_is_followed(locked: Path, by_uv: Environments) -> None:
    """To check it, uv would build the project, with packages that a server may not have."""
    project = (
        '[build-system]\nrequires = ["nonsuch"]\n[project]\nname = "blog"\nversion = "1"\ndynamic = ["dependencies"]\n'
    )
    (locked / "pyproject.toml").write_text(project)
    assert version_in(build(by_uv, locked).path) == "2.0"


@pytest.mark.parametrize("text", ["", "version = 99\n"], ids=["empty", "newer"])
def test_a_lock_that_this_uv_cannot_read(locked: Path, by_uv: Environments, text: str) -> None:
    (locked / "uv.lock").write_text(text)
    with pytest.raises(ReleaseError) as failure:
        build(by_uv, locked)
    assert "if a newer uv wrote it, install that one on this server" in failure.value.hint, failure.value.detail
