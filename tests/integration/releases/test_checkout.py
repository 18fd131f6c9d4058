# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a repository may hold: submodules, git-lfs, names and links of every kind."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import checkout as contents

from tests.support.releases.fake_procmon import FakeProcmon
from tests.support.releases.site import Site
from tests.support.releases.upstream import DEVELOPER, GIT, Upstream, git

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1"
ALLOW = ("-c", "protocol.file.allow=always")


@pytest.fixture
def library(tmp_path: Path) -> Upstream:
    """A repository that is a submodule, with one of its own."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "deep").mkdir()
    made, deep = Upstream.make(tmp_path / "lib"), Upstream.make(tmp_path / "deep")
    deep.commit("deep one")
    made.commit("lib one", app_py="x = 1")
    add_submodule(made, "../../deep/upstream.git", "deep")
    return made


def add_submodule(parent: Upstream, url: str, path: str) -> None:
    git(parent.work, *ALLOW, "submodule", "--quiet", "add", "--", url, path)
    parent.commit(f"with {path}")


def move_submodule(parent: Upstream, path: str) -> None:
    git(parent.work / path, "pull", "--quiet", "origin", "master")
    parent.commit(f"newer {path}")


def test_submodules_are_there_and_a_revert_needs_no_remote(site: Site, upstream: Upstream, library: Upstream) -> None:
    upstream.commit("one")
    add_submodule(upstream, str(library.url), "vendor/lib")
    site.deploy(keep=1)
    assert (site.paths.current / "vendor/lib/deep/VERSION").read_text() == "deep one\n"
    library.commit("lib two", app_py="x = 2")
    move_submodule(upstream, "vendor/lib")
    site.deploy(keep=1)
    upstream.commit("three")
    site.deploy(keep=1)
    assert (site.paths.current / "vendor/lib/app.py").read_text() == "x = 2\n"
    for url in (upstream.url, library.url, library.url.parents[1] / "deep/upstream.git"):
        url.rename(url.with_name("away"))
    site.revert(steps=2)
    assert (site.paths.current / "vendor/lib/app.py").read_text() == "x = 1\n"
    assert (site.paths.current / "vendor/lib/deep/VERSION").read_text() == "deep one\n"
    assert site.consistent()


def test_a_submodule_that_cannot_be_had(site: Site, upstream: Upstream, library: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    add_submodule(upstream, str(library.url), "lib")
    library.url.rename(library.url.with_name("away"))
    answered = site.module(ref="master")
    assert answered["failed"]
    assert f"could not fetch from {library.url}: there is no repository at that address" in answered["msg"]
    assert site.version == "one"
    library.url.with_name("away").rename(library.url)
    assert site.module(ref="master")["changed"]
    assert (site.paths.current / "lib/app.py").exists()


@pytest.mark.parametrize(
    ("url", "parent", "meant"),
    [
        ("https://example.com/lib.git", "git@example.com:me/blog.git", "https://example.com/lib.git"),
        ("../lib.git", "git@example.com:me/blog.git", "git@example.com:me/lib.git"),
        ("../../you/lib.git", "git@example.com:me/blog.git", "git@example.com:you/lib.git"),
        ("../lib.git", "https://example.com/me/blog.git/", "https://example.com/me/lib.git"),
        ("./lib", "/srv/blog", "/srv/blog/lib"),
    ],
)
def test_the_address_of_a_submodule_may_be_relative(url: str, parent: str, meant: str) -> None:
    assert contents.absolute(url, parent) == meant


def test_a_submodule_whose_address_is_a_command_is_refused(site: Site, upstream: Upstream, library: Upstream) -> None:
    upstream.commit("one")
    add_submodule(upstream, str(library.url), "lib")
    git(upstream.work, "config", "--file", ".gitmodules", "submodule.lib.url", f"ext::touch {site.path}.evil")
    upstream.commit("evil")
    assert "the url of submodule lib, 'ext::touch" in site.module(ref="master")["msg"]
    assert not site.path.with_name("blog.evil").exists()


LFS = "*.bin filter=lfs diff=lfs merge=lfs -text"


@pytest.mark.parametrize("strategy", ["releases", "in_place"])
@pytest.mark.parametrize(
    ("before", "files"),
    [
        ({}, {"_gitattributes": LFS, "movie_bin": POINTER}),
        ({"_gitattributes": LFS}, {"movie_bin": POINTER}),
        ({}, {"media___gitattributes": LFS, "media__movie_bin": POINTER}),
    ],
    ids=["fresh", "recycled", "attributes below"],
)
def test_git_lfs_pointers_are_refused(
    site: Site, upstream: Upstream, strategy: str, before: dict[str, str], files: dict[str, str]
) -> None:
    for version in ("zero", "one"):
        upstream.commit(version, "master", None, **before)
        site.deploy(strategy=strategy, keep=1)
    upstream.commit("two", "master", None, **files)
    answered = site.module(ref="master", strategy=strategy, keep=1)
    assert answered["failed"]
    assert "movie.bin is stored in Git LFS" in answered["msg"]
    assert "git lfs install" in answered["msg"]
    assert site.version == "one"
    assert site.consistent()


def test_the_name_of_a_file_in_an_error_need_not_be_text(site: Site, upstream: Upstream) -> None:
    """From an answer that is not UTF-8 Ansible takes nothing: no reason, and later no status."""
    upstream.commit("one", "master", None, **{"_gitattributes": LFS, "caf\udce9\x1b[2J_bin": POINTER})
    failed = site.module(ref="master")
    shown = "caf\N{REPLACEMENT CHARACTER}\\x1b[2J.bin is stored in Git LFS"
    assert (shown in failed["msg"], shown in failed["reason"]) == (True, True)
    with site.paths.journal.open("a") as journal:
        journal.write('{"outcome": "failed", "error": "of an earlier version: \\udce9"}\n')
    site.paths.current.symlink_to("caf\udce9")
    answered = site.info()
    assert shown in answered["journal"][0]["error"]
    assert answered["drift"] == ["current points at caf\N{REPLACEMENT CHARACTER}, which is no release"]
    # As Ansible does.
    assert json.dumps([failed, answered], ensure_ascii=False).encode()


def test_git_lfs_pointers_of_a_submodule_are_refused(site: Site, upstream: Upstream, library: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    library.commit("lib two", _gitattributes=LFS, movie_bin=POINTER)
    add_submodule(upstream, str(library.url), "lib")
    assert "movie.bin is stored in Git LFS" in site.module(ref="master")["msg"]
    assert site.version == "one"


def test_in_place_the_hook_fills_submodules_or_they_are_missed(
    site: Site, upstream: Upstream, library: Upstream
) -> None:
    upstream.commit("one")
    site.deploy(strategy="in_place")
    add_submodule(upstream, str(library.url), "lib")
    answered = site.module(ref="master", strategy="in_place")
    assert "submodule lib is not at" in answered["msg"]
    assert site.version == "one"
    update = f"git {' '.join(ALLOW)} submodule --quiet update --init --recursive"
    assert site.module(ref="master", strategy="in_place", post_deploy=update)["changed"]
    assert (site.paths.current / "lib/deep/VERSION").exists()
    assert site.consistent()


@pytest.mark.parametrize("end", ["false", "kill -9 $PPID"])
def test_in_place_submodules_are_put_back_too(
    site: Site, upstream: Upstream, library: Upstream, procmon: FakeProcmon, end: str
) -> None:
    """With procmon no hook runs again that would see to them; nor in the run that undoes one that was killed."""
    update = f"git {' '.join(ALLOW)} submodule --quiet update --init --recursive"
    wanted = {"ref": "master", "strategy": "in_place", "status_file": str(procmon.status_file), "post_deploy": update}
    add_submodule(upstream, str(library.url), "lib")
    assert site.module(**wanted)["changed"]
    library.commit("lib two", app_py="x = 2")
    move_submodule(upstream, "lib")
    site.exit_code(**wanted, test=f"grep 2 lib/app.py && {end}")
    assert site.module(**{**wanted, "ref": "nowhere"})["failed"]
    assert site.version == "with lib"
    assert (site.paths.current / "lib/app.py").read_text() == "x = 1\n"
    assert (site.paths.current / "lib/deep/VERSION").exists()
    assert git(site.paths.source, "status", "--porcelain", "--untracked-files=no") == ""


def test_a_required_filter_that_is_missing_is_named(
    site: Site, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text('[filter "lfs"]\nrequired\nsmudge = git-lfs-is-not-here smudge -- %f\n')
    upstream.commit("one", _gitattributes="*.bin filter=lfs", movie_bin=POINTER)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    answered = site.module(ref="master")
    assert "a file's filter is missing or failed. On the server, install git-lfs" in answered["msg"]
    assert not site.paths.current.exists()


ODD = (b"two\nlines.py", b"caf\xe9.py", b"-rf.py", b"a b\"c'$(id).py", b"CASE.py", b"case.py", b"\xf0\x9f\x90\x8d.py")


def commit_odd(upstream: Upstream, content: bytes) -> str:
    for name in ODD:
        (upstream.work / os.fsdecode(name)).write_bytes(content)
    return upstream.commit(content.decode().strip())


def test_names_that_are_no_text(site: Site, upstream: Upstream) -> None:
    """Four releases, so that one is made out of another, its files removed and its byte code inherited."""
    for number in range(4):
        commit_odd(upstream, b"x = %d\n" % number)
        assert site.module(ref="master", keep=1)["changed"]
    (upstream.work / os.fsdecode(ODD[0])).unlink()
    (upstream.work / os.fsdecode(ODD[1])).unlink()
    upstream.commit("fewer")
    assert site.module(ref="master", keep=1)["changed"]
    there = {os.fsencode(path.name) for path in site.paths.current.glob("*.py")}
    assert there == set(ODD[2:])
    assert all((site.paths.current / os.fsdecode(name)).read_bytes() == b"x = 3\n" for name in ODD[2:])
    assert not git(site.paths.current, "status", "--porcelain", "--untracked-files=no")


def test_names_that_differ_by_case_on_a_disk_that_folds_it(
    site: Site, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few kernels mount such a disk: this one only says that it is."""
    upstream.commit("one")
    site.deploy()
    monkeypatch.setattr(contents, "folds_case", lambda _checkout: True)
    upstream.commit("two", a__Case_py="x = 1", a__b_py="")
    site.deploy()
    upstream.commit("three", a__case_py="x = 2")
    message = site.fail(ref="master").text
    assert "a/Case.py and a/case.py collide" in message
    assert site.version == "two"


