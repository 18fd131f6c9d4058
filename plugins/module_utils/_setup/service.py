# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.
"""Facts about a project that is set up: what its hooks see, what answers, and what stands in front. Changes nothing."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._releases import env_file
from .._releases.deploy.hooks import environment
from .._releases.errors import ReleaseError
from .._releases.model import ProjectPaths
from .._releases.system.run import run_command

ANSWER_SECONDS = 5.0
NGINX = Path("/etc/nginx")
NGINX_BYTES = 1 << 20
PROPERTIES = ("ActiveState", "SubState", "UnitFileState", "NRestarts")


@dataclass(frozen=True)
class Service:
    """A project that is set up, and how it serves. `heartbeat` has procmon's keys `path` and `host_header`."""

    name: str
    paths: ProjectPaths
    restart_file: str
    bind: str = ""
    env_file: Path | None = None
    heartbeat: Mapping[str, Any] = field(default_factory=dict)
    units: bool = True


def collect(service: Service) -> dict[str, Any]:
    """Return all facts that the project's user can see."""
    return {
        "hooks": hooks(service),
        "restart_file": restart_file(service.paths.current / service.restart_file),
        "units": units(service) if service.units else {},
        "answer": answer(service) if service.bind else {},
        "front": front(service.bind) if service.bind else {},
    }


def hooks(service: Service) -> dict[str, Any]:
    """Return the PATH of hooks, and the names of the app's variables that they get."""
    file = service.paths.procmon_env if service.paths.procmon_env.exists() else service.env_file
    try:
        names, error = sorted(env_file.read(file)) if file else [], ""
    except ReleaseError as failure:
        names, error = [], str(failure)
    return {"path": environment(service.paths.current, {})["PATH"], "variables": names, "error": error}


def restart_file(path: Path) -> dict[str, Any]:
    """Return whether this user can touch the restart file, or create it."""
    nearest = next(one for one in (path, *path.parents) if one.exists())
    return {"path": str(path), "exists": path.exists(), "writable": os.access(nearest, os.W_OK)}


def units(service: Service) -> dict[str, Any]:
    """Return the state of the project's units, by the end of their names."""
    if not shutil.which("systemctl"):
        return {}
    return {kind: unit(f"procmon@{service.name}.{kind}") for kind in ("service", "socket")}


def unit(name: str) -> dict[str, str]:
    """Return some properties of a unit."""
    shown = run_command(["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", name], env={"LC_ALL": "C"})
    return dict(line.split("=", 1) for line in shown.out.splitlines() if "=" in line)


def answer(service: Service) -> dict[str, Any]:
    """Return the status with which the app answers where it listens, or why it does not."""
    heartbeat = service.heartbeat
    headers = {"Host": str(heartbeat["host_header"])} if heartbeat.get("host_header") else {}
    connection = http.client.HTTPConnection("localhost", timeout=ANSWER_SECONDS)
    try:
        connection.sock = connect(service.bind)
        connection.request("GET", str(heartbeat.get("path") or "/"), headers=headers)
        return {"status": connection.getresponse().status, "error": ""}
    except (OSError, http.client.HTTPException) as error:
        return {"status": None, "error": str(error) or type(error).__name__}
    finally:
        connection.close()


def connect(bind: str) -> socket.socket:
    """Connect to an address, `host:port`, `[v6]:port` or `unix:/path`. Raises OSError."""
    if bind.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(ANSWER_SECONDS)
        made.connect(bind[len("unix:") :])
        return made
    host, _colon, port = bind.rpartition(":")
    reachable = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 - not listened on
    return socket.create_connection((reachable, int(port)), timeout=ANSWER_SECONDS)


def front(bind: str) -> dict[str, Any]:
    """Return whether nginx is installed, and which of its files that can be read name the address."""
    wanted = names_of(bind)
    files = [str(path) for path, text in nginx_files() if any(name in text for name in wanted)]
    return {"nginx": NGINX.is_dir(), "files": files}


def names_of(bind: str) -> list[str]:
    """Return how a proxy may write an address."""
    if bind.startswith("unix:"):
        return [bind]
    host, _colon, port = bind.rpartition(":")
    local = host in {"127.0.0.1", "0.0.0.0", "[::1]", "[::]", "localhost"}  # noqa: S104 - not listened on
    return [f"{name}:{port}" for name in (("127.0.0.1", "localhost", "[::1]") if local else (host,))]


def nginx_files() -> Iterator[tuple[Path, str]]:
    """Yield the files of nginx's configuration that can be read, with their text."""
    places = (NGINX / "nginx.conf", *NGINX.glob("conf.d/*.conf"), *NGINX.glob("sites-enabled/*"))
    for path in sorted(places):
        # What only root can read is not known.
        if os.access(path, os.R_OK) and path.is_file() and path.stat().st_size <= NGINX_BYTES:
            yield path, path.read_text(encoding="utf-8", errors="replace")
