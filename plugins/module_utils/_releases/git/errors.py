# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What git wrote when it failed, turned into a sentence with a remedy."""

from __future__ import annotations

import re
import shlex
import signal
from pathlib import Path
from typing import NamedTuple

from ..errors import ReleaseError
from ..printable import printable, tail
from ..system.redaction import hide_secrets
from ..system.run import STALLED, Result

# What git reports of its progress, whichever way a line ends. A failure has other reasons.
PROGRESS = re.compile(
    r"(?:\A|(?<=[\r\n]))[^\r\n]*(?:: +\d+% \(\d+/\d+\)[^\r\n]*|: +\d+, done\. *|\w+ing objects: +\d+ *)[\r\n]+"
)
REMOTE_LINE = re.compile(r"^remote:(.*)$", re.MULTILINE)
DUBIOUS = re.compile(r"dubious ownership in repository at '([^\n]+)'")
# ssh names the ways to log in, in parentheses; all others are files.
DENIED = re.compile(r"(?<!\S)'?(?P<path>/[^'\n]*?)/?'?:? Permission denied(?! \(|,)")
OWN = "let the deploy user own the project's directory (chown -R), or deploy as its owner"


class KnownError(NamedTuple):
    """One failure: what git writes, what was found, and what to do. `{where}` is the repository."""

    pattern: str
    found: str
    remedy: str


# The first that matches counts.
KNOWN_ERRORS = (
    KnownError(
        r"'remote-[\w+.-]+' is not a git command",
        "git does not know the protocol of the address",
        "use an ssh:// or https:// URL, user@host:path, or a path",
    ),
    KnownError(
        r"unknown option `|unknown (?:switch|subcommand)|is not a git command|^usage: git",
        "the git on this server is too old",
        "install git 2.30 or newer there",
    ),
    KnownError(
        r"mismatched algorithms",
        "the clone at {where} has hashes of another kind than the repository (SHA-1 or SHA-256)",
        "move it away: the next deploy clones again",
    ),
    KnownError(r"dubious ownership", "git refuses {where}, because another user owns it", OWN),
    KnownError(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the git server's host key is not the one this server knows",
        "make sure that the change is meant, then renew it in ~/.ssh/known_hosts of the deploy user",
    ),
    KnownError(
        r"Host key verification failed|No \w+ host key is known",
        "the git server's host key is unknown to this server",
        "run setup, which adds it, or add it to ~/.ssh/known_hosts of the deploy user",
    ),
    KnownError(
        r"UNPROTECTED PRIVATE KEY FILE|Bad owner or permissions on",
        "ssh does not use a file that other users may read or write",
        "let the deploy user own the file that ssh names, and run chmod 600 on it",
    ),
    KnownError(
        r"Permission denied(?: \(|, please try again)|Too many authentication failures",
        "the git server refused the deploy user",
        "run setup, which makes a key for the project and names where to add it, or forward your agent",
    ),
    KnownError(
        r"Authentication failed|could not read (?:Username|Password)|terminal prompts disabled",
        "the git server asks for a user and a password, or refused those that it got",
        "use the repository's ssh address with a deploy key, or give the deploy user a credential helper",
    ),
    KnownError(
        r"returned error: (?P<code>40[13])",
        "the git server answered {code}: it does not let this user read the repository",
        "check the address and, on the git server, the rights of the key or token that is used",
    ),
    KnownError(
        r"ERROR: .*denied|[Aa]ccess denied",
        "the git server does not let this user read the repository",
        "check the address and, on the git server, the rights of the key or token that is used",
    ),
    KnownError(
        r"returned error: 407|HTTP code 407 from proxy",
        "the proxy asks for a user and a password (407)",
        "correct http.proxy or https_proxy of the deploy user",
    ),
    KnownError(
        r"returned error: 429",
        "the git server answered 429: there were too many requests",
        "wait some minutes, then try again",
    ),
    KnownError(
        r"returned error: (?P<code>5\d\d)",
        "the git server answered {code}: it has a failure of its own",
        "try again later, or ask the people who run it",
    ),
    KnownError(
        r"does not match target host name|no alternative certificate subject name",
        "the git server's certificate is for another host name",
        "set repo to the name that the certificate has",
    ),
    KnownError(
        r"certificate has expired|certificate verification failed|SSL certificate problem|not trusted by",
        "this server does not trust the git server's certificate",
        "if it has expired, have it renewed, and check this server's clock; if your own authority signed it, name that:"
        " git config --global http.sslCAInfo FILE",
    ),
    KnownError(
        r"gnutls_handshake|SSL_connect|SSL routines|TLS connect|wrong version number",
        "there is no encrypted connection to the git server",
        "check the protocol and the port in repo",
    ),
    KnownError(
        r"update url base from redirection|redirects followed|Maximum \(\d+\) redirects",
        "the git server redirects to another address",
        "set repo to the address where the repository is now",
    ),
    KnownError(
        r"not valid: is this a git repository",
        "a web server answers at that address, but not with a git repository",
        "set repo to the address that the git server shows for cloning",
    ),
    KnownError(
        r"transport '\w+' not allowed",
        "the git configuration on this server forbids the protocol",
        "use another kind of address in repo, or set protocol.NAME.allow for the deploy user",
    ),
    KnownError(
        r"not our ref|unadvertised object|couldn't find remote ref",
        "the git server refuses to send that commit",
        "push a branch or a tag that holds it",
    ),
    KnownError(
        r"No space left on device|Out of diskspace|Disk quota exceeded",
        "the disk is full",
        "free some space or inodes, then deploy again",
    ),
    KnownError(r"[Rr]ead-only file system", "the file system is read-only", "mount it writable, then deploy again"),
    KnownError(
        r"[Oo]ut of memory|malloc failed|Cannot allocate memory|of signal 9",
        "this server ran out of memory",
        "add memory or swap (dmesg shows what the kernel killed), then deploy again",
    ),
    KnownError(
        r"unable to access '\./",
        "there are files in the repository at that address that this user may not read",
        "correct the owner or the mode of the files there",
    ),
    KnownError(
        r"insufficient permission|Permission denied|Operation not permitted",
        "another user owns files in {where}",
        OWN,
    ),
    KnownError(
        r"\.lock': File exists",
        "another git process works in {where}, or one died there",
        "if none runs, remove the .lock file that git names",
    ),
    KnownError(
        r"invalid path '(?P<path>[^']+)'",
        "git does not check out a path of this kind: {path}",
        "rename or remove it in the repository",
    ),
    KnownError(
        r"File name too long",
        "the commit has a file name that is too long for this server's disk",
        "rename it in the repository",
    ),
    KnownError(
        r"Could not resolve|Couldn't resolve|Connection (?:refused|timed out|reset|closed)|No route to host"
        r"|Network is unreachable|Failed to connect|[Cc]ould(?:n't| not) connect|Operation too slow|Empty reply|"
        + STALLED,
        "the git server cannot be reached",
        "check that this server reaches it, and try again",
    ),
    KnownError(
        r"does not appear to be a git repository|[Rr]epository .*not found|does not exist|fatal: strange \w+ ",
        "there is no repository at that address, or it is hidden from this user",
        "check repo, and the rights of the deploy user's key",
    ),
    KnownError(
        r"git-lfs|external filter .* failed|smudge filter",
        "a file's filter is missing or failed",
        "on the server, install git-lfs and run as the deploy user: git lfs install --skip-repo",
    ),
    KnownError(
        r"(?:object|pack|loose) .*(?:corrupt|is empty|missing)|(?:bad|missing) object|unable to (?:read|unpack)"
        r"|inflate:|did not send all",
        "the clone at {where} is damaged",
        "look at the result of git fsck there, or move it away: the next deploy clones again",
    ),
    KnownError(
        r"failed to write .* to object database|cannot (?:create|write)|couldn't write|could not (?:set '|write)"
        r"|unable to (?:write|update refs/)",
        "git could not write, which mostly means that the disk is full",
        "free some space or inodes, then deploy again",
    ),
    KnownError(
        r"Could not read from remote repository",
        "the git server ended the connection without giving the repository",
        "check the address and the rights of the deploy user's key",
    ),
    KnownError(
        r"early EOF|RPC failed|hung up unexpectedly|unexpected disconnect|unable to access",
        "the connection to the git server was lost",
        "try again; if it happens again, look at the git server's log",
    ),
)


