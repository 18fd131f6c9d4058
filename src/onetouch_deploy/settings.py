# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project's configuration as `config` shows it: what it has, what its servers have, and what is default. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from . import views

if TYPE_CHECKING:
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.placement import Placement

# Of the roles, of Ansible and of procmon; a test compares them.
DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        "connection": "ssh",
        "forward_agent": False,
        "needs_tty": False,
        "python": "/usr/bin/python3",
        "strategy": "releases",
        "keep": 5,
        "shared_paths": ["public/system"],
        "lock_wait": 0,
        "hook_timeout": 3600,
    }
)
# These count where procmon serves an app.
OF_APPS: Mapping[str, object] = MappingProxyType(
    {
        "restart_file": "public/system/restart",
        "workers": 2,
        "heartbeat": {"path": "/", "interval": 10, "timeout": 10, "accept": [200, 302], "guard": 10},
        "reload": {"boot_timeout": 60, "drain_timeout": 30, "idle_grace": 5, "surge": "all"},
        "worker": {"hang_timeout": 30},
    }
)


@dataclass(frozen=True)
class Configuration:
    """The keys of a project with their values: `given` in its section, `of_servers` for each that has some."""

    given: Mapping[str, object]
    of_servers: Mapping[str, Mapping[str, object]]

    @property
    def defaults(self) -> dict[str, object]:
        """The values of keys that are not given: a table has those of its keys that are not."""
        every = {**DEFAULTS, **(OF_APPS if "app" in self.given else {})}
        known = {key for one in (self.given, *self.of_servers.values()) for key in views.flat(one)}
        return {key: value for key, value in views.flat(every).items() if key not in known}

    def value(self, key: str) -> object:
        """Return the value of a key, given or by default, of a table all of its keys; None when it has none."""
        sources = (self.given, *self.of_servers.values(), self.defaults)
        return self._table(key) or next(
            (found for one in sources if (found := views.value_of(one, key)) is not None), None
        )

    def _table(self, name: str) -> dict[str, object]:
        """Return the keys of a table that have a value, those with a default in the order of these; none otherwise."""
        # The first source that has a key counts.
        sources = reversed([self.given, *self.of_servers.values()])
        ordered = dict.fromkeys(views.flat(OF_APPS)) | self.defaults
        every = ordered | {key: value for one in sources for key, value in views.flat(one).items()}
        found = {key.partition(".")[2]: value for key, value in every.items() if key.startswith(f"{name}.")}
        return {key: value for key, value in found.items() if value is not None}

    def lines(self) -> list[str]:
        """Return all as a section of deploy.conf, in which what is not in the section is a comment."""
        found = views.config_lines(self.given)
        for server, values in self.of_servers.items():
            found += [f"# of the server {server}:", *(f"# {line}" for line in views.config_lines(values))]
        return [*found, "# by default:", *(f"# {line}" for line in views.config_lines(self.defaults))]


def of_project(placements: Sequence[Placement]) -> Configuration:
    """Return the configuration of a project by its placements, which are one or more."""
    given = dict(placements[0].project.values)
    servers = {
        one.server: {key: value for key, value in one.settings.items() if key not in given} for one in placements
    }
    # A server's own section may give its address.
    addresses = {one.server: {"host": one.address} for one in placements if one.address != one.server}
    merged = {server: {**addresses.get(server, {}), **values} for server, values in servers.items()}
    return Configuration(given, {server: values for server, values in merged.items() if values})
