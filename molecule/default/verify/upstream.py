"""The git server's repository of one project, and the developer who pushes to it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

AUTHOR = ["-c", "user.name=Dev", "-c", "user.email=dev@example.org"]


@dataclass(frozen=True)
class Upstream:
    """A clone on the laptop."""

    clone: Path

    @classmethod
    def of(cls, url: str, clone: Path, ssh: str) -> Upstream:
        """Clone `url` with the ssh command `ssh`."""
        argv = ["git", "clone", "--quiet", "--config", f"core.sshCommand={ssh}", url, str(clone)]
        subprocess.run(argv, check=True)
        return cls(clone)

    def publish(self, version: str) -> str:
        """Push a commit that answers with `version`, and return its full sha."""
        (self.clone / "VERSION").write_text(version + "\n")
        self._git("commit", "--quiet", "--all", "--message", f"Say {version}")
        self._git("push", "--quiet", "origin", "HEAD:main")
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str) -> str:
        argv = ["git", "-C", str(self.clone), *AUTHOR, *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
