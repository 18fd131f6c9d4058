"""The demo's folder, port and process: what it may stop and remove."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import until

SERVICE = Path(__file__).parents[3] / "playbooks/files/demo/service.py"
PROCMON = f"#!{sys.executable}\nimport sys, signal\nprint(sys.argv, flush=True)\nsignal.pause()\n"


def service(*words: object) -> subprocess.CompletedProcess[str]:
    """Run one command of it."""
    argv = [sys.executable, str(SERVICE), *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a demo has created, with a procmon that waits for its end."""
    program = tmp_path / "demo/procmon/current/venv/bin/procmon"
    program.parent.mkdir(parents=True)
    program.write_text(PROCMON)
    program.chmod(0o755)
    (tmp_path / "demo/projects.yml").touch()
    return tmp_path / "demo"


def test_a_wanted_port_is_taken_where_it_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        other = int(service("free-port", taken).stdout)
        assert other != taken
    assert int(service("free-port", taken).stdout) == taken


def test_what_it_starts_it_stops_and_removes(folder: Path) -> None:
    assert service("start", folder).returncode == 0
    pid = int((folder / "procmon/pid").read_text())
    until(lambda: "demo.toml" in (folder / "procmon/log").read_text(), "procmon runs")
    done = service("clean", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert not folder.exists()
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_process_that_only_has_the_pid_is_left_alone(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as other:
        (folder / "procmon/pid").write_text(f"{other.pid}\n")
        assert service("clean", folder).returncode == 0
        assert other.poll() is None
        os.kill(other.pid, signal.SIGKILL)
    assert not folder.exists()


def test_a_folder_that_no_demo_has_created_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    done = service("clean", tmp_path)
    assert done.returncode != 0
    assert f"{tmp_path} was not created by this demo" in done.stderr
    assert (tmp_path / "a file").exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert service("clean", empty).returncode == 0
