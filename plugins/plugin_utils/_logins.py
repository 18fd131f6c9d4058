# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host of a play opens the ssh connection that several of them share. Pure. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

# Hosts that agree in these variables share a connection.
LOGIN_VARIABLES = ("ansible_host", "ansible_port", "ansible_user", "ansible_control_path")


def login_of(host: str, variables: Mapping[str, object]) -> tuple[object, ...]:
    """Return what identifies the login of a host; one without an address logs in to its own name."""
    address, *rest = (variables.get(name) for name in LOGIN_VARIABLES)
    return (address or host, *rest)


def opens_connection(host: str, logins: Mapping[str, tuple[object, ...]]) -> bool:
    """Return whether `host` is the first of several hosts in `logins` that log in alike."""
    alike = [other for other, login in logins.items() if login == logins[host]]
    return len(alike) > 1 and alike[0] == host
