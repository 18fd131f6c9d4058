"""Keys that stand twice in a projects.yml."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetouch_deploy import duplicates
from onetouch_deploy.files import Found

ONCE = """\
plugin: onetouch.deploy.projects
projects:
  # keep: 5
  blog:
    keep: 3
    heartbeat:
      path: /
    hosts: [a, b]
  shop:
    keep: 3
    heartbeat: {path: /, interval: 3}
"""


def found(folder: Path, text: str, name: str = "projects.yml") -> Found:
    """Return a configuration with this text."""
    (folder / name).write_text(text)
    return Found(folder, folder / name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ONCE, {}),
        (f"{ONCE}    keep: 4\n", duplicates.IGNORED),
        (f"{ONCE}  blog:\n    keep: 4\n", duplicates.IGNORED),
        (f"{ONCE}    worker: {{max_age: 1, max_age: 2}}\n", duplicates.IGNORED),
        # Lines of a text only look like keys.
        (f"{ONCE}    test: |\n      a: 1\n      a: 2\n", {}),
        (f"{ONCE}    keep: 4\n  [", {}),
    ],
)
def test_ansible_does_not_warn_of_what_the_inventory_plugin_reports(
    tmp_path: Path, text: str, expected: dict[str, str]
) -> None:
    assert duplicates.settings(found(tmp_path, text)) == expected


def test_other_files_are_left_to_ansible(tmp_path: Path) -> None:
    assert duplicates.settings(found(tmp_path, "[blog]\nkeep 3\nkeep 4\n", "deploy.conf")) == {}
    assert duplicates.settings(Found(tmp_path, tmp_path / "missing.yml")) == {}
