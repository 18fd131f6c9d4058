"""python -m tests.bench.deploy.ways: ways to make a release when one file has changed, in time and disk.

Each begins with a release of the commit before. The bytes are those of the whole file system: name a quiet one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.git.client import Git
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.release import reuse
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command

from tests.bench.deploy.repository import Repository
from tests.support.sshd import program


def copied(*options: str) -> Callable[[Git, Path, Path, str], None]:
    """A way that copies the release before with these options of cp."""

    def copy(_git: Git, old: Path, new: Path, _commit: str) -> None:
        subprocess.run([program("cp"), "-a", *options, old, new], check=True, capture_output=True)

    return copy


def checked_out(git: Git, _old: Path, new: Path, commit: str) -> None:
    """git makes every file."""
    git.add_worktree(new, commit)


def turned(git: Git, old: Path, new: Path, commit: str) -> None:
    """A release that is not needed any more becomes the new one."""
    spare = reuse.inspect_candidate(git.at(old), commit)
    if spare is None:
        raise SystemExit(f"bench-release: {old} is in use")
    old.rename(new)
    reuse.convert(git.at(new), commit, spare.changed)


WAYS: dict[str, Callable[[Git, Path, Path, str], None]] = {
    "git worktree add": checked_out,
    "cp --reflink=never (then the change)": copied("--reflink=never"),
    "cp --reflink=always (then the change)": copied("--reflink=always"),
    "cp --link (then the change; unsafe)": copied("--link"),
    "out of a release that goes": turned,
}


def used(folder: Path) -> int:
    """Bytes in use on the file system, once all is written."""
    os.sync()
    status = os.statvfs(folder)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def measure(folder: Path, git: Git, commit: str, way: Callable[[Git, Path, Path, str], None]) -> str:
    """Make one release and say what it took. The sync counts: a deploy waits for it before it switches."""
    old, new = folder / "old", folder / "new"
    git.add_worktree(old, f"{commit}~1")
    before, start = used(folder), time.monotonic()
    try:
        way(git, old, new, commit)
    except subprocess.CalledProcessError:
        return "not on this file system"
    made = time.monotonic() - start
    os.sync()
    return f"{made:6.2f} s, on disk after {time.monotonic() - start:6.2f} s, {(used(folder) - before) / 1e6:6.1f} MB"


def main() -> int:
    """Measure every way."""
    parser = argparse.ArgumentParser("python -m tests.bench.deploy.ways", description=__doc__)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, help="on the file system to measure")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ways-", dir=wanted.folder) as below:
        repository = Repository(Path(below) / "remote", wanted.files)
        repository.publish()
        for number, (name, way) in enumerate(WAYS.items()):
            folder = Path(below) / str(number)
            git = Git(run_command, folder / "source")
            git.clone(str(repository.url))
            print(f"{name:40}{measure(folder, git, git.head() or '', way)}", flush=True)
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
