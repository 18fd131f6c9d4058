# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which projects.yml or deploy.conf is meant, and what it says: read by the inventory plugin's own readers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CommandError, NotConfiguredError, UnknownProjectError

if TYPE_CHECKING:
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.section import Section, Source
    from yaml import SafeLoader

# In this order, in each directory upwards.
NAMES = ("inventory/projects.yml", "projects.yml", "deploy.conf")
VAULTED = "$ANSIBLE_VAULT;"


@dataclass(frozen=True)
class Found:
    """A configuration, and the directory that commands run in: its ansible.cfg counts."""

    root: Path
    file: Path

    @property
    def is_original(self) -> bool:
        """Whether it has the original script's form."""
        return self.file.suffix not in {".yml", ".yaml"}


def candidates(start: Path) -> Iterator[Found]:
    """Yield the places of a configuration from `start` upwards."""
    for directory in (start, *start.parents):
        for name in NAMES:
            yield Found(directory, directory / name)


def root_of(file: Path) -> Path:
    """Return the directory that a configuration belongs to: the one above, where it is in `inventory/`."""
    return file.parent.parent if file.parent.name == "inventory" else file.parent


def require(start: Path, config: Path | None) -> Found:
    """Return the configuration `config`, or the nearest one from `start` upwards. Raises CommandError without one."""
    if config is not None:
        file = (start / config).resolve()
        if not file.is_file():
            raise NotConfiguredError(f"There is no file {file}. Name a projects.yml or a deploy.conf with -c.")
        return Found(root_of(file), file)
    found = next((place for place in candidates(start.resolve()) if place.file.is_file()), None)
    if found is None:
        raise NotConfiguredError(
            f"No projects are configured: {start.resolve()} and the directories above have no {', '.join(NAMES)}. "
            "Make a control repository with `deploy init`, or name a file with -c."
        )
    return found


def current_directory() -> Path:
    """Return the directory that this program runs in. Raises NotConfiguredError where that is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        found = f"The current directory cannot be used: {error.strerror}."
        raise NotConfiguredError(f"{found} Change to one that exists.") from error


def cache_file(name: str, text: str = "") -> Path:
    """Write a file in the directory for those of this command, which only the user can read. Raises CommandError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onetouch-deploy"
    file, fresh = cache / name, cache / f"{name}.{os.getpid()}"
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(text, encoding="utf-8")
        # Another command may read it at this moment.
        fresh.replace(file)
    except OSError as error:
        found = f"{file} cannot be written: {error.strerror}."
        raise CommandError(f"{found} Set XDG_CACHE_HOME to a directory that can be written.") from error
    return file


def inventory(found: Found) -> Path:
    """Return the inventory for Ansible. For a deploy.conf a file that refers to it is written to the user's cache."""
    if not found.is_original:
        return found.file
    import hashlib  # noqa: PLC0415  only here

    quoted = str(found.file).replace("'", "''")
    text = f"plugin: onetouch.deploy.projects\ndeploy_conf: '{quoted}'\n"
    return cache_file(f"{hashlib.sha256(os.fsencode(found.file)).hexdigest()[:16]}.yml", text)


def source(found: Found) -> Source:
    """Return what a configuration has, with its problems. Raises CommandError for text that cannot be read."""
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import deploy_conf_reader  # noqa: PLC0415

    try:
        text = found.file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CommandError(f"{found.file} cannot be read: {error.strerror}. Correct that.") from error
    if text.startswith(VAULTED):
        advice = "Use ansible-playbook, or encrypt single values instead."
        raise CommandError(f"{found.file} is encrypted as a whole: only Ansible can read it. {advice}")
    if found.is_original:
        return deploy_conf_reader.read_deploy_conf(text, str(found.file))
    return _yaml_source(found.file, text)


def _yaml_source(file: Path, text: str) -> Source:
    import yaml  # noqa: PLC0415
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import yaml_reader  # noqa: PLC0415

    try:
        data = yaml.load(text, Loader=_loader())  # noqa: S506  a SafeLoader that knows Ansible's tags
        read = yaml_reader.read_yaml(data if isinstance(data, dict) else {}, text, str(file))
    except yaml.YAMLError as error:
        raise CommandError(f"{file} is not valid YAML: {error}. Correct it.") from error
    conf = data.get("deploy_conf") if isinstance(data, dict) else None
    if isinstance(conf, str) and (file.parent / conf).is_file():
        return read.merge(source(Found(file.parent, file.parent / conf)))
    return read


def _loader() -> type[SafeLoader]:
    """Return a loader for which a vaulted value is the text "(encrypted)"."""
    import yaml  # noqa: PLC0415

    class Loader(yaml.SafeLoader):
        """Knows Ansible's tags."""

    Loader.add_constructor("!vault", lambda _loader, _node: "(encrypted)")
    Loader.add_constructor("!unsafe", lambda _loader, node: node.value)
    return Loader


def project_names(found: Found) -> list[str]:
    """Return the names of the projects, in the order of the file."""
    return [section.name for section in source(found).projects]


def section_of(found: Found, project: str) -> Section:
    """Return one project's section. Raises CommandError that names those that there are."""
    every = source(found).projects
    for section in every:
        if section.name == project:
            return section
    known = ", ".join(section.name for section in every) or "none"
    raise UnknownProjectError(f'There is no project "{project}" in {found.file}. Known projects: {known}.')
