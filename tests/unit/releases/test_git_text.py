# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What git prints, read; and what it complains about, explained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import client as git
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import errors
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.model import Commit
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import Result

A, B = "a" * 40, "b" * 40


def explain(stderr: str, rc: int = 128) -> ReleaseError:
    return errors.explain("fetch from origin", "/x", Result(rc, "", stderr))


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


# What git, ssh and servers write, as seen; what is found and what is advised. Each known error is here.
SAMPLES = [
    (
        "git: 'remote-htps' is not a git command. See 'git --help'.",
        "git does not know the protocol",
        "ssh:// or https://",
    ),
    ("error: unknown option `no-write-fetch-head'", "git on this server is too old", "git 2.30"),
    ("fatal: mismatched algorithms: client sha1; server sha256", "hashes of another kind", "Move it away"),
    ("fatal: detected dubious ownership in repository at '/x'", "another user owns it", "chown"),
    ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "not the one this server knows", "known_hosts"),
    (
        "Host key verification failed.\nfatal: Could not read from remote",
        "host key is unknown",
        "Run setup, which adds it",
    ),
    (
        "@ WARNING: UNPROTECTED PRIVATE KEY FILE! @\ngit@host: Permission denied (publickey).",
        "other users",
        "chmod 600",
    ),
    ("git@host: Permission denied (publickey).", "refused the deploy user", "Run setup, which makes a key"),
    ("fatal: could not read Username for 'https://x': terminal prompts disabled", "asks for a user", "deploy key"),
    ("remote: Invalid username\nfatal: Authentication failed for 'https://x/'", "asks for a user", "credential helper"),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 403", "answered 403", "key or token"),
    (
        "fatal: unable to access 'https://x/': CONNECT tunnel failed, response 407 HTTP code 407 from proxy",
        "proxy",
        "proxy",
    ),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 429", "answered 429", "Wait"),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 502", "answered 502", "Try again later"),
    ("fatal: SSL: certificate subject name (a) does not match target host name 'b'", "another host name", "Set repo"),
    ("fatal: server certificate verification failed. CAfile: none", "does not trust", "sslCAInfo"),
    ("fatal: SSL certificate problem: self-signed certificate", "does not trust", "sslCAInfo"),
    ("fatal: unable to access 'https://x/': gnutls_handshake() failed", "no encrypted connection", "port"),
    ("fatal: unable to update url base from redirection:\n  asked for: a", "redirects to another address", "Set repo"),
    ("fatal: http://x/info/refs not valid: is this a git repository?", "a web server answers", "for cloning"),
    ("fatal: transport 'file' not allowed", "forbids the protocol", "protocol.NAME.allow"),
    ("fatal: remote error: upload-pack: not our ref aaaa", "refuses to send that commit", "Push"),
    ("error: unable to write file a: No space left on device", "the disk is full", "Free some space"),
    ("fatal: could not open '.git/x' for writing: Read-only file system", "read-only", "Mount it writable"),
    ("fatal: Out of memory, malloc failed (tried to allocate 9 bytes)", "out of memory", "swap"),
    ("error: index-pack died of signal 9", "out of memory", "swap"),
    ("warning: unable to access './objects/info/alternates': Permission denied", "at that address", "files there"),
    ("error: insufficient permission for adding an object", "another user owns files in /x", "chown"),
    ("fatal: Unable to create '/x/.git/index.lock': Permission denied", "another user owns files in /x", "chown"),
    ("fatal: Unable to create '/x/.git/index.lock': File exists.", "another git process", "remove the .lock"),
    ("error: invalid path '.gitmodules'", "a path of this kind: .gitmodules", "Rename"),
    ("error: unable to create file aaa: File name too long", "a file name that is too long", "Rename"),
    ("ssh: Could not resolve hostname nowhere: Name or service not known", "cannot be reached", "try again"),
    ("ssh: connect to host x port 22: Connection refused", "cannot be reached", "try again"),
    ("fatal: '/x' does not appear to be a git repository", "no repository at that address", "Check repo"),
    ("ERROR: Repository not found.", "no repository at that address", "Check repo"),
    ("ERROR: Permission to a/b.git denied to key.\nfatal: Could not read from", "let this user read", "the rights"),
    ("fatal: Could not read from remote repository.\nPlease make sure", "ended the connection", "the rights of the"),
    ("error: external filter 'git-lfs smudge -- %f' failed", "a file's filter is missing", "git lfs install"),
    ("error: object file .git/objects/aa/bb is empty", "the clone at /x is damaged", "git fsck"),
    ("fatal: unable to update refs/remotes/origin/HEAD", "could not write", "Free some space"),
    ("fatal: cannot create directory at 'a'", "could not write", "Free some space"),
    (
        "error: RPC failed; curl 18 transfer closed\nfatal: early EOF",
        "connection to the git server was lost",
        "Try again",
    ),
]


