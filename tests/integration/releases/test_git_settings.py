# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the deploy user has set for git decides nothing: the files, the refs and the log are the commit's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.releases.invariants import torn
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream, git

# Each would change what is checked out, fetched, listed or printed.
HOSTILE = """
[core]
    autocrlf = true
    safecrlf = true
    eol = crlf
    symlinks = false
    fileMode = false
    ignoreCase = true
    ignoreStat = true
    trustctime = false
    checkStat = minimal
    fsmonitor = true
    sparseCheckout = true
    abbrev = 4
    quotePath = true
    pager = false
    hooksPath = {home}/hooks
    attributesFile = {home}/attributes
    excludesFile = {home}/excludes
    logAllRefUpdates = false
    fsyncMethod = writeout-only
    untrackedCache = true
[init]
    templateDir = {home}/template
    defaultBranch = other
    defaultObjectFormat = sha256
[clone]
    defaultRemoteName = upstream
    rejectShallow = true
[fetch]
    prune = true
    pruneTags = true
    recurseSubmodules = true
    unpackLimit = 100000
    fsckObjects = true
    all = true
    output = compact
[transfer]
    unpackLimit = 100000
    fsckObjects = true
[protocol "file"]
    allow = user
[submodule]
    recurse = true
[checkout]
    workers = 4
    thresholdForParallelism = 1
    guess = false
    defaultRemote = upstream
[color]
    ui = always
    remote = always
    transport = always
[i18n]
    logOutputEncoding = ISO-8859-1
[log]
    showSignature = true
    mailmap = true
    decorate = full
    follow = true
    date = relative
    diffMerges = on
    showRoot = true
[format]
    pretty = fuller
[notes]
    displayRef = refs/notes/*
[diff]
    noprefix = true
    mnemonicPrefix = true
    orderFile = {home}/missing
    renames = copies
    relative = true
    external = false
    ignoreSubmodules = all
    submodule = log
    wsErrorHighlight = all
[status]
    short = true
    showUntrackedFiles = no
[column]
    ui = always
[grep]
    lineNumber = true
[gc]
    auto = 1
    autoDetach = false
    pruneExpire = now
    worktreePruneExpire = now
[maintenance]
    strategy = none
[safe]
    bareRepository = explicit
[worktree]
    guessRemote = true
    useRelativePaths = true
[versionsort]
    suffix = -rc
[reset]
    quiet = false
[advice]
    detachedHead = true
[trace2]
    eventBrief = true
"""
HOOKS = ("post-checkout", "reference-transaction", "post-index-change", "pre-auto-gc")


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's configuration that sets everything to another value, with hooks and attributes that leave a trace."""
    home = tmp_path / "home"
    (home / "template/hooks").mkdir(parents=True)
    (home / "template/info").mkdir()
    (home / "template/info/attributes").write_text("* -text ident export-ignore\n")
    (home / "template/info/sparse-checkout").write_text("/nothing\n")
    (home / "hooks").mkdir()
    for folder in (home / "hooks", home / "template/hooks"):
        for hook in HOOKS:
            (folder / hook).write_text(f"#!/bin/sh\necho {hook} >> {home}/trace\nexit 1\n")
            (folder / hook).chmod(0o755)
    (home / "attributes").write_text("* text eol=crlf ident\n*.bin filter=lfs\n")
    (home / "excludes").write_text("*\n")
    (home / "config").write_text(HOSTILE.format(home=home))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "config"))
    return home


@pytest.fixture
def library(tmp_path: Path) -> Upstream:
    (tmp_path / "lib").mkdir()
    return Upstream.make(tmp_path / "lib")


def write_odd_files(work: Path) -> None:
    """Files that some setting would change: line ends, modes, links, names, and what an attribute expands."""
    (work / "unix.txt").write_bytes(b"a\nb\n$Id$\n")
    (work / "dos.txt").write_bytes(b"a\r\nb\r\n")
    (work / "movie.bin").write_bytes(b"\0\r\n\n")
    (work / "run.sh").write_bytes(b"#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    (work / "link").unlink(missing_ok=True)
    (work / "link").symlink_to("unix.txt")
    (work / "Case.py").write_text("x = 1\n")
    (work / "case.py").write_text("x = 2\n")


def as_developer(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return monkeypatch


def test_a_hostile_configuration_changes_nothing(
    site: Site, upstream: Upstream, library: Upstream, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First deploy without setup, four deploys that reuse releases, submodule, tag, check mode, revert."""
    with monkeypatch.context() as developer:
        as_developer(developer)
        library.commit("lib one", app_py="x = 1")
        write_odd_files(upstream.work)
        upstream.commit("größer eins")
        git(upstream.work, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.url), "lib")
        upstream.commit("with lib")
    for number in range(4):
        with monkeypatch.context() as developer:
            as_developer(developer)
            (upstream.work / "unix.txt").write_bytes(b"%d\n$Id$\n" % number)
            sha = upstream.commit(f"größer {number}", number=str(number))
            upstream.tag(f"v{number}")
        assert site.check(ref="master").commits[0].subject == f"größer {number}"
        report = site.deploy(keep=1)
        assert report.commits[0].subject == f"größer {number}"
        assert (site.live, torn_files(site), report.warnings) == (sha, [], [])
        assert (site.paths.current / "lib/app.py").read_text() == "x = 1\n"
    assert site.revert().changed
    assert (site.version, torn_files(site)) == ("größer 2", [])
    assert not (hostile / "trace").exists()
    assert [line for line in site.logged if len(line) < 7] == []
    assert git(site.paths.source, "remote") == "origin"
    assert site.info()["drift"] == []


def torn_files(site: Site) -> list[str]:
    """Name what differs from the commit; a submodule is no file."""
    return [path for path in torn(site.paths.current.resolve()) if path != "lib"]


def test_without_submodules_releases_are_reused(
    site: Site, upstream: Upstream, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        with monkeypatch.context() as developer:
            as_developer(developer)
            write_odd_files(upstream.work)
            (upstream.work / f"only{number}").write_text("x")
            (upstream.work / f"only{number - 1}").unlink(missing_ok=True)
            upstream.commit(str(number))
        site.deploy(keep=1)
        assert (site.version, torn(site.paths.current.resolve())) == (str(number), [])
        assert not (site.paths.current / f"only{number - 1}").exists()
    assert not (hostile / "trace").exists()


def test_in_place_a_hostile_configuration_changes_nothing(
    site: Site, upstream: Upstream, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("one", "two"):
        with monkeypatch.context() as developer:
            as_developer(developer)
            write_odd_files(upstream.work)
            upstream.commit(version)
        site.deploy(strategy="in_place")
        assert (site.version, torn(site.paths.current.resolve())) == (version, [])
    assert not (hostile / "trace").exists()


def test_a_clone_whose_remote_has_another_name(site: Site, upstream: Upstream) -> None:
    """One that was made by hand, with clone.defaultRemoteName set."""
    upstream.commit("one")
    site.path.mkdir()
    git(site.path, "clone", "--quiet", "--origin", "upstream", str(upstream.url), "source")
    site.deploy()
    assert site.version == "one"
