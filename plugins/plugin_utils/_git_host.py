# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host keys of a git server this machine can give to a server. Private to this collection."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from ansible_collections.onetouch.deploy.plugins.module_utils._setup import host_keys
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.host_keys import Address


def run(argv: Sequence[str]) -> tuple[int, str, str]:
    """Run a program of the controller. One that is not installed has ended with 127, as in a shell."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        return 127, "", str(error)
    return done.returncode, done.stdout, done.stderr


def lines_here(address: Address) -> list[str]:
    """Return the lines of known_hosts that this machine has for an address, by its own configuration of ssh."""
    try:
        found = host_keys.destination(run, address)
    except ValueError:
        # Its alias may be unknown here, or its ssh may be missing: then there are no keys here.
        return []
    files = [*found.own, *found.shared]
    return [key.line(found.name) for key in host_keys.known_keys(run, found.name, files)]


def lines_for(name: str) -> list[str]:
    """Return the lines that this machine has for a name of known_hosts, such as `[git.example.org]:2222`."""
    host, _bracket, port = name.lstrip("[").partition("]:")
    files = known_hosts_files(Address(host, port))
    return [key.line(name) for key in host_keys.known_keys(run, name, files)]


def known_hosts_files(address: Address) -> list[str]:
    """Return the files of known hosts that this machine reads for an address."""
    try:
        found = host_keys.destination(run, address)
    except ValueError:
        return []
    return [*found.own, *found.shared]


def clock_difference(there: float, before: float, after: float) -> float:
    """Return how many seconds a clock is ahead that was read between two moments; 0 where the answer took longer."""
    return 0.0 if before <= there <= after else there - (after if there > after else before)
