# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""`configs/`: one directory per configuration, which never changes, and the links that make one the live one.

    configs/<id>/procmon.toml       what procmon reads
    configs/<id>/procmon.env        the app's variables, for the project's user only
    <release>/.procmon.toml         a link to the configuration of this release
    procmon.toml, procmon.env       what people and procmon open: links to the live ones

`procmon.toml` leads through `current`, so that the one rename that switches the release switches its configuration as
well: no kill and no power loss can leave the one without the other. Of the variables nothing is below a release, which
may be what a web server publishes.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ..errors import ReleaseError
from ..model import ProjectPaths
from ..system import files, links

LINK = ".procmon.toml"
LIVE_LINK = f"current/{LINK}"
TOML, ENV = "procmon.toml", "procmon.env"


@dataclass(frozen=True)
class Stored:
    """One configuration on disk; `toml` is None for a project without an app, `variables` the text of its env file."""

    id: str
    toml: str | None
    variables: str


def new_id() -> str:
    """Return the name of a new configuration: in the order of time, and nothing of a secret in it."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def read(paths: ProjectPaths, name: str) -> Stored | None:
    """Return a configuration, None when it is not there."""
    directory = paths.configs / name
    if not directory.is_dir():
        return None
    return Stored(name, _read_text(directory / TOML), _read_text(directory / ENV) or "")


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def live_id(paths: ProjectPaths, release: Path | None) -> str | None:
    """Return the configuration of what is live: of `release`, or what setup has written where nothing is live yet."""
    if release is None:
        return _named_by(paths, paths.procmon_toml) or _named_by(paths, paths.procmon_env)
    own = _named_by(paths, release / LINK)
    if own is not None:
        return own
    # A project without an app has variables only.
    name = _named_by(paths, paths.procmon_env)
    return None if name and (paths.configs / name / TOML).exists() else name


def _named_by(paths: ProjectPaths, link: Path) -> str | None:
    text = links.read(link)
    if text is None:
        return None
    # A project may be reached by a path with links in it.
    directory = Path(os.path.normpath(os.path.join(_real(link.parent), text))).parent  # noqa: PTH118 - as text
    return directory.name if directory.parent == _real(paths.configs) else None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def env_path(paths: ProjectPaths, name: str) -> str:
    """Return the file of variables of a configuration, as procmon.toml names it."""
    return str(paths.configs / name / ENV)


def write(paths: ProjectPaths, new: Stored) -> None:
    """Write a configuration; it is whole and on disk once it has its name."""
    fresh = paths.configs / f".{new.id}"
    fresh.mkdir(parents=True)
    if new.toml is not None:
        _write_file(fresh / TOML, new.toml, 0o644)
    if new.variables:
        _write_file(fresh / ENV, new.variables, 0o600)
    fresh.chmod(0o755)
    files.sync_directory(fresh)
    fresh.rename(paths.configs / new.id)
    files.sync_directory(paths.configs)


def _write_file(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(mode)


def assign(paths: ProjectPaths, release: Path, name: str | None) -> None:
    """Make a configuration that of a release; for the live release that is the switch. Without a name there is none.

    Raises ReleaseError when the repository brings a file with the link's name.
    """
    place = release / LINK
    if os.path.lexists(place) and not place.is_symlink():
        raise ReleaseError(f"{place} is not the link to the configuration", f"remove {LINK} from the repository")
    links.ensure(place, _link_text(paths, release, name))


def _link_text(paths: ProjectPaths, release: Path, name: str | None) -> str | None:
    file = paths.configs / name / TOML if name else None
    return os.path.relpath(_real(file), _real(release)) if file and file.exists() else None


def keep_spares(paths: ProjectPaths, release: Path | None) -> None:
    """Keep spares of the links that a switch replaces; `release` is the live one."""
    for place in _links(paths, release):
        links.keep_spare(place)


def remove_spares(paths: ProjectPaths, release: Path | None) -> None:
    """Remove the spares: what is live is verified."""
    for place in _links(paths, release):
        links.remove_spare(place)


def _links(paths: ProjectPaths, release: Path | None) -> list[Path]:
    return [paths.procmon_toml, paths.procmon_env, *([release / LINK] if release and release.is_dir() else [])]


def follow(paths: ProjectPaths, name: str | None) -> None:
    """Point `procmon.toml` and `procmon.env` at the live configuration, which was switched with the release."""
    directory = paths.configs / name if name else None
    toml = directory / TOML if directory else None
    if toml and toml.exists():
        live = links.read(paths.current / LINK) is not None
        links.restore(paths.procmon_toml, LIVE_LINK if live else os.path.relpath(toml, paths.path))
    elif name is None and links.read(paths.procmon_toml) == LIVE_LINK:
        links.replace(paths.procmon_toml, None)
    env = directory / ENV if directory else None
    links.restore(paths.procmon_env, os.path.relpath(env, paths.path) if env and env.exists() else None)


def restore(paths: ProjectPaths, release: Path | None, name: str | None) -> None:
    """Restore the configuration of the release that was live before."""
    if release is not None and release.is_dir():
        links.restore(release / LINK, _link_text(paths, release, name))
    follow(paths, name)


def prune(paths: ProjectPaths, releases: Iterable[Path]) -> None:
    """Remove the configurations that nothing leads to, those that a run left unfinished included."""
    places = [paths.procmon_toml, paths.procmon_env, *(release / LINK for release in releases)]
    used = {_named_by(paths, place) for place in places}
    for name in files.list_directory(paths.configs):
        if name not in used:
            files.remove_tree(paths.configs / name)
