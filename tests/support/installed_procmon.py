# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procmon that setup has installed, without root and without systemd."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.support.waiting import until


def write_places(folder: Path) -> None:
    """Write where everything is, as variables beside the inventory in `folder`."""
    home = folder / "procmon"
    places = {
        "project_status_file": f"{home}/state/{{{{ project_name }}}}/status.json",
        "supervisor_systemd": False,
        "supervisor_python": sys.executable,
        "supervisor_home": str(home),
        "supervisor_config_dir": str(home / "etc"),
        "supervisor_state_dir": f"{home}/state/{{{{ supervisor_name }}}}",
    }
    (folder / "group_vars").mkdir()
    (folder / "group_vars/projects.yml").write_text(json.dumps(places), encoding="utf-8")


def start_procmon(folder: Path, name: str, ends: ExitStack) -> None:
    """Start procmon for a project as systemd does it on a server, with its log in a file of `folder`."""
    home = folder / "procmon"
    argv = [str(home / "current/venv/bin/procmon"), "run", str(home / f"etc/{name}.toml")]
    log = ends.enter_context((folder / f"{name}.log").open("wb"))
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": "/usr/bin:/bin"})
    ends.callback(process.wait)
    ends.callback(process.terminate)
    until((home / f"state/{name}/status.json").exists, f"procmon of {name} reports", 60)
