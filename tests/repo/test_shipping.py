"""What is built, and from what."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import yaml

SHIPPED = {"meta", "plugins", "roles", "playbooks"}
# Not needed to run, but part of a published collection.
PUBLISHED = {
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "LICENSE"),
    *("docs", "changelogs", "galaxy.yml"),
}


def pins(requirements: Path) -> set[str]:
    """Each pinned requirement with its condition and its hashes."""
    return set(re.split(r"\n(?=\S)", requirements.read_text().strip()))


def names_and_versions(requirements: Path) -> set[str]:
    """`name==version` of each requirement, once for each version."""
    return {found.group() for pin in pins(requirements) if (found := re.match(r"[^ ]+==[^ ]+", pin))}


def test_whatever_does_not_ship_is_named(root: Path, files: list[Path]) -> None:
    """A new file at the top must be shipped on purpose or not at all."""
    ignored = yaml.safe_load((root / "galaxy.yml").read_text())["build_ignore"]
    top = {path.parts[0] for path in files}
    kept = {name for name in top if not any(fnmatch(name, pattern) for pattern in ignored)}
    assert kept == SHIPPED | PUBLISHED


def test_the_demo_installs_the_same_versions_as_the_tests(root: Path) -> None:
    """Both share one .venv: whichever comes second must not change what the first has installed."""
    demo = names_and_versions(root / "requirements-demo.txt")
    assert demo
    assert demo <= names_and_versions(root / "requirements-dev.txt")


def test_every_pin_has_a_hash(root: Path) -> None:
    for name in ("requirements-demo.txt", "requirements-dev.txt"):
        assert [pin for pin in pins(root / name) if "--hash=sha256:" not in pin] == []


def test_every_installed_file_says_its_licence(root: Path, files: list[Path]) -> None:
    python = [path for path in files if path.suffix == ".py" and path.parts[0] in {"plugins", "roles"}]
    assert python
    silent = [path for path in python if "SPDX-License-Identifier: GPL-3.0-or-later" not in (root / path).read_text()]
    assert silent == []


def test_plugins_begin_as_ansible_asks(root: Path, files: list[Path]) -> None:
    plugins = [
        path for path in files if path.suffix == ".py" and path.parts[0] == "plugins" and (root / path).stat().st_size
    ]
    assert plugins
    headless = [
        path for path in plugins if "# Copyright: (c) 2026, The onetouch.deploy contributors" not in head(root / path)
    ]
    assert headless == []


def head(path: Path) -> str:
    """The first five lines."""
    return "\n".join(path.read_text().splitlines()[:5])