def test_which_names_are_the_same_but_for_case() -> None:
    names = ["a/B", "A/b", "a/c", "caf\u00e9", "cafe\u0301", "stra\u00dfe", "b"]
    assert contents.same_but_for_case(names) == [["a/B", "A/b"], ["caf\u00e9", "cafe\u0301"]]


def test_a_disk_that_folds_case_is_known_by_its_git(tmp_path: Path) -> None:
    (tmp_path / ".git").touch()
    assert not contents.folds_case(tmp_path)
    (tmp_path / ".GIT").touch()
    assert contents.folds_case(tmp_path)


def test_links_out_of_the_tree_are_links_and_nothing_behind_them_is_touched(
    site: Site, upstream: Upstream, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.py").write_text("x = 1")
    for number in range(4):
        (upstream.work / "link").unlink(missing_ok=True)
        (upstream.work / "link").symlink_to(outside)
        (upstream.work / "broken").unlink(missing_ok=True)
        (upstream.work / "broken").symlink_to("/nowhere/at/all")
        upstream.commit(f"v{number}")
        site.deploy(keep=1)
    assert (site.paths.current / "link").readlink() == outside
    assert [path.name for path in outside.iterdir()] == ["precious.py"]


def test_a_shared_path_behind_a_link_of_the_repository_is_refused(
    site: Site, upstream: Upstream, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "system").mkdir(parents=True)
    (upstream.work / "public").symlink_to(outside)
    upstream.commit("one")
    answered = site.module(ref="master")
    assert "shared_paths has public/system, but public is a link in the repository" in answered["msg"]
    assert list(outside.iterdir()) == [outside / "system"]
    assert not site.paths.current.exists()


def test_a_commit_message_that_is_no_text(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    tree = git(upstream.work, "rev-parse", "HEAD^{tree}")
    raw = f"tree {tree}\nauthor D <d@e> 1 +0000\ncommitter D <d@e> 1 +0000\n\n".encode() + b"caf\xe9\n"
    command = [GIT, "-C", str(upstream.url), "hash-object", "-t", "commit", "-w", "--stdin"]
    done = subprocess.run(command, input=raw, env={**os.environ, **DEVELOPER}, check=True, capture_output=True)
    git(upstream.url, "update-ref", "refs/heads/odd", done.stdout.decode().strip())
    assert site.module(ref="odd")["changed"]
    assert site.info()["subject"].startswith("caf")


def commit_nested(upstream: Upstream, path: str) -> Path:
    """Commit a repository within the repository, as `git init` in a folder and `git add --all` do."""
    inner = upstream.work / path
    inner.mkdir(parents=True)
    git(inner, "init", "--quiet")
    (inner / "code.py").write_text("x = 1\n")
    git(inner, "add", "--all")
    git(inner, "commit", "--quiet", "--message=inner")
    upstream.commit(f"with {path}")
    return inner


@pytest.mark.parametrize("strategy", ["releases", "in_place"])
def test_a_repository_within_the_repository_is_missed(site: Site, upstream: Upstream, strategy: str) -> None:
    """Its folder is empty in every clone. Four deploys, so that a release would be reused for it."""
    for version in range(3):
        upstream.commit(str(version))
        site.deploy(keep=1, strategy=strategy)
    inner = commit_nested(upstream, "lib")
    answered = site.module(ref="master", keep=1, strategy=strategy)
    assert (
        "lib is a repository of its own, which .gitmodules does not name: the commit has none of its files"
        in (answered["msg"])
    )
    assert "remove lib/.git and run git rm --cached lib and git add lib" in answered["msg"]
    assert (site.version, site.consistent()) == ("2", True)
    # What it advises helps.
    (inner / ".git").rename(upstream.work.parent / "away")
    git(upstream.work, "rm", "--quiet", "--cached", "lib")
    upstream.commit("as files")
    assert site.module(ref="master", keep=1, strategy=strategy)["changed"]
    assert (site.paths.current / "lib/code.py").exists()


def test_a_submodule_without_an_address(site: Site, upstream: Upstream, library: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    add_submodule(upstream, str(library.url), "lib")
    git(upstream.work, "config", "--file", ".gitmodules", "--unset", "submodule.lib.url")
    upstream.commit("no url")
    assert "submodule lib has no url in .gitmodules. Add it there" in site.module(ref="master")["msg"]
    assert site.version == "one"


def test_a_repository_within_a_submodule_is_missed(site: Site, upstream: Upstream, library: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    commit_nested(library, "inner")
    add_submodule(upstream, str(library.url), "lib")
    assert "inner is a repository of its own" in site.module(ref="master")["msg"]
    assert site.version == "one"


def test_gitmodules_that_is_a_link_is_not_followed(
    site: Site, upstream: Upstream, library: Upstream, tmp_path: Path
) -> None:
    upstream.commit("one")
    site.deploy()
    add_submodule(upstream, str(library.url), "lib")
    (upstream.work / ".gitmodules").rename(tmp_path / "modules")
    (upstream.work / ".gitmodules").symlink_to(tmp_path / "modules")
    upstream.commit("linked")
    message = site.module(ref="master")["msg"]
    assert "git does not check out a path of this kind: .gitmodules. Rename or remove it in the repository" in message
    assert site.version == "one"
