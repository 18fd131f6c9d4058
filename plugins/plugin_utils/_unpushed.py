# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As in the original script: work in the project's own clone that was not pushed cannot be deployed. Private."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from dataclasses import dataclass, replace

from ._typed import option

CHANGES = ("status", "--porcelain", "--untracked-files=no")
HEAD = ("symbolic-ref", "--quiet", "--short", "HEAD")
BRANCHES = ("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes/origin")
NO_COMMITS = ("log", "--oneline", "--max-count=0")
PREFIXES = ("refs/remotes/origin/", "refs/heads/", "origin/")


@dataclass(frozen=True)
class Answer:
    """How a git command ended."""

    code: int
    lines: tuple[str, ...]
    error: str


def find_unpushed(local: str, ref: str | None) -> tuple[Answer, Answer]:
    """Ask git for the changes that are not committed, and the commits that are not pushed, as far as `ref` is meant."""
    head, branches = _git(local, HEAD).lines, _git(local, BRANCHES).lines
    counts, commits = questions(ref, head[0] if head else "", branches)
    changes = _git(local, CHANGES)
    return changes if counts else replace(changes, lines=()), _git(local, commits)


def questions(ref: str | None, head: str, branches: Collection[str]) -> tuple[bool, tuple[str, ...]]:
    """Return whether changes that are not committed count, and how to ask for commits that are not pushed.

    What is on another branch than the one that is deployed is no work for it. A tag or a sha is deployed as it is.
    Without a ref the branch that is checked out is compared with the one it follows, as in the original.
    """
    if not ref:
        return True, ("log", "--oneline", "@{upstream}..")
    branch = next((ref[len(prefix) :] for prefix in PREFIXES if ref.startswith(prefix)), ref)
    own, remote = f"refs/heads/{branch}", f"refs/remotes/origin/{branch}"
    if remote not in branches and own not in branches:
        return False, NO_COMMITS
    if not any(name.startswith("refs/remotes/origin/") for name in branches):
        # As in the original, what follows nothing cannot be ahead of anything.
        return head == branch, NO_COMMITS
    # A branch that was never pushed: all of it is missing where the server looks for it.
    start = (f"^{remote}",) if remote in branches else ("--not", "--remotes=origin")
    commits = ("log", "--oneline", own, *start, "--") if own in branches else NO_COMMITS
    return head == branch, commits


def unpushed_error(name: str, local: str, changes: Answer, commits: Answer, *, force: bool) -> str | None:
    """Return why the project is not deployed.

    Without an upstream branch no commit can be ahead of it: as in the original, that is no reason.
    """
    if changes.code:
        return (
            f"{name}: `local` is not a git clone: {local} ({changes.error}). "
            "Correct the path, or remove the key: then nothing is checked before a deploy."
        )
    found = (*changes.lines, *(commits.lines if not commits.code else ()))
    if force or not found:
        return None
    return "\n".join(
        [
            f"{name}: {local} has changes that are not committed or not pushed, so they would not be deployed:",
            *found,
            f"Commit and push them, or deploy what is pushed with {option('force')}.",
        ]
    )


def _git(local: str, words: tuple[str, ...]) -> Answer:
    argv = ["git", "-C", local, *words]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        return Answer(127, (), f"git cannot be run: {error.strerror}")
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return Answer(done.returncode, tuple(lines), done.stderr.decode("utf-8", "replace").strip())
