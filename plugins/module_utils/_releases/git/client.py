# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The git program: argument lists, parsers and the class that runs them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from ..errors import ReleaseError
from ..model import Commit
from ..system.run import STALLED, Result, Run
from ..system.text import tail
from .refs import Refs

PINS = "refs/deploys/"
BRANCHES = "refs/remotes/origin/"
TAGS = "refs/tags/"
# Exactly what the remote has: a tag that was moved or deleted there is moved or deleted here.
REFSPECS = (f"+refs/heads/*:{BRANCHES}*", f"+{TAGS}*:{TAGS}*")
# git sorts by the last key first: the newest tag, and the highest version among those of one second.
NEWEST_TAGS = ("--sort=-version:refname", "--sort=-creatordate")
REF_FORMAT = "%(refname)%00%(objectname)%00%(*objectname)"
# Whatever the user prefers: a file is unchanged when nothing of its stat has changed, its ctime included.
# An empty fsmonitor is none: before 2.36 git would take `false` for the name of a program.
STAT_OPTIONS = tuple(
    word
    for setting in ("core.fsmonitor=", "core.trustctime=true", "core.checkStat=default", "core.ignoreStat=false")
    for word in ("-c", setting)
)
# A server that accepts and says no more is given up; over ssh ConnectTimeout does it.
PATIENCE = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30")
# Of a file that is named before it is on disk, a power loss may leave the name alone, and an empty object or ref stops
# every later fetch. Before 2.36 git syncs packs only, so what is fetched stays one.
DURABLE_OPTIONS = ("-c", "core.fsync=all", "-c", "fetch.unpackLimit=1")
# Whatever the protocol, a git that works tells its progress every second, the server's part of it, too; only its look
# at what it has fetched (rev-list) may be silent, for some seconds in millions of objects.
STALL_SECONDS = 300.0
# What it tells of its progress, whichever way a line ends. A failure has other reasons.
PROGRESS = re.compile(
    r"(?:\A|(?<=[\r\n]))[^\r\n]*(?:: +\d+% \(\d+/\d+\)[^\r\n]*|: +\d+, done\. *|\w+ing objects: +\d+ *)[\r\n]+"
)
COMMIT_FORMAT = "%H%x00%s"
SHOWN_COMMITS = 100

KNOWN_ERRORS = (
    (
        r"unknown option `|unknown (?:switch|subcommand)|is not a git command|^usage: git",
        "the git on this server is too old",
        "install git 2.30 or newer there",
    ),
    (
        r"dubious ownership",
        "git refuses {where}, because another user owns it",
        "let the deploy user own the project's directory (chown -R), or deploy as its owner",
    ),
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the git server's host key is not the one this server knows",
        "make sure that the change is meant, then renew it in ~/.ssh/known_hosts of the deploy user",
    ),
    (
        r"Host key verification failed|No \w+ host key is known",
        "the git server's host key is unknown to this server",
        "add it to ~/.ssh/known_hosts of the deploy user (ssh-keyscan)",
    ),
    (
        r"Permission denied|Authentication failed|could not read (Username|Password)|terminal prompts disabled",
        "the git server refused the deploy user",
        "give the user a key that may read the repository, or forward your agent",
    ),
    (
        r"Could not resolve host|Connection (refused|timed out|reset)|No route to host|Network is unreachable"
        r"|unable to access|Failed to connect|Operation too slow|" + STALLED,
        "the git server cannot be reached",
        "see whether this server reaches it, and try again",
    ),
    (
        r"does not appear to be a git repository|[Rr]epository .*not found|does not exist|fatal: strange \w+ ",
        "there is no repository at that address, or it is hidden from this user",
        "see to the option repo",
    ),
    (
        r"No space left on device|Out of diskspace|Disk quota exceeded|failed to write .* to object database"
        r"|cannot (create|write)|couldn't write|could not (set '|write)|unable to write",
        "the disk is full",
        "free some space or inodes, then deploy again",
    ),
    (
        r"git-lfs|external filter .* failed|smudge filter",
        "a file's filter is missing or failed",
        "on the server, install git-lfs and run as the deploy user: git lfs install --skip-repo",
    ),
    (
        r"(object|pack|loose) .*(corrupt|is empty|missing)|(bad|missing) object|unable to (read|unpack)|inflate:"
        r"|did not send all",
        "the clone at {where} is damaged",
        "see what git fsck says there, or move it away: the next deploy clones again",
    ),
    (r"[Rr]ead-only file system", "the file system is read-only", "mount it writable, then deploy again"),
    (
        r"\.lock': File exists",
        "another git process works in {where}, or one died there",
        "if none runs, remove the .lock file that git names",
    ),
)


