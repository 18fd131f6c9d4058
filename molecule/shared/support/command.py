"""The commands that people type."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    output: str

    @property
    def changed(self) -> Mapping[str, int]:
        """Changed tasks of each host, from the recap."""
        recap = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", self.output, re.MULTILINE)
        return {host: int(changed) for host, changed in recap}

    @property
    def text(self) -> str:
        """The output with its lines joined: where they were broken does not matter."""
        return " ".join(self.output.split())


@dataclass(frozen=True)
class Running:
    """A command that runs."""

    process: subprocess.Popen[str]

    def wait(self) -> Done:
        """Return how it ends."""
        output = self.process.communicate()[0]
        return Done(self.process.returncode, output)


@dataclass(frozen=True)
class Laptop:
    """A checkout with an inventory: where ansible-playbook is typed."""

    checkout: Path
    inventory: Path
    environment: dict[str, str]
    upstream_key: str
    ansible_playbook: tuple[str, ...] = (str(Path(sys.executable).with_name("ansible-playbook")),)

    def set_up(self, project: str, *options: str) -> Done:
        """Run setup, which learns the git server's host key from the command line."""
        known = json.dumps({"project_known_hosts": [f"upstream {self.upstream_key}"]})
        return self.run("setup", "-e", known, *options, project=project)

    def with_settings(self, folder: Path, project: str, **settings: object) -> Laptop:
        """Return the laptop with other settings of a project in its projects.yml, which is written to `folder`."""
        inventory = yaml.safe_load(self.inventory.read_text())
        inventory["projects"][project] = inventory["projects"].get(project, {}) | settings
        changed = folder / "projects.yml"
        changed.write_text(yaml.safe_dump(inventory))
        return replace(self, inventory=changed)

    def with_collection_at(self, directory: Path) -> tuple[Laptop, Path]:
        """Return the laptop with a copy of the collection below `directory`, and where that is."""
        collection = directory / "ansible_collections" / "onetouch" / "deploy"
        collection.mkdir(parents=True)
        for part in ("galaxy.yml", "meta", "plugins", "roles", "playbooks"):
            source = self.checkout / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, collection / part)
        paths = {"ANSIBLE_COLLECTIONS_PATH": str(directory)}
        return replace(self, environment=self.environment | paths), collection

    def run(self, playbook: str, *options: str, **extra: object) -> Done:
        """Run `playbook` by its full name, as one who installed the collection does."""
        return self.start(playbook, *options, **extra).wait()

    def start(self, playbook: str, *options: str, **extra: object) -> Running:
        """Begin to run `playbook`, and return while it runs."""
        argv = [*self.ansible_playbook, f"onetouch.deploy.{playbook}", "-i", str(self.inventory), *options]
        argv += [word for name, value in extra.items() for word in ("-e", f"{name}={value}")]
        return Running(
            subprocess.Popen(
                argv,
                cwd=self.checkout,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
