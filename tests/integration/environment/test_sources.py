# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a project names its index, no other is asked: seen by an index of others that records every request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import Environments
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.installer import Installer
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.interpreter import ask_interpreter
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command

from tests.support.package_index import OpenIndex, open_index
from tests.support.releases.environments import UV, Files, MakeRelease, build, made_by, version_in
from tests.support.releases.packages import make_sdist, make_wheel

VARIABLES = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    *("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_DEFAULT_INDEX"),
)
LINKS = ("PIP_FIND_LINKS", "UV_FIND_LINKS")
PIP_CONF = "[global]\nindex-url = {0}\nextra-index-url = {0}\nfind-links = {0}/tiny/\n[install]\nno-index = false\n"
UV_TOML = """
no-index = false
find-links = ["{0}/tiny/"]
extra-index-url = ["{0}"]
[pip]
index-url = "{0}"
[[index]]
name = "others"
url = "{0}"
"""
SERVER = ("variables and files", "named files")
SetServer = Callable[[str], None]
REPOSITORY: dict[str, Files] = {
    "requirements": {"requirements.txt": "--index-url {0}\n--extra-index-url {0}\n"},
    "uv.toml": {"uv.toml": 'no-index = false\n[[index]]\nname = "others"\nurl = "{0}"\n[pip]\nindex-url = "{0}"\n'},
    "pyproject": {"pyproject.toml": '[tool.uv]\nno-index = false\n[[tool.uv.index]]\nname = "others"\nurl = "{0}"\n'},
}


def write_settings(place: Path, address: str) -> None:
    for file, text in (("pip/pip.conf", PIP_CONF), ("uv/uv.toml", UV_TOML)):
        (place / file).parent.mkdir(parents=True)
        (place / file).write_text(text.format(address))


@pytest.fixture
def set_server(tmp_path: Path, public: OpenIndex, monkeypatch: pytest.MonkeyPatch) -> SetServer:
    """Point pip and uv at the index of others, in the ways of a server."""

    def apply(setting: str) -> None:
        if setting == "named files":
            write_settings(tmp_path / "named", public.address)
            monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "named/pip/pip.conf"))
            monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "named/uv/uv.toml"))
            return
        for place in ("home/.config", "system"):
            write_settings(tmp_path / place, public.address)
        values = {"XDG_CONFIG_DIRS": str(tmp_path / "system"), **dict.fromkeys(VARIABLES, public.address)}
        for name, value in {**values, **dict.fromkeys(LINKS, f"{public.address}/tiny/")}.items():
            monkeypatch.setenv(name, value)

    return apply


@pytest.mark.parametrize("setting", SERVER)
def test_the_settings_of_the_server_are_honoured_without_an_index_of_the_project(
    tmp_path: Path, make_release: MakeRelease, set_server: SetServer, tool: str, setting: str
) -> None:
    """Otherwise the tests below would prove nothing."""
    set_server(setting)
    built = build(made_by(tool, tmp_path / "envs"), make_release({"requirements.txt": "tiny\n"}))
    assert version_in(built.path) == "99.0"


@pytest.mark.parametrize("setting", SERVER)
def test_beside_a_directory_no_source_of_the_server_is_asked(
    make_release: MakeRelease, environments: Environments, public: OpenIndex, set_server: SetServer, setting: str
) -> None:
    set_server(setting)
    built = build(environments, make_release({"requirements.txt": "tiny\n"}))
    assert version_in(built.path) == "2.0"
    with pytest.raises(ReleaseError, match="could not be built"):
        build(environments, make_release({"requirements.txt": "stranger\n"}))
    assert public.requests == []


@pytest.mark.parametrize("setting", REPOSITORY)
def test_beside_a_directory_no_index_of_the_repository_is_asked(
    make_release: MakeRelease, environments: Environments, public: OpenIndex, setting: str
) -> None:
    own = {name: str(text).format(public.address) for name, text in REPOSITORY[setting].items()}
    built = build(environments, make_release({**own, "requirements.txt": own.get("requirements.txt", "") + "tiny\n"}))
    assert version_in(built.path) == "2.0"
    foreign = own.get("requirements.txt", "") + "stranger\n"
    with pytest.raises(ReleaseError, match="could not be built"):
        build(environments, make_release({**own, "requirements.txt": foreign}))
    assert public.requests == []


