# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Whether a run brings another configuration than the live one, and which names differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ReleaseError
from ..model import ProjectPaths
from ..options import SET_ELSEWHERE, Options
from . import store, text
from .store import Stored
from .text import Wanted


@dataclass(frozen=True)
class Plan:
    """The configuration that is to be live: `new` is to be written, `kept` is the name of one that is there.

    Both are None where a run brings none and there is none. `changed` has the names of what differs from the live one,
    `differences` the lines of --diff.
    """

    new: Stored | None = None
    kept: str | None = None
    changed: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        """Return the name of the configuration."""
        return self.new.id if self.new else self.kept


def wanted(options: Options) -> Wanted | None:
    """Return the configuration that the options bring; None for a run that keeps the live one."""
    if options.config is None and options.env is None:
        return None
    own = str(options.env_file) if options.env_file else None
    settings = None if options.config is None else _settings(options, options.config)
    return Wanted(settings, options.env or "", own)


def _settings(options: Options, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return procmon's settings: what the project sets, and what follows from where it is."""
    return {
        "name": options.name,
        "directory": str(options.paths.current),
        **{key: value for key, value in config.items() if value not in ({}, "")},
        "restart_file": options.restart_file,
        "state_dir": str(options.status_file.parent) if options.status_file else None,
    }


def hold_bind(found: Wanted, running: str | None) -> tuple[Wanted, str | None]:
    """Return what can go live without root, and the address that has to wait for setup.

    A procmon that runs keeps its address `running`: only setup changes sockets.
    """
    bind = (found.settings or {}).get("bind")
    if not running or not bind or bind == running:
        return found, None
    return replace(found, settings={**(found.settings or {}), "bind": running}), str(bind)


def require_live(paths: ProjectPaths, live: str | None) -> None:
    """Raise ReleaseError when the live configuration, which is to stay, was removed."""
    if live and store.read(paths, live) is None:
        found = f"{paths.configs / live} is gone, and it has the settings that are to stay"
        raise ReleaseError(found, "deploy with the settings of the project, that is without config=keep")


def make_plan(paths: ProjectPaths, live: str | None, found: Wanted | None) -> Plan:
    """Compare what is wanted with the live configuration, and plan to write what differs."""
    stored = store.read(paths, live) if live else None
    if found is None:
        return Plan(kept=stored.id if stored else None)
    name = store.new_id()
    new = Stored(name, _toml(paths, name, found), found.variables)
    changed = _changed(stored, new)
    if stored and not changed:
        return Plan(kept=stored.id)
    if stored is None and new.toml is None and not new.variables:
        return Plan()
    lines = text.differences(stored.toml if stored else None, new.toml)
    names = [f"~ {name}" for name in changed if name.startswith("env.")]
    return Plan(new=new, changed=tuple(changed), differences=(*lines, *names))


def _toml(paths: ProjectPaths, name: str, found: Wanted) -> str | None:
    if found.settings is None:
        return None
    env_path = store.env_path(paths, name) if found.variables else found.env_file
    return text.procmon_toml(found.settings, env_path)


def _changed(stored: Stored | None, new: Stored) -> list[str]:
    """Return the names that differ; the file of variables counts when it is the project's own one."""
    old = stored or Stored("", None, "")
    own = [] if old.variables or new.variables else _changed_env_file(old, new)
    # A project that has lost its app keeps no settings to compare.
    settings = [] if new.toml is None else text.changed_settings(old.toml, new.toml)
    return [*settings, *own, *text.changed_variables(old.variables, new.variables)]


def _changed_env_file(old: Stored, new: Stored) -> list[str]:
    before, after = (text.read_toml(one.toml or "").get("env_file") for one in (old, new))
    return [] if before == after or new.toml is None else ["env_file"]


def waiting_settings(paths: ProjectPaths, live: str | None, config: Mapping[str, Any]) -> list[str]:
    """Return the keys of `config` that differ from the live configuration; what follows from elsewhere is left out.

    Without a live configuration, or settings to compare it with, it is not known.
    """
    stored = store.read(paths, live) if live else None
    if stored is None or stored.toml is None or not config:
        return []
    given = {key: value for key, value in config.items() if value not in ({}, "")}
    changed = text.changed_settings(stored.toml, text.procmon_toml(given, None))
    return [key for key in changed if key not in SET_ELSEWHERE]