def fetch_argv(remote: str) -> list[str]:
    """Fetch all branches and tags of `remote`, dropping what it dropped. With nothing new it writes nothing."""
    silent = ["--quiet", "--progress", "--no-write-fetch-head", "--no-auto-maintenance"]
    return [*PATIENCE, "fetch", *silent, "--prune", "--no-tags", "--no-recurse-submodules", "--", remote, *REFSPECS]


def refs_argv() -> list[str]:
    """List the remote's branches and tags, newest tag first."""
    return ["for-each-ref", *NEWEST_TAGS, f"--format={REF_FORMAT}", BRANCHES, TAGS]


def log_argv(newest: str, without: str | None = None) -> list[str]:
    """List the commits that `newest` has and `without` has not, newest first."""
    end = ["--not", without] if without else []
    return ["log", f"--max-count={SHOWN_COMMITS}", f"--format={COMMIT_FORMAT}", newest, *end, "--"]


def lines(text: str) -> list[str]:
    """Return the lines that git printed. Names and subjects may hold what else ends a line for Python."""
    return [line for line in text.split("\n") if line]


def parse_refs(text: str) -> Refs:
    """Read what `refs_argv` prints; an annotated tag stands for the commit it points at."""
    branches: dict[str, str] = {}
    tags: dict[str, str] = {}
    for line in lines(text):
        name, sha, peeled = line.split("\0")
        if name == f"{BRANCHES}HEAD":
            # What the remote's HEAD was when it was cloned: no fetch moves it.
            continue
        if name.startswith(BRANCHES):
            branches[name[len(BRANCHES) :]] = sha
        else:
            tags[name[len(TAGS) :]] = peeled or sha
    return Refs(branches, tags)


def parse_log(text: str) -> list[Commit]:
    """Read what `log_argv` prints."""
    return [Commit(*line.split("\0", 1)) for line in lines(text)]


def explain(doing: str, where: str, stderr: str) -> ReleaseError:
    """Turn what git wrote into a sentence with a remedy; git's own words follow as detail."""
    foreign = re.search(r"dubious ownership in repository at '([^\n]+)'", stderr)
    if foreign and Path(where) not in {Path(foreign[1]), *Path(foreign[1]).parents}:
        remedy = f"let the deploy user trust it: git config --global --add safe.directory {shlex.quote(foreign[1])}"
        refused = f"git refuses {foreign[1]}, because another user owns it"
        return ReleaseError(f"could not {doing}: {refused}", remedy, tail(stderr))
    for pattern, found, remedy in KNOWN_ERRORS:
        if re.search(pattern, stderr):
            return ReleaseError(f"could not {doing}: {found.format(where=where)}", remedy, tail(stderr))
    last = tail(stderr, 1) or "git gave no reason"
    return ReleaseError(f"could not {doing}: {last}", detail=tail(stderr))


