# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ref means, given the branches and tags there are."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git import refs

A, B, C, D = (letter * 40 for letter in "abcd")
KNOWN = refs.Refs({"master": A, "HEAD": A, "both": B, "feature/x": C}, {"v2": D, "v1": C, "both": A})


@pytest.mark.parametrize(
    ("ref", "revision"),
    [
        ("master", A),
        ("origin/master", A),
        ("refs/heads/master", A),
        ("refs/remotes/origin/master", A),
        ("feature/x", C),
        ("origin/feature/x", C),
        ("origin/HEAD", A),
        ("v1", C),
        ("refs/tags/both", A),
        ("refs/heads/both", B),
        ("master~2", f"{A}~2"),
        ("v1^", f"{C}^"),
        ("0123abc", "0123abc"),
        ("0123ABC", "0123abc"),
        (B, B),
    ],
)
def test_a_name_means_one_commit(ref: str, revision: str) -> None:
    assert refs.choose(ref, KNOWN) == refs.Chosen(revision, ref)


@pytest.mark.parametrize("ref", [None, ""])
def test_no_name_means_the_newest_tag(ref: str | None) -> None:
    assert refs.choose(ref, KNOWN) == refs.Chosen(D, "v2")


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("both", "ambiguous: a branch and a tag"),
        ("origin/nope", "unknown"),
        ("nope", "unknown"),
        ("refs/tags/master", "unknown"),
        ("HEAD@{1}", "unknown"),
        ("-f", "cannot be the name"),
        ("a b", "cannot be the name"),
        ("a\nb", "cannot be the name"),
    ],
)
def test_a_name_that_means_none_or_several_is_an_error(ref: str, message: str) -> None:
    with pytest.raises(ReleaseError, match=message):
        refs.choose(ref, KNOWN)


@pytest.mark.parametrize(
    ("known", "ref", "message"),
    [
        (refs.Refs(), "master", "no commit yet"),
        (refs.Refs(), None, "no commit yet"),
        (refs.Refs({"master": A}), None, "no ref was given"),
    ],
)
def test_a_repository_without_what_is_asked_for_is_an_error(known: refs.Refs, ref: str | None, message: str) -> None:
    with pytest.raises(ReleaseError, match=message):
        refs.choose(ref, known)


@pytest.mark.parametrize(
    ("ref", "full"), [(A, True), (A[1:], False), (A.upper(), False), ("master", False), (None, False)]
)
def test_only_a_full_sha_means_the_same_everywhere(ref: str | None, full: object) -> None:
    assert refs.is_full(ref) is full


def test_an_unknown_name_lists_some_of_what_there_is() -> None:
    many = refs.Refs({f"b{number}": A for number in range(20)}, {})
    with pytest.raises(ReleaseError) as caught:
        refs.choose("nope", many)
    assert "b0, b1" in caught.value.hint
    assert "and 8 more" in caught.value.hint
    assert "newest tags: none" in caught.value.hint


@pytest.mark.parametrize("repo", ["-oProxyCommand=evil", "ext::sh", "fd::3"])
def test_an_address_that_would_run_something_is_refused(repo: str) -> None:
    with pytest.raises(ReleaseError, match="is not allowed: git could run a command"):
        refs.check_repo(repo)


@pytest.mark.parametrize("repo", ["git@host:a/b.git", "https://host/a.git", "/srv/a.git", "ssh://[::1]:22/a.git"])
def test_usual_addresses_pass(repo: str) -> None:
    refs.check_repo(repo)


@pytest.mark.parametrize("repo", ["https://bot:pa/ss@host/x.git", "https://bot:pa ss@host/x.git", "ssh://a:b/c@h/x"])
def test_a_password_that_cuts_the_address_in_two_is_refused_unseen(repo: str) -> None:
    with pytest.raises(ReleaseError, match="the password in repo has a '/' or a blank in it") as caught:
        refs.check_repo(repo)
    assert repo not in str(caught.value)


@pytest.mark.parametrize(
    "repo", ["https://host:8443/a@b/x.git", "https://bot:pa%2Fss@host/x.git", "https://host/@scope/x", "/srv/a:b@c"]
)
def test_other_addresses_with_a_colon_and_an_at_sign_pass(repo: str) -> None:
    refs.check_repo(repo)


@pytest.mark.parametrize(
    ("branches", "example"),
    [({"HEAD": A, "dev": A, "master": A}, "master"), ({"dev": A}, "dev"), ({"HEAD": A}, "main")],
)
def test_a_repository_without_a_tag_has_a_branch_to_name(branches: dict[str, str], example: str) -> None:
    remedy = f"Set ref, such as origin/{example}, or tag a commit and push the tag"
    assert refs.ref_error(None, refs.Refs(branches)) == f"no ref was given and the repository has no tag. {remedy}"


def test_a_ref_that_means_a_commit_is_no_error() -> None:
    assert refs.ref_error("origin/main", refs.Refs({"main": A})) == ""
