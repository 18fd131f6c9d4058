# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release and its Python environment: found or built before the switch, brought back by a revert."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv as uv_package

from tests.support.package_index import Index, package_index
from tests.support.ports import free_port
from tests.support.releases.packages import make_sdist, make_wheel
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream

UV = uv_package.find_uv_bin()
# A program in uv's place whose caller dies while packages are being installed.
KILLING_UV = f"""#!/bin/sh
case "$*" in *install*) mkdir -p "$UV_PROJECT_ENVIRONMENT/lib"; kill -9 $PPID; exit 1;; esac
exec {UV} "$@"
"""


def environment_of(release: Path) -> Path:
    return (release / ".venv").resolve()


@pytest.fixture(autouse=True)
def _uv_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """uv takes a tenth of pip's time; the tests of pip set a PATH without it."""
    monkeypatch.setenv("PATH", f"{Path(UV).parent}:{os.environ['PATH']}")


@pytest.fixture
def no_uv_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")


@pytest.fixture
def two_live(site: Site, upstream: Upstream) -> Site:
    """Return a site with two releases that ask for different environments."""
    for version in ("one", "two"):
        upstream.commit(version, requirements_txt=f"# {version}")
        site.deploy()
    return site


def test_a_release_links_to_a_complete_environment(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", requirements_txt="# nothing")
    report = site.run(state="prepared", ref="master")
    assert report.release
    assert report.environment == str(environment_of(Path(report.release)))
    assert (Path(report.environment) / ".complete").exists()
    assert "environment" in {phase["name"] for phase in report.phases}


def test_an_unchanged_environment_is_used_again(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", requirements_txt="# nothing")
    first = site.deploy().environment
    upstream.commit("two")
    assert site.deploy().environment == first


def test_a_revert_brings_the_old_environment_back(two_live: Site) -> None:
    new = environment_of(two_live.paths.current)
    two_live.revert()
    old = environment_of(two_live.paths.current)
    assert old != new
    assert (old / "bin/python").exists()


def test_an_environment_goes_with_its_last_release(two_live: Site, upstream: Upstream) -> None:
    oldest = {path.name for path in two_live.paths.envs.iterdir()} - {environment_of(two_live.paths.current).name}
    for version in ("three", "four"):
        upstream.commit(version)
        two_live.deploy(keep=1)
    left = {path.name for path in two_live.paths.envs.iterdir()}
    assert environment_of(two_live.paths.current).name in left
    assert not {name for name in oldest if not name.startswith(".")} & left


def test_what_a_process_works_in_goes_after_its_end(two_live: Site, upstream: Upstream) -> None:
    """A worker may drain for longer than the next deploys take."""
    release = two_live.paths.current.resolve()
    used = environment_of(release)
    (upstream.work / "requirements.txt").unlink()
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=release, stdin=subprocess.PIPE) as worker:
        for version in ("three", "four", "five"):
            upstream.commit(version)
            two_live.deploy(keep=1)
        assert (release / "VERSION").read_text() == "two\n"
        assert (used / "bin/python").exists()
        worker.communicate(b"\n")
    upstream.commit("six")
    two_live.deploy(keep=1)
    assert not release.exists()
    assert not used.exists()


def test_an_environment_that_was_removed_by_hand_is_built_again(two_live: Site) -> None:
    release = two_live.paths.current.resolve()
    two_live.revert()
    (environment_of(release) / ".complete").unlink()
    two_live.revert()
    assert (environment_of(two_live.paths.current) / ".complete").exists()


@pytest.mark.parametrize("what", ["environment", "interpreter"])
def test_the_live_release_gets_its_python_back_by_a_deploy(site: Site, upstream: Upstream, what: str) -> None:
    """As after an upgrade of the server's system: its commit is live already, and nothing could be started in it."""
    upstream.commit("one", requirements_txt="# nothing")
    site.deploy()
    python = site.paths.current / ".venv" / "bin" / "python"
    if what == "environment":
        shutil.rmtree(environment_of(site.paths.current))
    else:
        python.unlink()
        python.symlink_to("/nonexistent/python3.8")
    assert site.info()["notes"] == ["settings wait for a deploy: environment"]
    looked = site.check(state="deployed", ref="master")
    assert (looked.changed, python.exists()) == (True, False)
    assert site.deploy().settings == ["environment"]
    assert python.exists()
    assert not site.deploy().changed


def test_what_cannot_be_installed_changes_nothing_live(two_live: Site, upstream: Upstream) -> None:
    upstream.commit("three", requirements_txt="./nowhere")
    failure = two_live.fail(ref="master")
    assert "environment could not be built" in failure.text
    assert failure.error.detail
    assert two_live.version == "two"
    assert two_live.consistent()


def test_in_place_the_environment_follows_the_reset_and_its_undoing(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", requirements_txt="# one")
    site.deploy(strategy="in_place")
    first = environment_of(site.paths.source)
    upstream.commit("two", requirements_txt="# two")
    site.fail(ref="master", strategy="in_place", test="false")
    assert environment_of(site.paths.source) == first
    site.deploy(strategy="in_place")
    assert environment_of(site.paths.source) != first


def installed(site: Site) -> str:
    (found,) = environment_of(site.paths.current).glob("lib/*/site-packages/tiny.py")
    return found.read_text()


@pytest.mark.usefixtures("no_uv_on_path")
@pytest.mark.parametrize("uv", [None, UV], ids=["pip", "uv"])
def test_packages_come_from_a_directory_of_wheels(site: Site, upstream: Upstream, wheels: Path, uv: str | None) -> None:
    upstream.commit("one", requirements_txt="tiny<2")
    answered = site.module(ref="master", index=str(wheels), uv=uv, python=sys.executable)
    assert answered["changed"], answered["msg"]
    assert "1.0" in installed(site)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index with `tiny`, and with the source of `big`, which cannot be built by it."""
    for name in ("tiny", "big"):
        (tmp_path / "simple" / name).mkdir(parents=True)
    make_wheel(tmp_path / "simple/tiny", "tiny", "2.0")
    make_sdist(tmp_path / "simple/big", "big", "1.0", built_by="tiny")
    with package_index(tmp_path) as server:
        yield server


@pytest.mark.usefixtures("no_uv_on_path")
@pytest.mark.parametrize("kind", ["password", "token"])
@pytest.mark.parametrize("uv", [None, UV], ids=["pip", "uv"])
def test_the_password_of_an_index_is_used_and_never_shown(
    site: Site, upstream: Upstream, index: Index, kind: str, uv: str | None
) -> None:
    """Not by an argument of any process either, such as those that get what a package is built with."""
    address = index.token_address if kind == "token" else index.address
    options = {"ref": "master", "uv": uv, "python": sys.executable, "index": address}
    upstream.commit("one", requirements_txt="tiny")
    assert site.module(**options)["changed"]
    assert "2.0" in installed(site)
    index.asked.clear()
    upstream.commit("two", requirements_txt="big")
    answered = site.module(**options)
    assert answered["failed"]
    assert "tiny" in answered["msg"]
    assert {"/simple/big/", "/simple/tiny/"} <= index.asked
    assert index.leaked == set()
    answered.pop("invocation")
    assert index.password not in json.dumps(answered)
    assert index.password not in site.paths.journal.read_text()


def test_an_index_that_is_no_address(site: Site) -> None:
    assert "index is not a valid URL or path" in site.module(ref="master", index="me:hush@pypi")["msg"]


def test_a_deploy_that_is_killed_while_it_installs_changes_nothing_live(
    site: Site, upstream: Upstream, wheels: Path, tmp_path: Path
) -> None:
    killing = tmp_path / "uv"
    killing.write_text(KILLING_UV)
    killing.chmod(0o755)
    upstream.commit("one", requirements_txt="tiny==1.0")
    site.deploy(index=str(wheels), uv=UV)
    upstream.commit("two", requirements_txt="tiny==2.0")
    assert site.exit_code(ref="master", index=str(wheels), uv=str(killing)) == -signal.SIGKILL
    assert (site.version, installed(site).strip()) == ("one", "VERSION = '1.0'")
    site.deploy(index=str(wheels), uv=UV)
    assert (site.version, installed(site).strip()) == ("two", "VERSION = '2.0'")
    assert site.consistent()


def test_a_revert_needs_the_index_only_beyond_what_is_kept(
    site: Site, upstream: Upstream, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0", "2.0", "1.0", "2.0"):
        upstream.commit(f"at {version}", requirements_txt=f"tiny=={version}")
        site.deploy(index=str(wheels), uv=UV, keep=1)
    wheels.rename(wheels.with_name("away"))
    site.revert(index=str(wheels), uv=UV, keep=1)
    assert "1.0" in installed(site)
    (upstream.work / "requirements.txt").unlink()
    for version in ("plain", "plainer"):
        upstream.commit(version)
        site.deploy(keep=1)
    failure = site.fail(state="reverted", steps=2, index=str(wheels), uv=UV)
    assert "removed when no kept release needed it" in failure.text
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    unreachable = f"http://127.0.0.1:{free_port()}/simple"
    failure = site.fail(state="reverted", steps=2, index=unreachable, uv=UV)
    assert "To build it again, check that this server reaches its package index" in failure.text
    assert (site.version, site.consistent()) == ("plainer", True)
    wheels.with_name("away").rename(wheels)
    site.revert(steps=2, index=str(wheels), uv=UV)
    assert "1.0" in installed(site)


STALE: dict[str, str] = {
    "pyproject.toml": '[project]\nname = "blog"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["tiny"]\n',
    "uv.lock": 'version = 1\nrequires-python = ">=3.9"\n',
}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"pyproject.toml": "[project\r\n"}, "pyproject.toml is not valid TOML"),
        (
            {"pyproject.toml": "project.dependencies = ['tiny']\r\nproject.requires-python='>=4'\r\n"},
            "requires Python >=4",
        ),
        (STALE, "uv.lock does not match pyproject.toml"),
    ],
    ids=["no TOML", "CRLF and another Python", "stale lock"],
)
def test_a_release_whose_requirements_cannot_be_met_changes_nothing_and_is_journaled(
    two_live: Site, upstream: Upstream, files: dict[str, str], found: str
) -> None:
    (upstream.work / "requirements.txt").unlink()
    for name, text in files.items():
        (upstream.work / name).write_text(text)
    upstream.commit("three")
    failure = two_live.fail(ref="master", uv=UV)
    assert found in failure.text
    assert (two_live.version, two_live.consistent()) == ("two", True)
    journal = two_live.paths.journal.read_text().splitlines()
    assert found in json.loads(journal[-1])["error"]


POETRY = '[tool.poetry.dependencies]\npython = "^3.11"\ntiny = "*"\n'


def test_requirements_that_nothing_installs_fail_where_procmon_serves(
    site: Site, upstream: Upstream, tmp_path: Path
) -> None:
    (upstream.work / "pyproject.toml").write_text(POETRY)
    upstream.commit("one")
    options = {"state": "prepared", "ref": "master", "status_file": str(tmp_path / "status.json")}
    failure = site.fail(**options)
    assert failure.text == (
        "the Poetry dependencies in pyproject.toml are not installed. Commit a requirements.txt"
        " (poetry export -o requirements.txt), or list them as [project] dependencies; or install them in pre_deploy"
    )
    report = site.run(**options, pre_deploy="poetry install")
    assert [text for text in report.warnings if "Poetry" in text] == [failure.text]


def test_requirements_that_nothing_installs_are_a_warning_where_nothing_is_served(
    site: Site, upstream: Upstream
) -> None:
    (upstream.work / "setup.py").write_text("")
    upstream.commit("one")
    assert any("what setup.py requires is not installed" in text for text in site.deploy().warnings)


@pytest.mark.parametrize(
    ("required", "found"),
    [
        (">=4", "this release requires Python >=4, and "),
        ("^3.9", "requires-python in pyproject.toml cannot be read: "),
        (">=3.9", ""),
    ],
)
def test_a_python_that_is_not_allowed_is_a_warning_where_no_environment_is_built(
    site: Site, upstream: Upstream, required: str, found: str
) -> None:
    (upstream.work / "pyproject.toml").write_text(f'[project]\nname = "blog"\nrequires-python = "{required}"\n')
    upstream.commit("one")
    warnings = site.deploy().warnings
    assert (found in "".join(warnings), len(warnings)) == (True, bool(found))
    assert not [*site.paths.envs.glob("*")]
