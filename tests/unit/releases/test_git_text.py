# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What git prints, read; and what it complains about, explained."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import client as git
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import Commit

A, B = "a" * 40, "b" * 40


def test_an_annotated_tag_stands_for_its_commit() -> None:
    text = f"refs/tags/v1\0{A}\0{B}\nrefs/remotes/origin/master\0{A}\0\nrefs/tags/v0\0{A}\0\n"
    found = git.parse_refs(text)
    assert (found.branches, found.tags) == ({"master": A}, {"v1": B, "v0": A})


def test_a_subject_may_hold_anything() -> None:
    assert git.parse_log(f"{A}\0fix: a\0b\n{B}\0\n") == [Commit(A, "fix: a\0b"), Commit(B, "")]
    assert git.parse_log(f"{A}\0one\u2028two\n") == [Commit(A, "one\u2028two")]


@pytest.mark.parametrize(
    ("stderr", "found", "remedy"),
    [
        ("fatal: detected dubious ownership in repository at '/x'", "another user owns it", "chown"),
        ("Host key verification failed.\nfatal: Could not read from remote", "host key is unknown", "ssh-keyscan"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "not the one this server knows", "known_hosts"),
        ("git@host: Permission denied (publickey).", "refused the deploy user", "key"),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", "refused", "key"),
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
    error = git.explain("fetch from origin", "/x", stderr)
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
    assert git.PROGRESS.sub("", end.join(told)) == told[-1]
