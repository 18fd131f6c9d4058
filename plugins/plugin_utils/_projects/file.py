# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge of this package: projects.yml, and the deploy.conf that it may name, read with Ansible's loader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from .deploy_conf_reader import read_deploy_conf
from .errors import Problem, ProjectsError
from .section import Source, local_path
from .values import is_text
from .yaml_reader import line_of, read_yaml

if TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

PLUGIN = "onetouch.deploy.projects"
# A vaulted file can be recognized only after it has been decrypted.
NAMES_PLUGIN = re.compile(
    r"""\A\$ANSIBLE_VAULT;|^(["']?)plugin\1[ \t]*:[ \t]*(["']?)onetouch\.deploy\.projects\2[ \t]*(#.*)?$""",
    re.MULTILINE,
)
HAS_PROJECTS = re.compile(r"^(projects|deploy_conf)[ \t]*:", re.MULTILINE)
EXTENSIONS = (".yml", ".yaml")


def is_projects_file(path: str) -> bool:
    """Return whether `path` is a YAML file that names this plugin, or a vaulted one that may do so."""
    return NAMES_PLUGIN.search(_yaml_text(path)) is not None


def is_vaulted(path: str) -> bool:
    """Return whether what `path` names is known only after decryption."""
    return _yaml_text(path).startswith("$ANSIBLE_VAULT;")


def looks_like_projects_file(path: str) -> bool:
    """Return whether `path` is such a file, or has its other keys: the first line is easily forgotten."""
    return is_projects_file(path) or HAS_PROJECTS.search(_yaml_text(path)) is not None


def _yaml_text(path: str) -> str:
    if not path.endswith(EXTENSIONS) or not Path(path).is_file():
        return ""
    return Path(path).read_text(encoding="utf-8", errors="replace")


def read_source(loader: DataLoader, path: str) -> Source:
    """Return the sections of a projects.yml. Raises ProjectsError, or AnsibleError when it cannot be read at all."""
    data = loader.load_from_file(path, cache="none", trusted_as_template=True)
    if not isinstance(data, dict) or data.get("plugin") != PLUGIN:
        raise ProjectsError([Problem(path, 1, "", f"the first line must be 'plugin: {PLUGIN}'")])
    text = loader.get_text_file_contents(path)
    source = read_yaml(data, text, path)
    if not is_text(data.get("deploy_conf")):
        return source
    conf = Path(str(local_path(data["deploy_conf"], path)))
    if not conf.is_file():
        line = line_of(text, "deploy_conf")
        return source.merge(Source(problems=[Problem(path, line, "", f"there is no file {conf}: correct deploy_conf")]))
    return source.merge(read_deploy_conf(loader.get_text_file_contents(str(conf)), str(conf)))
