# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of the real module under strace: what they change on disk, and being killed right before one such change."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.releases.site import CALL, COLLECTIONS

STRACE = shutil.which("strace") or "strace"
GIT = shutil.which("git") or "git"
# All that changes a disk; opening a file does when it makes or empties one.
NAMES = (
    "openat,write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,link,linkat,"
    "chmod,fchmod,fchmodat,truncate,ftruncate,utimensat,fsync,fdatasync,syncfs,copy_file_range"
)
LINE = re.compile(r"(?:\d+ +)?(?P<name>\w+)\((?P<rest>.*)")
DEADLINE = 60.0
# Stands before git in PATH: runs the wanted invocation under strace, or each of them to learn what they do. With
# TORTURE_PARENT=with its caller dies with git; with TORTURE_PARENT=first it dies, and git would go on.
GIT_SHIM = """#!/bin/sh
number=$(($(cat "$TORTURE/count") + 1))
echo $number > "$TORTURE/count"
test -z "$TORTURE_AT" || test "$TORTURE_AT" = $number || exec {git} "$@"
{strace} -f -qq -y -s 0 -o "$TORTURE/$number" -e trace={names} $TORTURE_INJECT {git} "$@" &
while test "$TORTURE_PARENT" = first && kill -0 $! && test -z "$stopped"; do
    sleep 0.01
    stopped=$(sed -n 's/^\\([0-9]*\\) *--- stopped by SIGSTOP.*/\\1/p' "$TORTURE/$number")
done 2> /dev/null
test -z "$stopped" || {{ kill -9 $PPID; kill -CONT "$stopped"; }}
wait $!
rc=$?
test "$TORTURE_PARENT" != with || ! grep -q 'killed by SIGKILL' "$TORTURE/$number" || kill -9 $PPID
exit $rc
"""


@dataclass(frozen=True)
class Point:
    """A place to be killed at: right before call number `count` of `name`, in the module or in one of its gits.

    `git` is the number of the git invocation, 0 is the module itself; `what` is the call, for people; `signal` kills.
    """

    name: str
    count: int
    what: str
    git: int = 0
    signal: str = "SIGKILL"

    def __str__(self) -> str:
        who = f"git {self.git}" if self.git else "the module"
        return f"{self.signal} to {who} before its call {self.count} of {self.name}: {self.what}"

    @property
    def inject(self) -> str:
        return f"inject={self.name}:signal={self.signal}:when={self.count}"


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code (negative: the signal) and what it wrote."""

    code: int
    out: str
    err: str


def changes(log: str, below: Path, git: int = 0) -> Iterator[Point]:
    """Name the calls of one process in a log of strace that change something at or below `below`."""
    counts: Counter[str] = Counter()
    for line in log.splitlines():
        called = LINE.fullmatch(line)
        if called is None:
            continue
        counts[called["name"]] += 1
        if str(below) in called["rest"] and _is_change(called["name"], called["rest"]):
            yield Point(called["name"], counts[called["name"]], line, git)


def _is_change(name: str, rest: str) -> bool:
    return " = -1 " not in rest and (name != "openat" or re.search(r"O_CREAT|O_TRUNC", rest) is not None)


class Tracer:
    """Runs the module on one project, traced; `scratch` is for the logs."""

    def __init__(self, scratch: Path, below: Path) -> None:
        self.scratch, self.below = scratch, below
        shim = scratch / "bin" / "git"
        shim.parent.mkdir(parents=True)
        shim.write_text(GIT_SHIM.format(git=GIT, strace=STRACE, names=NAMES), encoding="utf-8")
        shim.chmod(0o755)

    def module_points(self, options: dict[str, object]) -> list[Point]:
        """Run the module untouched and return where its own process changes the project."""
        log = self.scratch / "module"
        ended = self._run([*self._strace(log)], options, {})
        assert ended.out, ended.err
        return list(changes(log.read_text(encoding="utf-8"), self.below))

    def git_points(self, options: dict[str, object]) -> list[Point]:
        """Run the module untouched and return where its gits, with all that they start, change the project."""
        self._run([], options, self._shimmed())
        invocations = range(1, int((self.scratch / "count").read_text()) + 1)
        found = {(at.git, at.name, at.count): at for number in invocations for at in self._git_log(number)}
        return list(found.values())

    def kill(self, at: Point, options: dict[str, object], parent: str = "") -> Ended:
        """Run the module, and kill it, or the git that the point is in, right before `at`.

        The module dies `with` that git, or `first`, while git stands at the point, or not at all.
        """
        if not at.git:
            return self._run([*self._strace(self.scratch / "killed"), "-e", at.inject], options, {})
        wanted = {"TORTURE_AT": str(at.git), "TORTURE_INJECT": f"-e {at.inject}"}
        return self._run([], options, {**self._shimmed(), **wanted, "TORTURE_PARENT": parent})

    def hit(self, at: Point) -> bool:
        """Return whether the signal of the last run came: a run that restores or finishes ignores SIGTERM."""
        log = (self.scratch / (str(at.git) if at.git else "killed")).read_text(encoding="utf-8")
        return any(sign in log for sign in ("killed by SIGKILL", "--- SIGTERM ", "--- stopped by SIGSTOP"))

    def record(self, options: dict[str, object]) -> list[str]:
        """Run the module with all that it starts, and return its calls that change a disk, in order."""
        log = self.scratch / "all"
        ended = self._run([*self._strace(log), "-f"], options, {})
        assert ended.code == 0, ended.out + ended.err
        called = map(LINE.fullmatch, log.read_text(encoding="utf-8").splitlines())
        return [call[0] for call in called if call and _is_change(call["name"], call["rest"])]

    def _git_log(self, number: int) -> Iterable[Point]:
        log = (self.scratch / str(number)).read_text(encoding="utf-8")
        processes: dict[str, list[str]] = {}
        for line in log.splitlines():
            processes.setdefault(line.split(" ", 1)[0], []).append(line)
        for lines in processes.values():
            yield from changes("\n".join(lines), self.below, number)

    def _strace(self, log: Path) -> list[str]:
        return [STRACE, "-qq", "-y", "-s", "0", "-o", str(log), "-e", f"trace={NAMES}"]

    def _shimmed(self) -> dict[str, str]:
        (self.scratch / "count").write_text("0\n", encoding="utf-8")
        bare = {"TORTURE_AT": "", "TORTURE_INJECT": "", "TORTURE_PARENT": ""}
        return {**bare, "TORTURE": str(self.scratch), "PATH": f"{self.scratch}/bin:{os.environ['PATH']}"}

    def _run(self, under: list[str], options: dict[str, object], env: dict[str, str]) -> Ended:
        # Byte code and hashes would make two runs differ.
        same = {"PYTHONPATH": str(COLLECTIONS), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        process = subprocess.run(
            [*under, sys.executable, "-c", CALL.format(module="releases")],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
            env={**os.environ, **same, **env},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        return Ended(process.returncode, process.stdout, process.stderr)
