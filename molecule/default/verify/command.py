"""The commands that people type."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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


@dataclass(frozen=True)
class Laptop:
    """A checkout with an inventory: where ansible-playbook is typed."""

    checkout: Path
    inventory: Path
    environment: dict[str, str]

    def run(self, playbook: str, *options: str, **extra: object) -> Done:
        """Run `playbook` by its full name, as one who installed the collection does."""
        ansible_playbook = str(Path(sys.executable).with_name("ansible-playbook"))
        argv = [ansible_playbook, f"onetouch.deploy.{playbook}", "-i", str(self.inventory), *options]
        argv += [word for name, value in extra.items() for word in ("-e", f"{name}={value}")]
        done = subprocess.run(
            argv,
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout + done.stderr)
