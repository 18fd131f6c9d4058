# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The git program: argument lists, parsers and the class that runs them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from ..model import Commit
from ..printable import one_line
from ..system.run import Result, Run
from .errors import explain
from .refs import Refs

PINS = "refs/deploys/"
BRANCHES = "refs/remotes/origin/"
TAGS = "refs/tags/"
# Exactly what the remote has: a tag that was moved or deleted there is moved or deleted here.
REFSPECS = (f"+refs/heads/*:{BRANCHES}*", f"+{TAGS}*:{TAGS}*")
# git sorts by the last key first: the newest tag, and the highest version among those of one second.
NEWEST_TAGS = ("--sort=-version:refname", "--sort=-creatordate")
REF_FORMAT = "%(refname)%00%(objectname)%00%(*objectname)"
# What a deploy relies on, whatever the user, the server and the clone have set.
SETTINGS = (
    # Files have the bytes, modes and links of the commit; only the repository's own attributes convert them.
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.eol=lf",
    "core.attributesFile=/dev/null",
    "core.symlinks=true",
    "core.fileMode=true",
    "core.ignoreCase=false",
    "core.sparseCheckout=false",
    # checkout.py fills submodules, and needs no server for those that it has.
    "submodule.recurse=false",
    # A file is unchanged when nothing of its stat has changed, its ctime included.
    # An empty fsmonitor is none: before 2.36 git would take `false` for the name of a program.
    "core.fsmonitor=",
    "core.trustctime=true",
    "core.checkStat=default",
    "core.ignoreStat=false",
    # Of a file that is named before it is on disk, a power loss may leave the name alone, and an empty object or ref
    # stops every later fetch. Before 2.36 git syncs packs only, so what is fetched stays one.
    "core.fsync=all",
    "core.fsyncMethod=fsync",
    "fetch.unpackLimit=1",
    # A release that was moved is found by its whole path, and what is fetched stays until it is pinned.
    "worktree.useRelativePaths=false",
    "gc.pruneExpire=2.weeks.ago",
    # A hook of the repository's own (post-checkout) has no part in a deploy.
    "core.hooksPath=/dev/null",
    "safe.bareRepository=all",
    # Before 2.36 the option --origin cannot be combined with --bare.
    "clone.defaultRemoteName=origin",
    "core.abbrev=auto",
    *(f"color.{part}=false" for part in ("ui", "remote", "transport", "advice")),
)
# A server that accepts and then is silent is given up; over ssh ConnectTimeout does it.
HTTP_STALL_SETTINGS = ("http.lowSpeedLimit=1000", "http.lowSpeedTime=30")
# With any protocol, a git that works reports its progress every second, and the server's progress as well. Only the
# check of what was fetched (rev-list) may be silent, for some seconds with millions of objects.
STALL_SECONDS = 300.0
# git's own language, no questions, and no attributes of the whole server.
ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_ATTR_NOSYSTEM": "1", "GIT_LITERAL_PATHSPECS": "0"}
FETCH_OPTIONS = ("--quiet", "--progress", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
# Nothing is copied from the user's template.
CLONE_OPTIONS = ("--quiet", "--progress", "--template=", "--no-recurse-submodules")
ALLOW_PATHS = "protocol.file.allow=always"
# Subjects as UTF-8 and nothing beside them. The NUL after each field is part of no subject.
LOG = ("log", "-z", "--encoding=UTF-8", "--no-show-signature", "--no-notes", "--no-patch", "--no-color")
COMMIT_FORMAT = "%H%x00%s"
SHOWN_COMMITS = 100
SUBJECT_CHARACTERS = 300


def with_settings(*arguments: str, network: bool = False) -> list[str]:
    """Return the argument list of a git command that does not depend on anyone's settings."""
    settings = [*SETTINGS, *(HTTP_STALL_SETTINGS if network else ())]
    return ["git", *(word for setting in settings for word in ("-c", setting)), *arguments]


def fetch_argv(remote: str) -> list[str]:
    """Fetch all branches and tags of `remote`, dropping what it dropped. With nothing new it writes nothing."""
    return ["fetch", *FETCH_OPTIONS, "--prune", "--no-tags", "--", remote, *REFSPECS]


def refs_argv() -> list[str]:
    """List the remote's branches and tags, newest tag first."""
    return ["for-each-ref", *NEWEST_TAGS, f"--format={REF_FORMAT}", BRANCHES, TAGS]


def log_argv(newest: str, without: str | None = None, count: int = SHOWN_COMMITS) -> list[str]:
    """List the commits that `newest` has and `without` has not, newest first."""
    end = ["--not", without] if without else []
    return [*LOG, f"--max-count={count}", f"--format={COMMIT_FORMAT}", newest, *end, "--"]


def lines(text: str) -> list[str]:
    """Return the lines that git printed. Names of refs may hold what also ends a line for Python."""
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
    """Read what `log_argv` prints: a sha, a NUL, a subject, a NUL. Subjects are made fit for a screen."""
    fields = text.split("\0")
    return [Commit(sha, one_line(subject, SUBJECT_CHARACTERS)) for sha, subject in zip(fields[::2], fields[1::2])]


def without_end(text: str) -> str:
    """Return the one line that git printed without its end; blanks may belong to a path."""
    return text[:-1] if text.endswith("\n") else text


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
        self._run_remote(f"fetch from {remote}", *self._in_repo(), *fetch_argv(remote))

    def fetch_commit(self, sha: str, remote: str = "origin") -> None:
        """Fetch one commit that no branch or tag holds; many servers allow it."""
        wanted = ("fetch", *FETCH_OPTIONS, "--no-prune", "--no-tags", "--", remote, sha)
        self._run_remote(f"fetch {sha}", *self._in_repo(), *wanted)

    def clone(self, url: str, *, bare: bool = False, ssh_command: str = "") -> None:
        """Clone into the directory without checking anything out; the remote is `origin`.

        With an `ssh_command` the clone uses that one, now and later.
        """
        kind = "--bare" if bare else "--no-checkout"
        ssh = ["--config", f"core.sshCommand={ssh_command}"] if ssh_command else []
        words = ("clone", *CLONE_OPTIONS, *ssh, kind, "--", url, str(self.directory))
        self._run_remote(f"clone {url}", *words, ssh_command=ssh_command)

    def ssh_command(self) -> str:
        """Return the ssh that this clone has set for itself; nothing for that of the user."""
        return without_end(self._try("config", "--local", "--get", "core.sshCommand").out)

    def set_ssh_command(self, command: str) -> None:
        """Set the ssh that this clone uses; an empty one is that of the user."""
        words = ("core.sshCommand", command) if command else ("--unset", "core.sshCommand")
        self._git("set the ssh of the clone", "config", "--local", *words)

    def clone_from(self, own: Git) -> None:
        """Clone a bare repository of this project's own, which no setting may forbid."""
        argv = with_settings("-c", ALLOW_PATHS, "clone", *CLONE_OPTIONS, "--no-checkout", "--")
        # It has neither branches nor tags, and from an empty repository git would not take over the kind of hashes.
        environment = {**ENVIRONMENT, "GIT_DEFAULT_HASH": own.object_format()}
        done = self._run([*argv, str(own.directory), str(self.directory)], env=environment)
        if done.rc:
            raise explain(f"clone {own.directory}", str(self.directory), done)

    def init(self, object_format: str, objects: Path | None = None) -> None:
        """Make the directory an empty bare repository that also sees the objects in `objects`."""
        options = ("--quiet", "--bare", "--template=", f"--object-format={object_format}")
        done = self._run(with_settings("init", *options, str(self.directory)), env=ENVIRONMENT)
        if done.rc:
            raise explain(f"make a repository at {self.directory}", str(self.directory), done)
        if objects:
            (self.directory / "objects/info/alternates").write_text(f"{objects}\n", encoding="utf-8")

    def object_format(self) -> str:
        """Return the kind of the repository's hashes: sha1 or sha256."""
        return self._git("read the object format", "rev-parse", "--show-object-format").strip()

    def is_repository(self) -> bool:
        """Return whether the directory is the top of a work tree; raises when git refuses to look."""
        done = self._try("rev-parse", "--show-toplevel")
        if done.rc and "not a git repository" not in done.err:
            raise explain("look at the clone", str(self.directory), done)
        return done.rc == 0 and Path(without_end(done.out)) == self.directory.resolve()

    def url(self) -> str | None:
        """Return the address of origin, None when there is none."""
        return without_end(self._try("config", "--get", "remote.origin.url").out) or None

    def set_url(self, url: str) -> None:
        known = "set-url" if self.url() else "add"
        self._git(f"point origin at {url}", "remote", known, "--", "origin", url)

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

    def subject(self, commit: str) -> str:
        """Return the first line of a commit's message."""
        return parse_log(self._git("read a commit", *log_argv(commit, count=1)))[0].subject

    def count(self, newest: str, without: str | None = None) -> int:
        """Return how many commits `newest` has and `without` has not."""
        end = ["--not", without] if without else []
        return int(self._git("count the commits", "rev-list", "--count", newest, *end, "--"))

    def tracks(self, path: str) -> bool:
        return bool(self._git("list the tracked files", "ls-files", "-z", "--", f":(literal){path}"))

    def has_file(self, commit: str, path: str) -> bool:
        """Return whether a commit has something at `path`."""
        return self._try("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{path}").rc == 0

    def tracked(self, *options: str) -> list[str]:
        """List the tracked files, as `git ls-files -z` does."""
        listed = self._git("list the tracked files", "ls-files", "-z", *options)
        return [entry for entry in listed.split("\0") if entry]

    def modules(self) -> str:
        """Return the whole of .gitmodules as `git config --list -z` prints it."""
        return self._git("read .gitmodules", "config", "--file", str(self.directory / ".gitmodules"), "--list", "-z")

    def changed_paths(self, sha: str) -> set[str]:
        """Return the tracked paths whose files here, as they are, differ from those of a commit."""
        options = ("--name-only", "--no-renames", "--no-ext-diff", "--no-relative", "--ignore-submodules=none", "-z")
        listed = self._git("compare the files", "diff", *options, "-O/dev/null", sha, "--")
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
        self._git(f"check out {sha}", "checkout", "--quiet", "--force", "--detach", sha, "--")

    def untracked(self) -> list[str]:
        """Return what is here and not tracked, ignored or not; a directory with nothing tracked in it as one path."""
        listed = self._git("list the untracked files", "ls-files", "-z", "--others", "--directory")
        return [path for path in listed.split("\0") if path]

    def has_no_hidden_changes(self) -> bool:
        """Return whether git looks at every tracked file: none is marked to be overlooked."""
        listed = self._git("list the tracked files", "ls-files", "-z", "-v")
        return all(entry.startswith("H ") for entry in listed.split("\0") if entry)

    def repair_worktrees(self, paths: Iterable[Path]) -> None:
        """Record in git where worktrees are that were renamed."""
        self._git("repair the worktrees", "worktree", "repair", *map(str, paths))

    def maintain(self) -> None:
        """Pack what has become many files, in the background; most of the time there is nothing to do."""
        self._git("clean up the clone", "maintenance", "run", "--auto", "--quiet")

    def prune_worktrees(self) -> None:
        self._git("forget removed worktrees", "worktree", "prune")

    def read_index(self) -> None:
        """Make the index that of HEAD, so that git sees where the files here differ; none is touched."""
        self._git("read the index", "reset", "--quiet", "--mixed")

    def soft_reset(self, sha: str) -> None:
        """Move HEAD, not a single file."""
        self._git(f"move HEAD to {sha}", "reset", "--quiet", "--soft", sha)

    def hard_reset(self, sha: str) -> None:
        self._git(f"reset {self.directory} to {sha}", "reset", "--quiet", "--hard", sha)

    def _in_repo(self) -> list[str]:
        return ["-C", str(self.directory)]

    def _try(self, *arguments: str) -> Result:
        return self._run(with_settings(*self._in_repo(), *arguments), env=ENVIRONMENT)

    def _git(self, doing: str, *arguments: str) -> str:
        done = self._try(*arguments)
        if done.rc:
            raise explain(doing, str(self.directory), done)
        return done.out

    def _run_remote(self, doing: str, *arguments: str, ssh_command: str = "") -> None:
        """Run a git that talks to a server."""
        environment = self._network(ssh_command)
        done = self._run(with_settings(*arguments, network=True), env=environment, silence=STALL_SECONDS)
        if done.rc:
            raise explain(doing, str(self.directory), done)

    def _network(self, ssh_command: str) -> dict[str, str]:
        command = os.environ.get("GIT_SSH_COMMAND") or ssh_command or self._configured_ssh()
        ssh = command or shlex.quote(os.environ.get("GIT_SSH") or "ssh")
        # No one is there to answer a question, and a server may fall silent: fail instead of waiting for ever.
        alive = "-o ServerAliveInterval=15 -o ServerAliveCountMax=4"
        return {**ENVIRONMENT, "GIT_SSH_COMMAND": f"{ssh} -o BatchMode=yes -o ConnectTimeout=15 {alive}"}

    def _configured_ssh(self) -> str:
        within = self._in_repo() if self.directory.is_dir() else []
        return without_end(self._run(["git", *within, "config", "--get", "core.sshCommand"]).out)
