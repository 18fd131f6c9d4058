# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commit messages of every kind: each is deployed, logged and shown as one safe line."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.releases.site import Site
from tests.support.releases.upstream import DEVELOPER, GIT, Upstream, git

MANY = 130


def commit_raw(upstream: Upstream, message: bytes, *headers: bytes) -> str:
    """Commit the bytes of a message as they are, without git's clean-up of it, and push."""
    tree, parent = git(upstream.work, "rev-parse", "HEAD^{tree}", "HEAD").splitlines()
    who = b"D <d@e> 1 +0000"
    lines = [f"tree {tree}".encode(), f"parent {parent}".encode(), b"author " + who, b"committer " + who, *headers]
    command = [GIT, "-C", str(upstream.work), "hash-object", "-t", "commit", "-w", "--stdin", "--literally"]
    raw = b"\n".join([*lines, b"", message])
    done = subprocess.run(command, input=raw, env={**os.environ, **DEVELOPER}, check=True, capture_output=True)
    sha = done.stdout.decode().strip()
    git(upstream.work, "reset", "--quiet", "--hard", sha)
    git(upstream.work, "push", "--quiet", "origin", "HEAD:refs/heads/master")
    return sha


MESSAGES = {
    "carriage return": (b"Remove \rexamples\n", (), "Remove \\rexamples"),
    "only a carriage return": (b"\r", (), ""),
    "CRLF": (b"One\r\n\r\nbody\r\n", (), "One"),
    "empty": (b"", (), ""),
    "escape sequence": (b"\x1b[31mred\x1b]0;title\x07\n", (), "\\x1b[31mred\\x1b]0;title\\x07"),
    "latin-1": (b"gr\xfc\xdfe\n", (b"encoding ISO-8859-1",), "grüße"),
    "no encoding": (b"caf\xe9\n", (), "caf\N{REPLACEMENT CHARACTER}"),
    "NUL": (b"one\x00two\n", (), "one"),
    "long": (b"x" * 100_000, (), "x" * 299 + "…"),
    "record separators": (b"one\x1e\x1c\x85\xe2\x80\xa8two\n", (), None),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_any_commit_message_is_deployed(site: Site, upstream: Upstream, kind: str) -> None:
    """The commit itself, and the harmless one that follows it: both list it."""
    message, headers, subject = MESSAGES[kind]
    upstream.commit("one")
    site.deploy()
    sha = commit_raw(upstream, message, *headers)
    answered = site.module(ref="master", _ansible_check_mode=True)
    assert answered["commits"][0]["sha"] == sha, answered
    answered = site.module(ref="master")
    assert (answered["changed"], answered["commits"][0]["sha"]) == (True, sha), answered
    if subject is not None:
        assert answered["commits"][0]["subject"] == subject
    assert answered["commits"][0]["subject"].isprintable()
    assert answered["diff"]["prepared"].count("\n") == 1
    upstream.commit("harmless")
    assert [commit.subject for commit in site.deploy().commits] == ["harmless"]
    site.revert()
    assert site.live == sha
    assert site.info()["subject"] == answered["commits"][0]["subject"]


def test_the_count_of_commits_is_never_cut_short(site: Site, upstream: Upstream) -> None:
    upstream.commit("one")
    site.deploy()
    for number in range(MANY):
        git(upstream.work, "commit", "--quiet", "--allow-empty", f"--message={number}")
    git(upstream.work, "push", "--quiet", "origin", "HEAD:refs/heads/master")
    checked, report = site.check(ref="master"), site.deploy()
    assert report.commit_count == checked.commit_count == MANY
    assert f"({MANY} commits)" in report.msg
    assert f"({MANY} commits)" in checked.msg
    assert len(report.commits) < MANY
