# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that stand twice in a projects.yml: the inventory plugin reports them, and Ansible warns of them before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .files import Found

IGNORED = {"ANSIBLE_DUPLICATE_YAML_DICT_KEY": "ignore"}
KEY = re.compile(r"( *)([^\s#{\[:][^:]*):(?:\s|$)")
INLINE_KEY = re.compile(r"[{,]\s*([\w.-]+):")


def settings(found: Found) -> dict[str, str]:
    """Return what keeps Ansible from its warning: nothing where there is no such key, since other files may have some.

    With one the run ends with the inventory plugin's error.
    """
    try:
        text = "" if found.is_original else found.file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        # Ansible reports it.
        return {}
    return IGNORED if may_have(text) and _has(text) else {}


def may_have(text: str) -> bool:
    """Return whether lines look like it: the package that reads YAML takes longer to import than all of these."""
    above: dict[int, set[str]] = {}
    for line in text.splitlines():
        inline = INLINE_KEY.findall(line)
        if len({*inline}) < len(inline):
            return True
        match = KEY.match(line)
        if match:
            indent, key = len(match[1]), match[2]
            above = {cells: keys for cells, keys in above.items() if cells <= indent}
            if key in above.setdefault(indent, set()):
                return True
            above[indent].add(key)
    return False


def _has(text: str) -> bool:
    import yaml  # noqa: PLC0415  as may_have says
    from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import yaml_reader  # noqa: PLC0415

    try:
        return bool(yaml_reader.read_line_numbers(text, "")[1])
    except yaml.YAMLError:
        return False