def explain(doing: str, where: str, done: Result) -> ReleaseError:
    """Return what failed and why, with a remedy; git's own words follow as detail."""
    stderr = printable(hide_secrets(PROGRESS.sub("", done.err).replace("\r", "\n")))
    reason, remedy = _reason(stderr, where, done.rc)
    return ReleaseError(f"could not {hide_secrets(doing)}: {reason}", remedy, tail(stderr))


def _reason(stderr: str, where: str, rc: int) -> tuple[str, str]:
    """Return what was found and what to do. What the server reports of itself (`remote:`) is no failure of this one."""
    own = REMOTE_LINE.sub("", stderr)
    foreign = DUBIOUS.search(own)
    if foreign and Path(where) not in {Path(foreign[1]), *Path(foreign[1]).parents}:
        remedy = f"let the deploy user trust it: git config --global --add safe.directory {shlex.quote(foreign[1])}"
        return f"git refuses {foreign[1]}, because another user owns it", remedy
    denied = DENIED.search(own)
    if denied and not _is_below(Path(denied["path"]), Path(where)):
        return f"the deploy user may not use {denied['path']}", "correct the owner or the mode of that path"
    for known in KNOWN_ERRORS:
        if found := re.search(known.pattern, own):
            return known.found.format(where=where, **found.groupdict()), known.remedy
    return _unknown(own, REMOTE_LINE.findall(stderr), rc)


def _is_below(path: Path, where: Path) -> bool:
    return not {where, where.resolve()}.isdisjoint({path, *path.parents})


def _is_no_reason(line: str) -> bool:
    return not re.match(r"(?:fatal|error|ERROR): ", line)


def _unknown(own: str, remote: list[str], rc: int) -> tuple[str, str]:
    """Return the reason that none of the known errors gives."""
    if rc == -signal.SIGKILL:
        return "git was killed by SIGKILL", "if memory was short (see dmesg), add memory or swap, then deploy again"
    if rc < 0:
        return f"git was ended by signal {-rc}", "deploy again"
    answers = sorted((line.strip() for line in remote if line.strip()), key=_is_no_reason)
    if answers:
        return f"the git server answered: {answers[0]}", "correct that, or ask the people who run it"
    fatal = re.findall(r"^(?:fatal|error): .*$", own, re.MULTILINE)
    return (fatal[-1] if fatal else tail(own, 1) or f"git gave no reason (exit {rc})"), ""
