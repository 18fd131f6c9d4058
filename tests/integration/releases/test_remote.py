# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A git server that cannot be used: what failed and what to do about it, and what is live stays."""

from __future__ import annotations

import os
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import client

from tests.support.ports import free_port
from tests.support.releases.site import Site
from tests.support.releases.upstream import GIT, Upstream, git
from tests.support.ssh_server import SshServer, make_key, ssh_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "ssh") as started:
        yield started


@pytest.fixture(params=["live", "first"])
def live(request: pytest.FixtureRequest, site: Site, upstream: Upstream) -> Iterator[Site]:
    """A project with `one` live, which still is after the test; or one without a clone, which gets none."""
    upstream.commit("one")
    if request.param == "first":
        yield site
        assert not any(path.exists() for path in (site.paths.source, site.paths.current, site.path / ".source.new"))
        return
    site.deploy()
    upstream.commit("two")
    before = site.snapshot()
    yield site
    ours = {site.paths.path, site.paths.journal}
    after = {path: mark for path, mark in site.snapshot().items() if Path(path) not in ours}
    assert after == {path: mark for path, mark in before.items() if Path(path) not in ours}
    assert site.version == "one"


def refused(site: Site, **changed: object) -> str:
    """The message of the module, which fails."""
    answered = site.module(**{"ref": "master", **changed})
    assert answered["failed"]
    assert "Traceback" not in answered["msg"]
    message: str = answered["msg"]
    return message


def test_a_good_key_and_a_known_host(
    site: Site, upstream: Upstream, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", server.client(server.key))
    upstream.commit("one")
    assert site.module(ref="master", repo=server.address(upstream.url))["changed"]


def test_a_server_that_falls_silent_is_given_up(
    site: Site, upstream: Upstream, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git itself waits for ever, with the lock in its hands; ssh itself prints the options that it takes."""
    client = server.client(server.key)
    recorder = server.home / "recorder"
    recorder.write_text(f'#!/bin/sh\n{client} -G "$@" >> {server.home}/asked\nexec {client} "$@"\n')
    recorder.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(recorder))
    upstream.commit("one")
    assert site.module(ref="master", repo=server.address(upstream.url))["changed"]
    asked = (server.home / "asked").read_text().splitlines()
    assert {"serveraliveinterval 15", "serveralivecountmax 4", "connecttimeout 15", "batchmode yes"} <= set(asked)


def test_a_key_that_the_server_refuses(live: Site, server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown_key = make_key(server.home / "unknown")
    monkeypatch.setenv("GIT_SSH_COMMAND", server.client(unknown_key))
    message = refused(live, repo=server.address(live.upstream.url))
    assert "the git server refused the deploy user" in message
    assert "Run setup, which makes a key for the project" in message


def test_a_host_key_that_is_unknown(live: Site, server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    (server.home / "known").write_text("")
    monkeypatch.setenv("GIT_SSH_COMMAND", server.client(server.key))
    message = refused(live, repo=server.address(live.upstream.url))
    assert "the git server's host key is unknown to this server. Run setup, which adds it" in message


def test_a_host_key_that_has_changed(live: Site, server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    make_key(server.home / "other")
    server.know(server.home / "other.pub")
    monkeypatch.setenv("GIT_SSH_COMMAND", server.client(server.key))
    message = refused(live, repo=server.address(live.upstream.url))
    assert "the git server's host key is not the one this server knows" in message
    assert "Make sure that the change is meant" in message


@pytest.mark.parametrize("scheme", ["git", "http", "ssh"])
def test_a_port_where_nothing_listens(live: Site, scheme: str) -> None:
    message = refused(live, repo=f"{scheme}://127.0.0.1:{free_port()}/blog.git")
    assert "the git server cannot be reached" in message


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are accepted, by the kernel, and nothing is ever sent."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["git", "http", "ssh"])
def test_a_port_where_nothing_answers(live: Site, silent: int, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over http and ssh git and ssh themselves notice it; nothing does over git's own protocol."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    if scheme == "git":
        monkeypatch.setattr(client, "STALL_SECONDS", 0.5)
    message = live.fail(ref="master", repo=f"{scheme}://127.0.0.1:{silent}/blog.git").text
    assert "the git server cannot be reached" in message


def test_a_repository_that_is_not_there(live: Site) -> None:
    assert "there is no repository at that address" in refused(live, repo=str(live.path.with_name("nowhere.git")))


# What git 2.25 writes about an option of 2.29.
OLD_GIT = """#!/bin/sh
case "$*" in *--no-write-fetch-head*)
  printf '%s\\n' "error: unknown option \\`no-write-fetch-head'" 'usage: git fetch [<options>]' >&2
  exit 129
esac
exec {git} "$@"
"""


def test_a_git_that_is_too_old(site: Site, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream.commit("one")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(OLD_GIT.format(git=GIT))
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert "the git on this server is too old. Install git 2.30 or newer there" in refused(site)


def test_an_empty_repository(site: Site) -> None:
    assert "the repository has no commit yet. Push one first, then deploy" in refused(site)
    assert not site.paths.current.exists()


def test_a_repository_that_moved(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    moved = upstream.url.rename(upstream.url.with_name("moved.git"))
    assert "there is no repository at that address" in refused(site)
    git(upstream.work, "remote", "set-url", "origin", str(moved))
    upstream.commit("two")
    assert site.module(ref="master", repo=str(moved))["changed"]
    assert site.version == "two"


def test_a_default_branch_that_was_renamed(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    git(upstream.url, "branch", "--move", "master", "main")
    message = refused(site, ref="origin/master")
    assert "ref 'origin/master' is unknown. Branches: main" in message
    assert not site.module(ref="origin/main")["changed"]


def test_a_short_sha_that_means_two_commits(site: Site, upstream: Upstream) -> None:
    commit = "commit refs/heads/many\ncommitter D <d@e> {at} +0000\ndata 1\nx\n"
    history = "".join(commit.format(at=at) for at in range(1, 900))
    subprocess.run([GIT, "-C", str(upstream.url), "fast-import", "--quiet"], input=history, text=True, check=True)
    upstream.commit("one")
    starts = Counter(sha[:4] for sha in git(upstream.url, "rev-list", "many").split())
    ((short, count),) = starts.most_common(1)
    assert count > 1
    assert f"ref '{short}' names no single commit" in refused(site, ref=short)


def test_a_shallow_clone_deploys_what_it_has_not(site: Site, upstream: Upstream) -> None:
    first = upstream.commit("one")
    upstream.commit("two")
    site.path.mkdir()
    git(site.path, "clone", "--quiet", "--depth=1", f"file://{upstream.url}", "source")
    assert site.module(ref="master", repo=f"file://{upstream.url}")["changed"]
    assert site.module(ref=first, repo=f"file://{upstream.url}")["changed"]
    assert site.version == "one"