@pytest.mark.parametrize(("stderr", "found", "remedy"), SAMPLES)
def test_a_failure_becomes_a_sentence_with_a_remedy(stderr: str, found: str, remedy: str) -> None:
    error = explain(stderr)
    assert error.msg.startswith("could not fetch from origin: ")
    assert found in error.msg
    assert remedy in str(error)


def test_each_known_error_has_a_sample() -> None:
    def first(stderr: str) -> errors.KnownError:
        return next(known for known in errors.KNOWN_ERRORS if re.search(known.pattern, stderr))

    assert {first(stderr) for stderr, _found, _remedy in SAMPLES} == set(errors.KNOWN_ERRORS)


@pytest.mark.parametrize(
    ("stderr", "rc", "reason"),
    [
        ("fatal: something new", 128, "fatal: something new"),
        ("error: first\nhint: try\nfatal: last\nPlease make sure\n", 128, "fatal: last"),
        ("something else\n", 1, "something else"),
        ("", 3, "git gave no reason (exit 3)"),
        ("", -9, "git was killed by SIGKILL. If memory was short"),
        ("", -15, "git was ended by signal 15. Deploy again"),
        ("remote: hello\nremote: fatal: No space left on device   \n", 128, "the git server answered: fatal: No space"),
        ("remote: GitLab: you are blocked\nremote: \n", 128, "the git server answered: GitLab: you are blocked"),
        (
            "remote: Permission denied\nfatal: the remote end hung up unexpectedly",
            128,
            "the connection to the git server",
        ),
    ],
)
def test_what_is_not_known_keeps_its_own_words(stderr: str, rc: int, reason: str) -> None:
    """What the server says of itself is not taken for a failure of this one."""
    assert str(explain(stderr, rc)).startswith(f"could not fetch from origin: {reason}")


def test_a_path_outside_of_the_clone_is_named() -> None:
    error = explain("warning: unable to access '/home/web/.config/git/config': Permission denied\nfatal: x")
    assert "the deploy user may not use /home/web/.config/git/config. Correct the owner" in str(error)
    error = explain("fatal: detected dubious ownership in repository at '/srv/it's.git'")
    assert "git refuses /srv/it's.git, because another user owns it" in error.msg
    assert "git config --global --add safe.directory '/srv/it'\"'\"'s.git'" in error.hint


def test_no_secret_and_no_control_character_is_shown() -> None:
    error = explain("remote: \x1b[2J\r\nfatal: unable to access 'https://bot:s3cr3t@h/x.git/': new\n")
    assert "unable to access 'https://h/x.git/': new" in error.detail
    assert "s3cr3t" not in str(error) + error.detail
    assert "\x1b" not in error.detail
    assert "s3cr3t" not in errors.explain("clone https://bot:s3cr3t@h/x", "/x", Result(1, "", "")).msg


def test_nothing_that_is_given_can_be_an_option() -> None:
    assert git.fetch_argv("--evil").index("--") < git.fetch_argv("--evil").index("--evil")


@pytest.mark.parametrize("end", ["\r", "\n"])
def test_progress_is_no_reason(end: str) -> None:
    """What git reports while it works, with its own ways to write over a line, is no failure."""
    written = (
        "remote: Enumerating objects: 1",
        "remote: Enumerating objects: 2, done.        ",
        "remote: Counting objects:  50% (1/2)        ",
        "Receiving objects:  25% (2/8), 1.00 MiB | 2.00 MiB/s",
        "Resolving deltas: 100% (2/2), done.",
        "fatal: early EOF\nerror: the server returned error: 403\n",
    )
    assert errors.PROGRESS.sub("", end.join(written)) == written[-1]


def test_a_bare_clone_does_not_name_its_remote() -> None:
    """Before 2.36 git refuses --origin beside --bare: the setting works with each."""
    seen: list[Sequence[str]] = []

    def record(
        argv: Sequence[str],
        cwd: str | None = None,
        env: Mapping[str, str | None] | None = None,
        silence: float | None = None,
    ) -> Result:
        del cwd, env, silence
        seen.append(argv)
        return Result(0, "", "")

    git.Git(record, Path("/clone")).clone("/upstream", bare=True)
    [clone] = [argv for argv in seen if "clone" in argv]
    assert [word for word in clone if word.startswith("--origin")] == []
    assert "clone.defaultRemoteName=origin" in clone
