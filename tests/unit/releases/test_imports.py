"""What a run with nothing to do loads: Python compiles each module of the payload in each run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = "ansible_collections.onetouch.deploy.plugins.module_utils._releases"
LOAD = f"import sys, {PACKAGE}.states; print(*(name for name in sys.modules if name.startswith({PACKAGE!r})))"


def test_a_run_with_nothing_to_do_loads_neither_environments_nor_hooks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={"PYTHONPATH": str(ROOT / "collections")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.removeprefix(f"{PACKAGE}.") for name in done.stdout.split()}
    assert "states" in loaded
    rooms = {name.partition(".")[0] for name in loaded}
    assert "environment" not in rooms
    assert not loaded & {"deploy.activate", "deploy.hooks", "deploy.rollback", "release.build", "release.reuse"}