class Git:
    """One repository, asked and changed through the git program.

    Methods raise ReleaseError with git's reason when a command fails.
    """

    def __init__(self, run: Run, directory: Path) -> None:
        self._run = run
        self.directory = directory

    def at(self, directory: Path) -> Git:
        """Return the same git for another directory."""
        return Git(self._run, directory)

    def refs(self) -> Refs:
        return parse_refs(self._git("list the refs", *refs_argv()))

    def fetch(self, remote: str = "origin") -> None:
        self._run_remote(f"fetch from {remote}", *self._in_repo(*fetch_argv(remote)))

    def fetch_commit(self, sha: str, remote: str = "origin") -> None:
        """Fetch one commit that no branch or tag holds; many servers allow it."""
        wanted = ("fetch", "--quiet", "--progress", "--no-tags", "--", remote, sha)
        self._run_remote(f"fetch {sha}", *self._in_repo(*PATIENCE, *wanted))

    def clone(self, url: str) -> None:
        """Clone into the directory without checking anything out."""
        wanted = ("clone", "--quiet", "--progress", "--no-checkout", "--", url, str(self.directory))
        self._run_remote(f"clone {url}", *PATIENCE, *wanted)

    def init_with_alternates(self, objects: Path | None) -> None:
        """Make the directory an empty bare repository that also sees the objects in `objects`."""
        done = self._run(["git", "init", "--quiet", "--bare", str(self.directory)])
        if done.rc:
            raise explain("make a repository to look with", str(self.directory), done.err)
        if objects:
            (self.directory / "objects/info/alternates").write_text(f"{objects}\n", encoding="utf-8")

    def is_repository(self) -> bool:
        """Say whether the directory is the top of a work tree; raises when git refuses to look."""
        done = self._try("rev-parse", "--show-toplevel")
        if done.rc and "not a git repository" not in done.err:
            raise explain("look at the clone", str(self.directory), done.err)
        return done.rc == 0 and Path(done.out.strip()) == self.directory.resolve()

    def url(self) -> str | None:
        done = self._try("config", "--get", "remote.origin.url")
        return done.out.strip() or None

    def set_url(self, url: str) -> None:
        known = "set-url" if self.url() else "add"
        self._git(f"point origin at {url}", "remote", known, "origin", url)

    def rev_parse(self, revision: str) -> str | None:
        """Return the full sha of the commit that `revision` names, None when there is none or several."""
        done = self._try("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return done.out.strip() if done.rc == 0 else None

    def abbreviate(self, sha: str) -> str:
        return self._git(f"abbreviate {sha}", "rev-parse", "--short", sha).strip()

    def head(self) -> str | None:
        return self.rev_parse("HEAD")

    def commits(self, newest: str, without: str | None = None) -> list[Commit]:
        return parse_log(self._git("list the commits", *log_argv(newest, without)))

    def count(self, newest: str, without: str | None = None) -> int:
        """Return how many commits `newest` has and `without` has not."""
        end = ["--not", without] if without else []
        return int(self._git("count the commits", "rev-list", "--count", newest, *end, "--"))

    def tracks(self, path: str) -> bool:
        return bool(self._git("list the tracked files", "ls-files", "--", path))

    def tracked(self, *options: str) -> list[str]:
        """List the tracked files, as `git ls-files -z` does."""
        listed = self._git("list the tracked files", "ls-files", "-z", *options)
        return [entry for entry in listed.split("\0") if entry]

    def modules(self) -> str:
        """Return all that .gitmodules says, as `git config --list -z` tells it."""
        return self._git("read .gitmodules", "config", "--file", str(self.directory / ".gitmodules"), "--list", "-z")

    def changed_paths(self, sha: str) -> set[str]:
        """Return the tracked paths whose files here, as they are, differ from those of a commit."""
        options = ("--name-only", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", "-z")
        listed = self._git("compare the files", *STAT_OPTIONS, "diff", *options, sha, "--")
        return {path for path in listed.split("\0") if path}

    def pin(self, commits: Iterable[str]) -> None:
        """Keep these full shas alive whatever happens to the branches and tags."""
        wanted = set(commits)
        missing = wanted - self.pins() if wanted else wanted
        for sha in sorted(missing):
            self._git(f"pin {sha}", "update-ref", PINS + sha, sha)

    def pins(self) -> set[str]:
        listed = self._git("list the pins", "for-each-ref", "--format=%(refname)", PINS)
        return {name[len(PINS) :] for name in lines(listed)}

    def add_worktree(self, path: Path, sha: str, *, files: bool = True) -> None:
        checkout = "--checkout" if files else "--no-checkout"
        self._git(f"check out {sha}", "worktree", "add", "--quiet", "--detach", checkout, str(path), sha)

    def check_out(self, sha: str) -> None:
        """Make this worktree's files those of a commit, whatever was done to them."""
        self._git(f"check out {sha}", *STAT_OPTIONS, "checkout", "--quiet", "--force", "--detach", sha, "--")

    def untracked(self) -> list[str]:
        """Return what is here and not tracked, ignored or not; a directory with nothing tracked in it as one path."""
        listed = self._git("list the untracked files", "ls-files", "-z", "--others", "--directory")
        return [path for path in listed.split("\0") if path]

    def has_no_hidden_changes(self) -> bool:
        """Say whether git looks at every tracked file: nobody told it to overlook changes of some."""
        listed = self._git("list the tracked files", "ls-files", "-z", "-v")
        return all(entry.startswith("H ") for entry in listed.split("\0") if entry)

    def repair_worktrees(self, paths: Iterable[Path]) -> None:
        """Tell git where worktrees went that were renamed."""
        self._git("repair the worktrees", "worktree", "repair", *map(str, paths))

    def maintain(self) -> None:
        """Pack what has become many files, in the background; most of the time there is nothing to do."""
        self._git("tidy the clone", "maintenance", "run", "--auto", "--quiet")

    def prune_worktrees(self) -> None:
        self._git("forget removed worktrees", "worktree", "prune")

    def read_index(self) -> None:
        """Let git take the files here for those of HEAD, and tell where they differ; none is touched."""
        self._git("read the index", "reset", "--quiet", "--mixed")

    def soft_reset(self, sha: str) -> None:
        """Move HEAD, not a single file."""
        self._git(f"move HEAD to {sha}", "reset", "--quiet", "--soft", sha)

    def hard_reset(self, sha: str) -> None:
        self._git(f"reset {self.directory} to {sha}", "reset", "--quiet", "--hard", sha)

    def _in_repo(self, *arguments: str) -> list[str]:
        # A hook of the repository's own (post-checkout) has no part in a deploy.
        return ["-C", str(self.directory), *DURABLE_OPTIONS, "-c", "core.hooksPath=/dev/null", *arguments]

    def _try(self, *arguments: str) -> Result:
        return self._run(["git", *self._in_repo(*arguments)], env={"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})

    def _git(self, doing: str, *arguments: str) -> str:
        done = self._try(*arguments)
        if done.rc:
            raise explain(doing, str(self.directory), done.err)
        return done.out

    def _run_remote(self, doing: str, *arguments: str) -> None:
        """Run a git that talks to a server."""
        done = self._run(["git", *arguments], env=self._network(), silence=STALL_SECONDS)
        if done.rc:
            raise explain(doing, str(self.directory), PROGRESS.sub("", done.err))

    def _network(self) -> dict[str, str]:
        ssh = os.environ.get("GIT_SSH_COMMAND") or self._configured_ssh() or "ssh"
        # Nobody is there to answer a question, and a server may fall silent: fail instead of waiting for ever.
        alive = "-o ServerAliveInterval=15 -o ServerAliveCountMax=4"
        quiet = f"{ssh} -o BatchMode=yes -o ConnectTimeout=15 {alive}"
        return {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_SSH_COMMAND": quiet}

    def _configured_ssh(self) -> str:
        within = ["-C", str(self.directory)] if self.directory.is_dir() else []
        return self._run(["git", *within, "config", "--get", "core.sshCommand"]).out.strip()
