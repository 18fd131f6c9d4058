# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control repository consists of, and what comes after it was written. Reads the templates, writes nothing.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ._typed import typed

# The place of each template whose name is another
PLACES = {
    "ansible.cfg": "ansible.cfg",
    "gitignore": ".gitignore",
    "README.md": "README.md",
    "requirements.yml": "collections/requirements.yml",
    "workflows/deploy.yml": ".github/workflows/deploy.yml",
    "projects.yml": "inventory/projects.yml",
}
PLAYBOOKS = {
    "setup": "Make the server ready",
    "deploy": "Deploy",
    "revert": "Put the earlier release live",
    "status": "Show what is live",
}
PLAYBOOK = """---
- name: {title}
  ansible.builtin.import_playbook: onetouch.deploy.{name}
"""
# A fresh clone has it.
ACCEPTED = ".git"
MAX_NAMES = 5


def files(templates: Path, projects: str | None = None) -> dict[str, str]:
    """Return the text of each file; `projects` are those of an original's file."""
    found = {place: (templates / name).read_text(encoding="utf-8") for name, place in PLACES.items()}
    found |= {f"{name}.yml": PLAYBOOK.format(name=name, title=title) for name, title in PLAYBOOKS.items()}
    return found if projects is None else {**found, PLACES["projects.yml"]: projects}


def occupied_error(directory: Path, names: Collection[str]) -> str:
    """Return why nothing is written to a directory with these names in it; empty for one that is empty."""
    found = sorted(name for name in names if name != ACCEPTED)
    if not found:
        return ""
    more = " and more" if len(found) > MAX_NAMES else ""
    shown = ", ".join(found[:MAX_NAMES]) + more
    return f"{directory} is not empty: it has {shown}. Name a directory that is new or empty."


def next_steps(directory: Path, conf: str, project: str, *, check: bool) -> list[str]:
    """Return what was written, and the commands that come next, as they work where this one was typed."""
    described = f"inventory/projects.yml {'would have' if check else 'has'} the projects of {conf}."
    described = described if conf else "describe your server and your project in inventory/projects.yml."
    steps = {"setup": "makes the server ready", "deploy": "puts the newest commit live"}
    commands = {name: typed(name, project) for name in steps}
    width = max(map(len, commands.values()))
    return [
        f"{directory} {'would be' if check else 'is'} a control repository: {described}",
        "Then, in that directory:",
        *(f"    {commands[name]:<{width}}    # {text}" for name, text in steps.items()),
    ]
