# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host keys the controller can give a server for its git server. Private to this collection."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence

from ansible_collections.onetouch.deploy.plugins.module_utils._setup import host_keys
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.host_keys import Address, HostKey

PUBLISHED = {
    "github.com": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    "gitlab.com": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf",
    "bitbucket.org": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO",
}
"""Host keys that the three big git hosts publish."""


def run(argv: Sequence[str]) -> tuple[int, str, str]:
    """Run a program of the controller. One that is not installed has ended with 127, as in a shell."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        return 127, "", str(error)
    return done.returncode, done.stdout, done.stderr


def keys_here(address: Address, name: str) -> list[HostKey]:
    """Return the keys that this machine knows for `name`, and for the address by its own configuration of ssh."""
    try:
        found = host_keys.destination(run, address)
    except ValueError:
        # Its alias may be unknown here, or its ssh may be missing: then there are no keys here.
        return []
    names = dict.fromkeys((name, found.name))
    files = [*found.own, *found.shared]
    return [key for each in names for key in host_keys.known_keys(run, each, files)]


def published_keys(name: str) -> list[HostKey]:
    """Return the key that a big git host publishes for itself."""
    return [HostKey(*PUBLISHED[name].split())] if name in PUBLISHED else []


def configured(lines: Iterable[str], address: Address, name: str) -> tuple[list[HostKey], list[str]]:
    """Split configured lines into the keys for the git server, by either of its names, and the lines for other hosts.

    Raises ValueError for a line that is none of known_hosts.
    """
    ours, others = [], []
    for line in lines:
        parsed = host_keys.parse_line(line)
        if parsed is None:
            raise ValueError(f"not a line of known_hosts: {line}. Use: NAME TYPE KEY")
        names = parsed[0].split(",")
        if {name, address.host} & set(names) or names[0].startswith("|"):
            ours.append(parsed[1])
        else:
            others.append(line)
    return ours, others


def unknown_message(address: Address, name: str) -> str:
    """Return what to do about a host key that is known nowhere."""
    return (
        f"the host key of the git server {name} is not known, so that the server cannot verify it. Connect to it once "
        f"from this machine ({address.command()}) and accept its key, or set project_known_hosts to its line of "
        "known_hosts. Then run setup again"
    )
