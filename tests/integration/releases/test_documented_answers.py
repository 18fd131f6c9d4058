# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/questions.md and docs/private-repositories.md answer about deploying, tried."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git
from tests.support.ssh_server import SSH, make_key, ssh_server

ALIAS = """Host git-{name}
    HostName 127.0.0.1
    Port {server.port}
    User {user}
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {server.home}/known
"""
"""As in the file ~/.ssh/config of the project's user."""


def test_a_pull_request_goes_live_by_its_sha_and_not_by_its_ref(site: Site, upstream: Upstream) -> None:
    first = upstream.commit("one")
    pull = upstream.commit("pull", branch="theirs")
    git(upstream.url, "update-ref", "refs/pull/12/head", pull)
    upstream.delete("refs/heads/theirs")
    upstream.rewind(first)
    assert "unknown" in site.fail(ref="refs/pull/12/head").text
    assert site.deploy(pull).commit == pull


def test_the_requirements_of_an_app_in_a_sub_directory_are_included_from_the_root(
    site: Site, upstream: Upstream
) -> None:
    """A change of the included file leads to another environment."""
    upstream.commit("one", requirements_txt="-r backend/requirements.txt", backend__requirements_txt="# one")
    upstream.commit("app", backend__main_py="NAME = 'main'")
    first = site.deploy(post_deploy='cd backend && python -c "import main; print(main.NAME)"').environment
    assert (site.paths.shared / "logs/deploy.log").read_text().endswith(" post_deploy\nmain\n")
    upstream.commit("two", backend__requirements_txt="# two")
    assert site.deploy().environment not in {first, None}
    git(upstream.work, "rm", "--quiet", "requirements.txt")
    upstream.commit("three")
    assert site.deploy().environment is None


def test_the_attributes_for_exports_have_no_effect(site: Site, upstream: Upstream) -> None:
    """A release is a checkout and not an archive."""
    (upstream.work / ".gitattributes").write_text("docs export-ignore\nVERSION export-subst\n")
    upstream.commit("$Format:%H$", docs__page_md="page")
    site.deploy()
    assert (site.paths.current / "docs/page.md").exists()
    assert (site.paths.current / "VERSION").read_text() == "$Format:%H$\n"


def test_each_private_repository_has_its_own_deploy_key_by_an_ssh_alias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a git server where a key belongs to one repository."""
    with ssh_server(tmp_path / "ssh") as server:
        sites = {}
        for name in ("blog", "shop"):
            (tmp_path / name).mkdir()
            sites[name] = Site(tmp_path / name / "live", Upstream.make(tmp_path / name))
            key = make_key(tmp_path / name / "key")
            allowed = f'command="git-upload-pack {sites[name].upstream.url}" {key.with_suffix(".pub").read_text()}'
            append(server.home / "key.pub", allowed)
            append(tmp_path / "config", ALIAS.format(name=name, server=server, user=getpass.getuser(), key=key))
        monkeypatch.setenv("GIT_SSH_COMMAND", f"{SSH} -F {tmp_path}/config")
        for name, site in sites.items():
            commit = site.upstream.commit(name)
            assert site.deploy(repo=f"git-{name}:you/{name}.git").commit == commit


def append(file: Path, text: str) -> None:
    """Write at the end of a file."""
    with file.open("a", encoding="utf-8") as end:
        end.write(text)
