# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token in an address is in nothing that a run returns or writes, apart from the clone's own configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.releases.site import Site
from tests.support.releases.upstream import GIT, Upstream, git

TOKEN = "s3cr3t-0123456789"  # noqa: S105  no one's
QUOTED = "p%40ss-0123456789"
MEANT = "p@ss-0123456789"

# A server that is away.
ADDRESSES = {
    "password": f"https://bot:{TOKEN}@127.0.0.1:{{port}}/blog.git",
    "token as user": f"https://{TOKEN}@127.0.0.1:{{port}}/blog.git",
    "token and x-oauth": f"https://{TOKEN}:x-oauth-basic@127.0.0.1:{{port}}/blog.git",
    "query": f"https://127.0.0.1:{{port}}/blog.git?private_token={TOKEN}",
    "escaped": f"https://bot:{QUOTED}@127.0.0.1:{{port}}/blog.git",
    "http": f"http://bot:{TOKEN}@127.0.0.1:{{port}}/blog.git",
    "ssh": f"ssh://bot:{TOKEN}@127.0.0.1:{{port}}/blog.git",
    "command": f"ext::https://bot:{TOKEN}@host/x",
}


@pytest.fixture(params=ADDRESSES)
def address(request: pytest.FixtureRequest) -> str:
    return ADDRESSES[request.param].format(port=free_port())


@pytest.fixture
def live(site: Site, upstream: Upstream) -> Site:
    upstream.commit("one")
    site.deploy()
    upstream.commit("two")
    return site


def found(text: str) -> list[str]:
    return [secret for secret in (TOKEN, QUOTED, MEANT) if secret in text]


def found_below(site: Site) -> list[str]:
    """Name the files of a project that have a secret. The clone's configuration has to: git reads it there."""
    files = [path for path in site.path.rglob("*") if path.is_file() and path != site.paths.source / ".git/config"]
    return [str(path) for path in files if found(path.read_bytes().decode(errors="replace"))]


@pytest.mark.parametrize("state", ["present", "prepared", "deployed"])
def test_a_server_that_is_away(live: Site, address: str, state: str) -> None:
    """The clone knows another address. What is returned with the arguments (invocation) counts as well."""
    answered = live.module(state=state, ref="master", repo=address)
    assert answered["failed"], answered
    assert found(json.dumps(answered)) == []
    assert found_below(live) == []
    assert state != "deployed" or "ext::" in address or live.outcomes[-1] == "failed"


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
def test_a_first_clone(site: Site, address: str, *, check: bool) -> None:
    answered = site.module(ref="master", repo=address, _ansible_check_mode=check, _ansible_diff=True)
    assert answered["failed"], answered
    assert found(json.dumps(answered)) == []
    assert found_below(site) == []


def test_the_steps_of_check_mode(live: Site, address: str) -> None:
    answered = live.module(state="present", repo=address, _ansible_check_mode=True)
    assert found(json.dumps(answered)) == []


def test_a_clone_that_has_the_address_already(live: Site, address: str) -> None:
    """Nothing gives the address as an option: the module reads it from the clone, and git writes it."""
    git(live.paths.source, "remote", "set-url", "origin", address)
    answered = live.module(ref="master", repo="")
    assert answered["failed"], answered
    assert found(json.dumps(answered)) == []
    assert found_below(live) == []
    assert found(json.dumps(live.info(fetch=True))) == []


def test_the_address_of_a_submodule(live: Site, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    library, url = Upstream.make(tmp_path / "lib"), f"https://bot:{TOKEN}@127.0.0.1:{free_port()}/lib.git"
    library.commit("lib one")
    work = live.upstream.work
    git(work, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.url), "lib")
    git(work, "config", "--file", ".gitmodules", "submodule.lib.url", url)
    live.upstream.commit("with lib")
    answered = live.module(ref="master")
    assert answered["failed"], answered
    assert found(json.dumps(answered)) == []
    ours = {str(live.paths.journal), str(live.paths.lock), str(live.paths.state), str(live.paths.hook_log)}
    assert ours.isdisjoint(found_below(live))


def test_a_server_without_git(site: Site, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the command that cannot be run."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert GIT not in os.environ["PATH"]
    answered = site.module(ref="master", repo=address)
    assert answered["failed"], answered
    assert found(json.dumps(answered)) == []


def test_only_the_owner_reads_the_configuration_of_the_clone(site: Site, upstream: Upstream) -> None:
    """The address in it may hold a token. A clone of an earlier version is corrected by the next deploy."""
    upstream.commit("one")
    site.deploy()
    config = site.paths.source / ".git/config"
    assert config.stat().st_mode & 0o777 == 0o600
    config.chmod(0o644)
    assert not site.deploy().changed
    assert config.stat().st_mode & 0o777 == 0o600
