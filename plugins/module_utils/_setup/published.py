# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Host keys that well-known git hosts publish for themselves: data, with its source and the day it was compared.

One key of the kind that each ssh of today prefers is enough. A host that changes its key is an update of this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from .host_keys import HostKey


@dataclass(frozen=True)
class Published:
    """The key of a git host, by all names that lead to it, and the page that has its fingerprint."""

    names: tuple[str, ...]
    key: HostKey
    fingerprint: str
    source: str
    compared: str


PUBLISHED = (
    Published(
        ("github.com", "[ssh.github.com]:443"),
        HostKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"),
        "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
        "https://docs.github.com/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints",
        "2026-11-26",
    ),
    Published(
        ("gitlab.com", "[altssh.gitlab.com]:443"),
        HostKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf"),
        "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
        "https://docs.gitlab.com/user/gitlab_com/#ssh-host-keys-fingerprints",
        "2026-11-26",
    ),
    Published(
        ("bitbucket.org", "[altssh.bitbucket.org]:443"),
        HostKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO"),
        "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
        "https://bitbucket.org/site/ssh",
        "2026-11-26",
    ),
    Published(
        ("codeberg.org",),
        HostKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIIVIC02vnjFyL+I4RHfvIGNtOgJMe769VTF1VR4EB3ZB"),
        "SHA256:mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g",
        "https://docs.codeberg.org/security/ssh-fingerprint/",
        "2026-11-26",
    ),
)


def published_keys(name: str) -> list[HostKey]:
    """Return the keys that a git host publishes for itself; `name` is what known_hosts calls it."""
    return [host.key for host in PUBLISHED if name in host.names]
