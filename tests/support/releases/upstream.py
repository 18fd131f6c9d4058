# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A remote repository, as a developer sees it: a bare one, and a clone to work in."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import clean_environment

GIT = shutil.which("git") or "git"
DEVELOPER = {
    "GIT_AUTHOR_NAME": "Dev",
    "GIT_AUTHOR_EMAIL": "dev@example.com",
    "GIT_COMMITTER_NAME": "Dev",
    "GIT_COMMITTER_EMAIL": "dev@example.com",
}


def git(directory: Path, *arguments: str, date: int | None = None) -> str:
    """Run git as the developer; `date` (seconds since the epoch) is what it takes for now."""
    dates = {} if date is None else {"GIT_AUTHOR_DATE": f"@{date} +0000", "GIT_COMMITTER_DATE": f"@{date} +0000"}
    done = subprocess.run(
        [GIT, "-C", str(directory), *arguments],
        env={**clean_environment(), **DEVELOPER, **dates},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@dataclass(frozen=True)
class Upstream:
    """The bare repository at `url` and the developer's clone `work`."""

    url: Path
    work: Path

    @classmethod
    def make(cls, below: Path, object_format: str = "sha1") -> Upstream:
        url, work = below / "upstream.git", below / "work"
        options = ("--quiet", "--bare", "--initial-branch=master", f"--object-format={object_format}")
        git(below, "init", *options, str(url))
        git(below, "init", "--quiet", f"--object-format={object_format}", str(work))
        git(work, "remote", "add", "origin", str(url))
        git(work, "checkout", "--quiet", "-B", "master")
        return cls(url, work)

    def commit(self, subject: str, branch: str = "master", date: int | None = None, **files: str) -> str:
        """Commit and push files (`__` in a name stands for a slash, `_` for a dot); return the full sha."""
        for name, content in {"VERSION": subject, **files}.items():
            path = self.work / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n", encoding="utf-8")
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", f"--message={subject}", date=date)
        git(self.work, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.head()

    def head(self) -> str:
        return git(self.work, "rev-parse", "HEAD")

    def tag(self, name: str, *, annotated: bool = False, date: int | None = None) -> None:
        options = ["--annotate", f"--message={name}"] if annotated else []
        git(self.work, "tag", "--force", *options, name, date=date)
        git(self.work, "push", "--quiet", "--force", "origin", f"refs/tags/{name}")

    def delete(self, ref: str) -> None:
        git(self.work, "push", "--quiet", "origin", f":{ref}")

    def rewind(self, sha: str, branch: str = "master") -> None:
        """Force the branch back, as after a mistaken push."""
        git(self.work, "reset", "--quiet", "--hard", sha)
        git(self.work, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
