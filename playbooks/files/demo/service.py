"""The demo's folder, port and procmon, without root and without systemd: service.py COMMAND ...

free-port PORT    print PORT, or another one where that is taken
start FOLDER      start the procmon of a demo in the background
clean FOLDER      stop it, and remove the folder; refuses a folder that no demo has made
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

STOP_SECONDS = 40
POLL_SECONDS = 0.1


def configuration(folder: Path) -> Path:
    """Return what tells the demo's procmon from others."""
    return folder / "procmon/etc/demo.toml"


def free_port(wanted: str) -> None:
    """Print a port that nothing listens on, `wanted` if possible."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(wanted)))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        print(probe.getsockname()[1])


def start(folder: Path) -> None:
    """Start procmon in a session of its own, and write down its pid."""
    procmon = folder / "procmon"
    argv = [procmon / "current/venv/bin/procmon", "run", configuration(folder)]
    with (procmon / "log").open("wb") as log:
        started = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    (procmon / "pid").write_text(f"{started.pid}\n", encoding="ascii")


def running(folder: Path) -> int | None:
    """Return the pid of the demo's procmon; None where it does not run, and another process may have its pid."""
    try:
        pid = int((folder / "procmon/pid").read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(configuration(folder)) in command.split(b"\0") else None


def clean(folder: Path) -> None:
    """Stop the procmon of the folder, and remove the folder."""
    if any(folder.iterdir()) and not (folder / "projects.yml").is_file():
        raise SystemExit(f"{folder} was not created by this demo. Name another folder with -e folder=PATH")
    pid = running(folder)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running(folder) is not None:
        if time.monotonic() > deadline:
            raise SystemExit(
                f"procmon (pid {pid}) did not stop within {STOP_SECONDS} s. Stop it, then run the demo again"
            )
        time.sleep(POLL_SECONDS)
    shutil.rmtree(folder)


COMMANDS: dict[str, Callable[[Path], None]] = {"start": start, "clean": clean}


def main(argv: list[str]) -> None:
    """Run a command."""
    command, argument = argv
    if command == "free-port":
        free_port(argument)
    else:
        COMMANDS[command](Path(argument))


if __name__ == "__main__":
    main(sys.argv[1:])
