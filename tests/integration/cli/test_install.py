# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of docs/install.md with Ansible alone, typed as it stands: a collection from a file in the place of Galaxy.

The way with pip is in `test_wheel`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import ROOT
from tests.integration.playbooks.conftest import Upstream
from tests.support.documents import blocks, commands

PAGE = Path("docs/install.md")
PROGRAMS = Path(sys.executable).parent
BY_NAME = ["ansible-playbook", "-i", "inventory/projects.yml", "onetouch.deploy.status"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The collection, built from what git knows."""
    listed = subprocess.run([ROOT / "tools/tree", tmp_path / "tree"], check=True, capture_output=True, text=True)
    argv = [str(PROGRAMS / "ansible-galaxy"), "collection", "build", "--output-path", str(tmp_path)]
    subprocess.run(argv, cwd=listed.stdout.splitlines()[-1], check=True, capture_output=True)
    [built] = tmp_path.glob("*.tar.gz")
    return built


def way() -> list[list[str]]:
    """Return the commands of the block that begins with Galaxy, and those of the next."""
    shell = [block for block in blocks(ROOT, PAGE) if block.is_shell]
    first = next(number for number, block in enumerate(shell) if block.text.startswith("ansible-galaxy"))
    return [[*command.words] for block in shell[first : first + 2] for command in commands(block)]


def test_with_ansible_alone(archive: Path, upstream: Upstream, tmp_path: Path) -> None:
    """In a home with nothing else; the inventory of `init` is filled in before it is used."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    folder, printed = tmp_path, ""
    typed = way()
    assert [typed[0][0], typed[2], typed[-1]] == ["ansible-galaxy", ["cd", "deploys"], BY_NAME]
    for words in typed:
        if words[0] == "cd":
            folder /= words[1]
            describe(folder / "inventory/projects.yml", upstream, tmp_path / "srv")
            continue
        own = [str(archive) if word == "onetouch.deploy" else word for word in words]
        argv = [*own, *(["-e", "project_system=false"] if "setup.yml" in own else [])]
        done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        # Before the first deploy there is nothing live, which needs attention.
        wanted = 2 if words == BY_NAME else 0
        assert done.returncode == wanted, f"{words}: {done.stdout}{done.stderr}"
        printed += done.stdout
    assert "blog is ready on localhost" in printed
    assert "PROJECT  SERVER" in printed
    assert "never deployed" in printed


def describe(inventory: Path, upstream: Upstream, path: Path) -> None:
    """Write a project on this machine."""
    inventory.write_text(
        "plugin: onetouch.deploy.projects\n"
        f"projects: {{blog: {{connection: local, python: {sys.executable}, repo: {upstream.path}, path: {path}}}}}\n"
    )
