# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As in the original script: work in the project's own clone that was not pushed cannot be deployed. Private."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

CHANGES = ("status", "--porcelain", "--untracked-files=no")
COMMITS = ("log", "--oneline", "@{upstream}..")


@dataclass(frozen=True)
class Answer:
    """How a git command ended."""

    code: int
    lines: tuple[str, ...]
    error: str


def find_unpushed(local: str) -> tuple[Answer, Answer]:
    """Ask git for the changes that are not committed, and the commits that are not pushed."""
    return _git(local, CHANGES), _git(local, COMMITS)


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
            "Commit and push them, or deploy what is pushed with -e force=true.",
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
