"""What the documents say is there."""

from __future__ import annotations

import re
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)")
PLAYBOOK = re.compile(r"ansible-playbook (?:playbooks/)?([a-z_]+)\.yml|onetouch\.deploy\.([a-z_]+) -e project")


def documents(root: Path, files: list[Path]) -> dict[Path, str]:
    """The text of each Markdown file."""
    return {path: (root / path).read_text() for path in files if path.suffix == ".md"}


def test_links_lead_somewhere(root: Path, files: list[Path]) -> None:
    broken = {
        (path, target)
        for path, text in documents(root, files).items()
        for target in LINK.findall(text)
        if not (root / path.parent / target).exists()
    }
    assert broken == set()


def test_commands_exist(root: Path, files: list[Path]) -> None:
    playbooks = {path.stem for path in (root / "playbooks").glob("*.yml")}
    named = {
        name
        for text in documents(root, files).values()
        for found in PLAYBOOK.finditer(text)
        for name in found.groups()
        if name
    }
    assert named
    assert named - playbooks == set()


def test_targets_of_make_exist(root: Path, files: list[Path]) -> None:
    makefile = (root / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    targets |= {path.name for path in (root / "tools" / "checks").iterdir()}
    named = {
        name for text in documents(root, files).values() for name in re.findall(r"`(?:sudo )?make ([a-z-]+)", text)
    }
    assert named - targets == set()