@pytest.fixture
def own(tmp_path: Path, wheels: Path) -> Iterator[OpenIndex]:
    """The project's own index, with `tiny` 2.0."""
    (tmp_path / "own/simple").mkdir(parents=True)
    wheels.rename(tmp_path / "own/simple/tiny")
    with open_index(tmp_path / "own") as server:
        yield server


@pytest.fixture
def of_own_index(tmp_path: Path, own: OpenIndex, tool: str) -> Environments:
    return made_by(tool, tmp_path / "envs", own.address)


@pytest.mark.parametrize("setting", SERVER)
def test_beside_an_address_no_source_of_the_server_is_asked(
    make_release: MakeRelease, of_own_index: Environments, public: OpenIndex, set_server: SetServer, setting: str
) -> None:
    set_server(setting)
    built = build(of_own_index, make_release({"requirements.txt": "tiny\n"}))
    assert version_in(built.path) == "2.0"
    with pytest.raises(ReleaseError, match="could not be built"):
        build(of_own_index, make_release({"requirements.txt": "stranger\n"}))
    assert public.requests == []


def test_what_a_package_is_built_with_comes_from_the_directory_too(
    make_release: MakeRelease, environments: Environments, wheels: Path, public: OpenIndex, set_server: SetServer
) -> None:
    set_server("variables and files")
    make_sdist(wheels, "big", "1.0", built_by="stranger")
    with pytest.raises(ReleaseError) as failure:
        build(environments, make_release({"requirements.txt": "big\n"}))
    assert "stranger" in failure.value.detail
    assert public.requests == []


@pytest.mark.parametrize("setting", SERVER)
def test_uv_itself_comes_from_the_directory(
    tmp_path: Path, wheels: Path, public: OpenIndex, set_server: SetServer, setting: str
) -> None:
    """`tiny` stands for it."""
    set_server(setting)
    (tmp_path / "envs").mkdir()
    python = ask_interpreter(sys.executable, run_command)
    Installer(tmp_path / "envs", python, run_command, str(wheels)).install(tmp_path / "envs" / ".uv", ["tiny"], uv=None)
    assert version_in(tmp_path / "envs" / ".uv") == "2.0"
    assert public.requests == []


PROJECT = '[project]\nname = "blog"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["tiny"]\n'


def locked_elsewhere(make_release: MakeRelease, public: OpenIndex) -> Path:
    """Lock tiny 2.0 as another person would, whose index is that of others."""
    release = make_release({"pyproject.toml": PROJECT})
    make_wheel(public.directory / "simple/tiny", "tiny", "2.0")
    locking = [UV, "lock", "--default-index", public.address, "--upgrade-package", "tiny==2.0"]
    done = run_command([*locking, "--python", sys.executable], str(release))
    assert done.rc == 0, done.err
    public.requests.clear()
    return release


def test_of_a_lock_the_versions_count_and_not_the_addresses(
    make_release: MakeRelease, by_uv: Environments, public: OpenIndex
) -> None:
    release = locked_elsewhere(make_release, public)
    before = sorted(path.name for path in release.iterdir())
    assert version_in(build(by_uv, release).path) == "2.0"
    assert public.requests == []
    assert sorted(path.name for path in release.iterdir()) == before, "a release is not written to"


def test_without_an_index_of_the_project_a_lock_is_fetched_from_its_addresses(
    tmp_path: Path, make_release: MakeRelease, public: OpenIndex
) -> None:
    release = locked_elsewhere(make_release, public)
    assert version_in(build(made_by("uv", tmp_path / "envs"), release).path) == "2.0"
    assert public.requests == ["/simple/tiny/tiny-2.0-py3-none-any.whl"], "the index itself is not asked"
