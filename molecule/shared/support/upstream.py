"""The git server's repository of one project, and the developer who pushes to it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
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

    def publish(self, version: str, files: Mapping[str, str] | None = None) -> str:
        """Push a commit that answers with `version` and has these texts of files, and return its full sha."""
        for name, text in {"VERSION": version + "\n", **(files or {})}.items():
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            (self.clone / name).write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", f"Say {version}")
        self._git("push", "--quiet", "origin", "HEAD:main")
        return self.head()

    def head(self) -> str:
        """Return the full sha of the last commit."""
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str) -> str:
        argv = ["git", "-C", str(self.clone), *AUTHOR, *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
