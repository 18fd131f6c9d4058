"""A repository of many files, and commits that change one of them."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from tests.support.sshd import program

IN_ONE_FOLDER = 100
# One in so many is a Python module.
MODULES = 10
# No process of git's own goes on after the command.
QUIET = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")
AUTHOR = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")


class Repository:
    """A bare repository at `url`, a clone of it at `work`, with about 2 kB in each file."""

    def __init__(self, folder: Path, files: int) -> None:
        self.url, self.work = folder / "upstream.git", folder / "work"
        self.version = 0
        folder.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", "--initial-branch=master", str(self.url), at=folder)
        self._git("clone", "--quiet", str(self.url), str(self.work), at=folder)
        self._git("checkout", "--quiet", "-B", "master")
        chance = random.Random(files)  # noqa: S311  content, not secrets
        for number in range(files):
            _write(self.work, number, chance)
        self.publish()

    def publish(self) -> None:
        """Change one file, commit and push."""
        self.version += 1
        (self.work / "VERSION").write_text(f"{self.version}\n")
        self._git("add", "--all")
        self._git(*AUTHOR, "commit", "--quiet", f"--message=version {self.version}")
        self._git("push", "--quiet", "--set-upstream", "origin", "master")

    def _git(self, *arguments: str, at: Path | None = None) -> None:
        subprocess.run(
            [program("git"), *QUIET, "-C", str(at or self.work), *arguments], check=True, capture_output=True
        )


def _write(work: Path, number: int, chance: random.Random) -> None:
    folder = work / f"folder{number // IN_ONE_FOLDER}"
    folder.mkdir(exist_ok=True)
    if number % MODULES:
        (folder / f"data{number}.txt").write_text("".join(f"{chance.random()}\n" for _ in range(110)))
    else:
        functions = (f"def function{line}(x, y={chance.random()}):\n    return x + y\n" for line in range(40))
        (folder / f"module{number}.py").write_text("".join(functions))
