# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real procmon on a project's tree, with the configuration that deploys write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.procmon.service import SOURCE
from tests.support.releases.site import Site
from tests.support.waiting import until

APP = """
import json, os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    body = json.dumps({"version": open("VERSION").read().strip(), "colour": os.environ.get("COLOUR")}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@dataclass
class RealProcmon:
    """procmon for `site`, which serves on a port of its own."""

    site: Site
    state: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def config(self, **changed: object) -> dict[str, object]:
        """Return the settings that a project has."""
        common: dict[str, object] = {"app": "main:app", "bind": f"127.0.0.1:{self.port}", "workers": 1}
        return {**common, "heartbeat": {"interval": 0}, **changed}

    def options(self, colour: str = "red", **changed: object) -> dict[str, Any]:
        """Return the module's options; `changed` are settings."""
        status_file = str(self.state / "status.json")
        return {"config": self.config(**changed), "env": {"COLOUR": colour}, "status_file": status_file}

    def start(self, config: Path | None = None) -> None:
        """Start it and wait until it reports; it may have nothing to serve yet."""
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        argv = [sys.executable, "-m", "procmon", "run", str(config or self.site.paths.procmon_toml)]
        self.process = subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL)
        until(lambda: self.status().get("pid") == self.process.pid, "procmon reports")  # type: ignore[union-attr]

    def kill(self) -> None:
        """Kill it."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def status(self) -> dict[str, Any]:
        """Return what it reports; empty before it does."""
        try:
            found: dict[str, Any] = json.loads((self.state / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def answer(self) -> tuple[str, str | None]:
        """Return the version and the colour with which the app answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=30) as answered:
            found = json.load(answered)
        return found["version"], found["colour"]
