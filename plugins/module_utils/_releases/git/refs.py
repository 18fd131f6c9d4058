# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What a ref means: a branch, a tag or a sha of the remote. Decisions only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import ReleaseError
from ..printable import printable
from ..system.redaction import hide_secrets

# Of SHA-1 and of SHA-256.
FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT_SHA = re.compile(r"[0-9a-f]{4,64}")
# A colon that no port follows, and an @ only after the first slash: the password holds the slash.
UNENCODED_PASSWORD = re.compile(r"[A-Za-z][\w+.-]*://[^/@]*:(?!\d*/)[^/@]*[/\s][^@]*@")
RELATIVE = re.compile(r"(?P<base>[^~^]+)(?P<suffix>(?:[~^]\d*)*)")
SHOWN = 12
USUAL_BRANCHES = ("main", "master")


@dataclass(frozen=True)
class Refs:
    """The remote's branches and tags, each with the full sha of its commit; tags newest first."""

    branches: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Chosen:
    """What a ref means: a revision git can look up, and the name it goes by in the journal."""

    revision: str
    name: str


def choose(ref: str | None, refs: Refs) -> Chosen:
    """Return which commit `ref` means; without one, the newest tag.

    A bare branch name means the remote's branch: the server has none of its own that would ever move.
    Raises ReleaseError when nothing or more than one thing goes by that name.
    """
    if not refs.branches and not refs.tags:
        raise ReleaseError("the repository has no commit yet", "push one first, then deploy")
    if not ref:
        return _newest_tag(refs)
    check(ref)
    matched = RELATIVE.fullmatch(ref)
    base, suffix = (matched["base"], matched["suffix"]) if matched else (ref, "")
    return Chosen(_one(base, refs) + suffix, ref)


def ref_error(ref: str | None, refs: Refs) -> str:
    """Return why `ref` means no commit, and what to do; nothing where it means one."""
    try:
        choose(ref, refs)
    except ReleaseError as error:
        return error.reason
    return ""


def check(ref: str) -> None:
    """Raise ReleaseError when `ref` could be taken for an option or cannot be a name."""
    if ref.startswith("-") or not ref.isprintable() or " " in ref:
        raise ReleaseError(f"ref {ref!r} cannot be the name of a commit", "use a branch, a tag or a sha")


def check_repo(repo: str, what: str = "repo") -> None:
    """Raise ReleaseError when git would take an address for an option or run a command because of it."""
    if repo.startswith("-") or re.match(r"[A-Za-z0-9]+::", repo):
        found = f"{what} {hide_secrets(repo)!r} is not allowed: git could run a command because of it"
        raise ReleaseError(found, "use an ssh:// or https:// URL, user@host:path, or a path")
    if UNENCODED_PASSWORD.match(repo):
        # Not shown: where the password ends cannot be known.
        found = f"the password in {what} has a '/' or a blank in it"
        raise ReleaseError(found, "write a '/' as %2F and a blank as %20")


def is_full(ref: str | None) -> bool:
    """Return whether `ref` is a full sha, which needs no remote to be resolved."""
    return ref is not None and FULL_SHA.fullmatch(ref) is not None


def _newest_tag(refs: Refs) -> Chosen:
    for tag, sha in refs.tags.items():
        return Chosen(sha, tag)
    branches = [name for name in refs.branches if name != "HEAD"]
    usual = next((name for name in USUAL_BRANCHES if name in branches), branches[0] if branches else "main")
    remedy = f"set ref, such as origin/{printable(usual)}, or tag a commit and push the tag"
    raise ReleaseError("no ref was given and the repository has no tag", remedy)


def _one(name: str, refs: Refs) -> str:
    found = {kind: sha for kind, sha in _meanings(name, refs) if sha is not None}
    if len(found) > 1:
        raise ReleaseError(f"ref {name!r} is ambiguous: {' and '.join(found)}", _full_names(name))
    for sha in found.values():
        return sha
    if SHORT_SHA.fullmatch(name.lower()):
        return name.lower()
    raise ReleaseError(f"ref {name!r} is unknown", describe(refs))


def _meanings(name: str, refs: Refs) -> Iterable[tuple[str, str | None]]:
    for prefix in ("refs/heads/", "refs/remotes/origin/"):
        if name.startswith(prefix):
            yield "a branch", refs.branches.get(name[len(prefix) :])
    if name.startswith("refs/tags/"):
        yield "a tag", refs.tags.get(name[len("refs/tags/") :])
    if name.startswith("origin/"):
        yield "a branch", refs.branches.get(name[len("origin/") :])
    yield "a branch" if not name.startswith("origin/") else "a branch of that whole name", refs.branches.get(name)
    yield "a tag", refs.tags.get(name)


def _full_names(name: str) -> str:
    bare = name[len("origin/") :] if name.startswith("origin/") else name
    return f"write refs/heads/{bare} for the branch or refs/tags/{name} for the tag"


def describe(refs: Refs) -> str:
    """List the branches and the newest tags there are, for an error message."""
    return f"branches: {_listed(refs.branches)}; newest tags: {_listed(refs.tags)}"


def _listed(names: Mapping[str, str]) -> str:
    shown = [name for name in names if name != "HEAD"]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return printable(", ".join(shown[:SHOWN])) + more if shown else "none"
