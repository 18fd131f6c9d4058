# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""What to do about a failed installation, by what uv or pip wrote."""

from __future__ import annotations

import re
import signal
from typing import NamedTuple


class Hint(NamedTuple):
    """A remedy, and the texts of uv and pip that call for it."""

    pattern: str
    remedy: str


# The cause. Of several, the one that was written last counts: what was tried again before is no longer the trouble.
CAUSES = (
    Hint(
        r"ensurepip is not available|No module named '?(?:venv|ensurepip)",
        "install the package python{version}-venv (Debian, Ubuntu), or uv",
    ),
    Hint(
        r"No space left on device|os error 28\b",
        "free some disk space (df -h, df -i); the directory envs/.cache may be deleted",
    ),
    Hint(r"Disk quota exceeded", "free some of the user's disk quota; the directory envs/.cache may be deleted"),
    Hint(r"[Rr]ead-only file system", "mount the file system writable"),
    Hint(
        r"Permission denied|os error 13\b",
        "let the deploy user own the project's directory and its caches (chown -R), or deploy as its owner",
    ),
    Hint(
        r"certificate (?:has )?expired|certificate is not yet valid|peer certificate: (?:Expired|NotValidYet)",
        "renew the certificate of the package index, or correct the clock of this server",
    ),
    Hint(
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|certificate verify failed",
        "let this server trust the certificate of the package index: name the file of its authority as `cert` in"
        " pip.conf for pip, as SSL_CERT_FILE in the user's environment for uv",
    ),
    Hint(
        r"\b407\b.{0,80}[Pp]roxy|[Pp]roxy [Aa]uthentication [Rr]equired",
        "put the user and the password of the proxy into the variables HTTPS_PROXY and HTTP_PROXY of this server",
    ),
    Hint(
        r"\b401 (?:Client Error|Unauthorized)|valid authentication credentials|User for \S+: ",
        "the package index asks for a login: put the user and the password into `index`, or correct them there",
    ),
    Hint(
        r"\b403 (?:Client Error|Forbidden)|returned a 403",
        "the package index refuses access: check that the login in `index` may read these packages, and that no proxy"
        " or firewall blocks them",
    ),
    Hint(
        r"Exceeded \d+ redirects|[Tt]oo many redirects|Missing `Content-Type` header",
        "the package index redirects without end: correct the address of the index",
    ),
    Hint(
        r"InvalidContentType|WRONG_VERSION_NUMBER|wrong version number|record layer failure",
        "the package index does not speak https at this address: correct the scheme or the port of the index",
    ),
    Hint(
        r"is not a trusted or secure host",
        "pip takes no packages over http from another machine: use https, or name the host as `trusted-host` in"
        " pip.conf",
    ),
    Hint(
        r"\b5\d\d Server Error|HTTP status server error|too many 5\d\d error",
        "the package index itself failed: try again later, or ask who runs it",
    ),
    Hint(
        r"Connection(?:Error| refused| reset)|Failed to establish|name resolution|Name or service not known|dns error"
        r"|[Rr]ead timed out|operation timed out|[Nn]etwork is unreachable|No route to host|error sending request"
        r"|connection error",
        "check that this server reaches its package index, and the proxy where it needs one; `index`, pip.conf,"
        " uv.toml and the PIP_* and UV_* variables say which index it is",
    ),
    Hint(
        r"DO NOT MATCH THE HASHES|Hash mismatch",
        "the index has other files than those that were locked: find out why, and lock again only if you trust them",
    ),
    Hint(
        r"--require-hashes` mode|Hashes are required in --require-hashes|must have their versions pinned",
        "give every requirement a version and a hash (uv pip compile --generate-hashes), or none",
    ),
    Hint(
        r"versions that require a different python|requires a different Python|does not satisfy Python"
        r"|requires Python [<>=~!]|Python requirement of|incompatible with the project's Python|[Rr]equires-Python",
        "a package does not support Python {version}: set `python` to another interpreter, or require another version",
    ),
    Hint(
        r"is not a supported wheel on this platform|none of the wheel's tags|has no wheels"
        r"|no wheels (?:with a matching|are available)",
        "a package has no wheel for this server and Python {version}: require another version, or set `python`",
    ),
    Hint(r"was yanked|is yanked", "require a version that was not withdrawn (yanked)"),
    Hint(
        r"Cannot find command 'git'|Git executable not found|git: (?:command )?not found",
        "install git on this server: a requirement comes from a repository",
    ),
    Hint(
        r"Git operation failed|git clone .{0,200} did not run successfully|terminal prompts disabled",
        "a requirement comes from a git repository: check its address, and that the deploy user may read it",
    ),
    Hint(
        r"[Ff]ailed to parse `?uv\.lock",
        "run `uv lock` and commit uv.lock; if a newer uv wrote it, install that one on this server",
    ),
    Hint(
        r"Invalid requirement|[Ff]ailed to parse|Couldn't parse|expected one of|Invalid (?:URL|version)",
        "correct the requirements: the output shows the line",
    ),
    Hint(
        r"Killed signal terminated program|signal: 9|died with <Signals\.SIGKILL",
        "a compiler was killed, as when memory runs out (journalctl -k): add memory or swap, or require a version that"
        " has a wheel",
    ),
    Hint(
        r"Python\.h|\b(?:gcc|cc|g\+\+|clang|rustc|cargo)\b.{0,80}(?:No such file|not found|failed)"
        r"|No such file or directory: '(?:gcc|cc|g\+\+|c\+\+)'|[Uu]nable to find a compiler"
        r"|error: command .{0,80} failed",
        "a package is compiled here: install a compiler and the headers (Debian, Ubuntu: build-essential and"
        " python{version}-dev), or require a version that has a wheel",
    ),
)
# What follows from many causes.
RESULTS = (
    Hint(
        r"metadata-generation-failed|build backend returned an error|Failed building wheel|Failed to build"
        r"|subprocess-exited-with-error",
        "a package could not be built: the output shows why; or require a version that has a wheel",
    ),
    Hint(
        r"No matching distribution|No solution found|not found in the package registry|Could not find a version",
        "correct the requirements, or the index: it has no such package or version",
    ),
)
KILLED = (
    "it was killed from outside, as when memory runs out (journalctl -k shows it): add memory or swap,"
    " then deploy again"
)
UNKNOWN = "the output shows why; nothing that is live has changed"


def hint_for(output: str, code: int, version: str) -> str:
    """Return what to do about an installation that ended with `code` and wrote `output`, for Python `version`."""
    if code == -signal.SIGKILL:
        return KILLED
    # uv breaks lines anywhere.
    text = " ".join(output.split())
    return (_last(CAUSES, text) or _last(RESULTS, text) or UNKNOWN).format(version=version)


def _last(hints: tuple[Hint, ...], output: str) -> str:
    """Return the remedy whose text was written last, the first of those written in the same place, or nothing."""
    found = [(_last_position(hint.pattern, output), -place) for place, hint in enumerate(hints)]
    position, place = max(found)
    return hints[-place].remedy if position >= 0 else ""


def _last_position(pattern: str, output: str) -> int:
    return max((match.start() for match in re.finditer(pattern, output)), default=-1)
