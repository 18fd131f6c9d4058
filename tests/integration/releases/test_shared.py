# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared paths: directories, files, what the repository holds there, and what cannot be meant."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError

from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream


def link(site: Site) -> Path | None:
    return site.paths.current.readlink() if site.paths.current.is_symlink() else None


def refused(site: Site, *entries: str) -> str:
    """The message of a deploy that fails before the switch, and leaves what is live as it is."""
    live = link(site)
    answered = site.module(ref="master", shared_paths=list(entries))
    assert answered["failed"], answered
    assert "Traceback" not in answered["msg"]
    assert "unexpected" not in answered["msg"]
    assert link(site) == live
    message: str = answered["msg"]
    return message


@pytest.mark.parametrize("name", ["db.sqlite3", ".env", "config/settings.toml"])
def test_a_file_that_is_nowhere_is_asked_for_and_never_becomes_a_directory(
    site: Site, upstream: Upstream, name: str
) -> None:
    upstream.commit("one")
    kept = site.paths.shared / name
    message = refused(site, "media", name)
    assert f"shared_paths has {name}, which is neither a file in the repository nor at {kept}" in message
    assert f"Create the file {kept} on the server, or write {name}/ in shared_paths if it is a directory" in message
    assert not kept.exists()
    kept.parent.mkdir(exist_ok=True)
    kept.touch()
    assert site.module(ref="master", shared_paths=["media", name])["changed"]
    assert (site.paths.current / name).resolve() == kept
    assert (site.paths.current / name).is_file()
    assert (site.paths.current / "media").is_dir()


def test_a_database_survives_releases(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    (site.paths.shared).mkdir(parents=True)
    (site.paths.shared / "db.sqlite3").touch()
    for version in ("one", "two", "three"):
        upstream.commit(version)
        site.deploy(keep=1, shared_paths=["db.sqlite3"])
        with sqlite3.connect(site.paths.current / "db.sqlite3") as database:
            database.execute("create table if not exists t (x)")
            database.execute("insert into t values (1)")
    with sqlite3.connect(site.paths.shared / "db.sqlite3") as database:
        assert database.execute("select count(*) from t").fetchone() == (3,)


def test_a_slash_makes_a_directory(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    entries = [".cache/", "media.d/", "deep/er/", "logs"]
    assert site.module(ref="master", shared_paths=entries)["changed"]
    assert not site.module(ref="master", shared_paths=entries)["changed"]
    for name in (".cache", "media.d", "deep/er", "logs"):
        assert (site.paths.current / name).resolve() == site.paths.shared / name
        assert (site.paths.shared / name).is_dir()
    assert (site.paths.current / "deep").is_dir()
    assert not (site.paths.current / "deep").is_symlink()


def test_what_the_repository_holds_is_the_first_content(site: Site, upstream: Upstream) -> None:
    """A file, a directory with a point in its name, and a directory that is named with a slash."""
    upstream.commit("one", settings_toml="a = 1", conf_d__a="x", data__a="x")
    site.deploy(shared_paths=["settings.toml", "conf.d", "data/"])
    assert (site.paths.shared / "settings.toml").read_text() == "a = 1\n"
    assert (site.paths.shared / "conf.d/a").read_text() == (site.paths.shared / "data/a").read_text() == "x\n"


def test_a_file_that_is_named_as_a_directory(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", notes="x")
    message = refused(site, "notes/")
    assert "shared_paths has notes/, but" in message
    assert "notes is a file. Remove the slash, or the file" in message
    assert site.module(ref="master", shared_paths=["notes"])["changed"]
    assert (site.paths.shared / "notes").is_file()
    upstream.commit("two")
    assert f"{site.paths.shared / 'notes'} is a file" in refused(site, "notes/")


def test_a_path_in_another_is_refused_with_the_reason(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    message = refused(site, "media", "media/private")
    assert "shared_paths has media and media/private, but media is shared with all that it contains" in message
    assert "Remove media/private from shared_paths" in message
    assert site.module(ref="master", shared_paths=["media", "media2/private"])["changed"]


def test_a_file_of_the_repository_where_a_directory_is_needed(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", public="x")
    message = refused(site, "public/system")
    assert "shared_paths has public/system, but public is a file in the repository. Rename that file" in message
    assert site.module(ref="master", shared_paths=[])["changed"]


def test_a_shared_link_to_a_disk_that_is_not_mounted(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    upstream.commit("one")
    site.paths.shared.mkdir(parents=True)
    (site.paths.shared / "media").symlink_to(tmp_path / "disk")
    message = refused(site, "media")
    assert f"{site.paths.shared / 'media'} is a link to {tmp_path / 'disk'}, which does not exist" in message
    (tmp_path / "disk").mkdir()
    assert site.module(ref="master", shared_paths=["media"])["changed"]
    (site.paths.current / "media/photo").touch()
    assert (tmp_path / "disk/photo").exists()


def test_a_file_that_was_lost_is_reported_and_the_live_release_keeps_its_link(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.paths.shared.mkdir(parents=True)
    (site.paths.shared / "db.sqlite3").touch()
    site.deploy(shared_paths=["db.sqlite3"])
    (site.paths.shared / "db.sqlite3").unlink()
    upstream.commit("two")
    assert "is neither a file in the repository nor at" in refused(site, "db.sqlite3")
    assert (site.paths.current / "db.sqlite3").is_symlink()


def test_a_wider_entry_takes_what_the_repository_holds(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", public__index_html="home", public__css__a_css="a")
    site.deploy(shared_paths=["public/system"])
    (site.paths.shared / "public/system/photo").write_text("cat")
    site.deploy(shared_paths=["public"], force=True)
    upstream.commit("two")
    site.deploy(shared_paths=["public"])
    public = site.paths.current / "public"
    assert public.is_symlink()
    assert [(public / name).read_text().strip() for name in ("index.html", "css/a.css", "system/photo")] == [
        "home",
        "a",
        "cat",
    ]


def test_a_release_with_a_wider_entry_can_be_reverted_to(site: Site, upstream: Upstream) -> None:
    upstream.commit("one", public__index_html="home")
    site.deploy(shared_paths=["public"])
    upstream.commit("two")
    site.deploy(shared_paths=["public/system"])
    site.revert(shared_paths=["public/system"])
    assert site.version == "one"
    assert (site.paths.current / "public/system").resolve() == (site.paths.shared / "public/system").resolve()


def test_other_shared_paths_for_what_is_live_are_a_deploy(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1", media__photo="cat")
    site.deploy()
    preview = site.check(ref="master", shared_paths=["public/system", "media"])
    assert (preview.changed, preview.settings) == (True, ["shared_paths"])
    assert not (site.paths.shared / "media").exists()
    assert site.deploy(shared_paths=["public/system", "media"]).settings == ["shared_paths"]
    assert (site.paths.shared / "media/photo").read_text() == "cat\n"
    assert (site.paths.current / "media").is_symlink()
    assert not site.deploy(shared_paths=["public/system", "media"]).changed
    assert not site.deploy(shared_paths=["public/system"]).changed, "a link more than needed is no fault"


def test_check_mode_finds_a_file_that_is_nowhere(site: Site, upstream: Upstream) -> None:
    upstream.commit("v1", settings_toml="")
    site.deploy()
    upstream.commit("v2")
    with pytest.raises(ReleaseError, match="which is neither a file in the repository"):
        site.check(state="deployed", ref="master", shared_paths=["settings.toml", "db.sqlite3"])
    assert site.check(state="deployed", ref="master", shared_paths=["settings.toml", "data/"]).changed
