# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy.conf written as projects.yml: text in, text out. Pure. Private to this collection."""

from __future__ import annotations

import os
from collections.abc import Mapping

import yaml

from ._projects.deploy_conf_reader import read_deploy_conf
from ._projects.placement import place
from ._projects.section import LOCAL_PATHS, Section, local_path

HEAD = """# Every key: https://github.com/onetouch/onetouch.deploy/blob/main/docs/configuration.md
# Taken over from {file}.
plugin: onetouch.deploy.projects
"""


class _Dumper(yaml.SafeDumper):
    """Marks text that Ansible would take for a template, which a deploy.conf cannot have."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Return the node of a text."""
        is_template = any(mark in data for mark in ("{{", "{%", "{#"))
        return self.represent_scalar("!unsafe", data, "'") if is_template else super().represent_str(data)


_Dumper.add_representer(str, _Dumper.represent_str)


def convert(text: str, file: str, directory: str) -> tuple[str, list[str]]:
    """Return projects.yml for `directory`, and the names of its projects. Raises ProjectsError with all problems.

    Paths on this machine are written relative to it when they are near, so that both can move together.
    """
    source = read_deploy_conf(text, file)
    place(source)
    projects = {project.name: _values(project, directory) for project in source.projects}
    body = yaml.dump({"projects": projects}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return HEAD.format(file=os.path.basename(file)) + body, [*projects]  # noqa: PTH119  text, no file


def _values(section: Section, directory: str) -> Mapping[str, object]:
    moved = {key: _moved(section.values[key], section.file, directory) for key in LOCAL_PATHS if key in section.values}
    return {**section.values, **moved}


def _moved(value: object, file: str, directory: str) -> object:
    path = os.path.normpath(str(local_path(value, file)))
    return value if str(value).startswith(("/", "~")) else os.path.relpath(path, directory)
