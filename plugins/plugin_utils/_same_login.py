# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of a play are projects on one server that Ansible reaches in the same way. Pure.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError

HostVariables = Mapping[str, Mapping[str, Any]]


def login(host: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that decides how Ansible reaches a host: its variables `ansible_*`; its name is an address, too.

    Nothing where they cannot be evaluated: that host is like no other, and reports why itself.
    """
    try:
        own = {name: variables[name] for name in variables if name.startswith("ansible_")}
    except AnsibleError:
        return {}
    return {"ansible_host": host, **own}


def alike(host: str, hosts: Iterable[str], variables: HostVariables) -> Iterator[str]:
    """Yield those of `hosts` with the login of `host`, which is one of them."""
    wanted = login(host, variables[host])
    return (other for other in hosts if other == host or (wanted and login(other, variables[other]) == wanted))
