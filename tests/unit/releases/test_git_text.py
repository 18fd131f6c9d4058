# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What git prints, read; and what it complains about, explained."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import client as git
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import errors
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import Commit
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import Result

A, B = "a" * 40, "b" * 40


def test_an_annotated_tag_stands_for_its_commit() -> None:
    text = f"refs/tags/v1\0{A}\0{B}\nrefs/remotes/origin/master\0{A}\0\nrefs/tags/v0\0{A}\0\n"
    found = git.parse_refs(text)
    assert (found.branches, found.tags) == ({"master": A}, {"v1": B, "v0": A})


def test_subjects_are_read_whatever_they_hold() -> None:
    """A NUL ends a field, and nothing else does: CR, an empty subject and line ends of Unicode are text."""
    text = f"{A}\0Remove \rexamples\0{B}\0\0{A}\0one\u2028two\n\0"
    assert git.parse_log(text) == [
        Commit(A, "Remove \\rexamples"),
        Commit(B, ""),
        Commit(A, "one\\u2028two\\n"),
    ]
    assert git.parse_log("") == []


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("caf\udce9", "caf\N{REPLACEMENT CHARACTER}"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("one\ttwo\x85three", "one\\ttwo\\x85three"),
        ("grüße \U0001f468\u200d\U0001f469", "grüße \U0001f468\u200d\U0001f469"),
        ("x" * 1000, "x" * 299 + "…"),
    ],
)
def test_a_subject_is_safe_for_a_terminal(subject: str, shown: str) -> None:
    assert git.parse_log(f"{A}\0{subject}\0") == [Commit(A, shown)]


@pytest.mark.parametrize(
    ("stderr", "found", "remedy"),
    [
        ("fatal: detected dubious ownership in repository at '/x'", "another user owns it", "chown"),
        ("Host key verification failed.\nfatal: Could not read from remote", "host key is unknown", "ssh-keyscan"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "not the one this server knows", "known_hosts"),
        ("git@host: Permission denied (publickey).", "refused the deploy user", "key"),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", "asks for a user", "deploy key"),
        ("ssh: Could not resolve hostname nowhere: Name or service not known", "cannot be reached", "try again"),
        ("ssh: connect to host x port 22: Connection refused", "cannot be reached", "try again"),
        ("fatal: '/x' does not appear to be a git repository", "no repository at that address", "repo"),
        ("error: unable to write file a: No space left on device", "the disk is full", "free some space"),
        ("fatal: Unable to create '/x/.git/index.lock': File exists.", "another git process", "remove"),
        ("fatal: something new", "fatal: something new", ""),
        ("", "git gave no reason", ""),
    ],
)
def test_a_complaint_becomes_a_sentence_with_a_remedy(stderr: str, found: str, remedy: str) -> None:
    error = errors.explain("fetch from origin", "/x", Result(128, "", stderr))
    assert error.msg.startswith("could not fetch from origin: ")
    assert found in error.msg
    assert remedy in error.hint


def test_nothing_that_is_given_can_be_an_option() -> None:
    assert git.fetch_argv("--evil").index("--") < git.fetch_argv("--evil").index("--evil")


@pytest.mark.parametrize("end", ["\r", "\n"])
def test_progress_is_no_reason(end: str) -> None:
    """What git tells while it works, with its own ways to write over a line, is not what it died of."""
    told = (
        "remote: Enumerating objects: 1",
        "remote: Enumerating objects: 2, done.        ",
        "remote: Counting objects:  50% (1/2)        ",
        "Receiving objects:  25% (2/8), 1.00 MiB | 2.00 MiB/s",
        "Resolving deltas: 100% (2/2), done.",
        "fatal: early EOF\nerror: the server returned error: 403\n",
    )
    assert errors.PROGRESS.sub("", end.join(told)) == told[-1]
