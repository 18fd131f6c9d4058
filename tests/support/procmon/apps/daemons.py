"""Imported by an app, it starts processes in every manner and tells their pids in a file beside the release."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

SLEEP = [sys.executable, "-c", "import time; time.sleep(3600)"]
PARENT = """
import subprocess, sys, time
quiet = subprocess.DEVNULL
print(subprocess.Popen(sys.argv[1:4], stdout=quiet, stderr=quiet, start_new_session=True).pid, flush=True)
time.sleep(3600 if len(sys.argv) > 4 else 0)
"""
"""Starts the rest of its arguments in a session of its own, and ends, or stays when asked to."""


def start_all() -> list[int]:
    """Start a child in the worker's group, one in its own session, a daemon whose parent ended, and a tree of two."""
    run = [sys.executable, "-c", PARENT, *SLEEP]
    child = subprocess.Popen(SLEEP)
    session = subprocess.Popen(SLEEP, start_new_session=True)
    daemon = subprocess.run(run, capture_output=True, check=True)
    tree = subprocess.Popen([*run, "stay"], start_new_session=True, stdout=subprocess.PIPE)
    assert tree.stdout
    return [child.pid, session.pid, int(daemon.stdout), tree.pid, int(tree.stdout.readline())]


PIDS = start_all()
if os.fork() == 0:
    # Without an exec it holds whatever the worker does, the listening socket too.
    time.sleep(3600)
(Path(__file__).parent.parent / f"daemons-{os.getpid()}").write_text(" ".join(map(str, PIDS)))
