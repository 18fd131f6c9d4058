# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Environments are built once by the real pip and the real uv, survive what is killed, and go when unused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import installer
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import (
    Environment,
    Environments,
    link,
    stale,
)
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.installer import is_complete, remove
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.interpreter import ask_interpreter
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import Result, run_command

from tests.support.releases.environments import UV, MakeRelease, build, made_by, version_in
from tests.support.releases.packages import make_wheel
from tests.support.waiting import until

COLLECTIONS = Path(__file__).parents[3] / "collections"
DEADLINE = 60


def forbidden(
    argv: Sequence[str],
    cwd: str | None = None,
    env: Mapping[str, str | None] | None = None,
    silence: float | None = None,
) -> Result:
    raise AssertionError(f"ran {argv} in {cwd} with {env} for {silence}")


def test_an_environment_is_built_once_and_found_again(make_release: MakeRelease, environments: Environments) -> None:
    first = build(environments, make_release({"requirements.txt": "tiny==1.0\n"}))
    assert first.built
    assert version_in(first.path) == "1.0"
    assert list(first.path.glob("lib/*/site-packages/__pycache__/tiny.*.pyc")), "byte code is compiled while building"

    idle = replace(environments, run=forbidden)
    again = build(idle, make_release({"requirements.txt": "tiny==1.0\n", "code.py": "changed"}))
    assert (again.built, again.path) == (False, first.path)

    other = build(environments, make_release({"requirements.txt": "tiny==2.0\n"}))
    assert other.built
    assert (version_in(other.path), version_in(first.path)) == ("2.0", "1.0")


def test_dependencies_of_a_pyproject_are_installed_without_the_project(
    make_release: MakeRelease, environments: Environments
) -> None:
    release = make_release({"pyproject.toml": '[project]\nname = "blog"\nversion = "1"\ndependencies = ["tiny<2"]\n'})
    built = build(environments, release)
    assert version_in(built.path) == "1.0"
    assert not list(built.path.glob("lib/*/site-packages/blog*"))


def test_a_broken_requirement_leaves_nothing(make_release: MakeRelease, environments: Environments) -> None:
    with pytest.raises(ReleaseError, match="could not be built") as failure:
        build(environments, make_release({"requirements.txt": "tiny==3.0\n"}))
    assert "tiny==3.0" in failure.value.detail
    assert [path for path in environments.path.iterdir() if not path.name.startswith(".")] == []


def test_uv_is_installed_beside_the_environments_where_a_lock_needs_it(
    tmp_path: Path, wheels: Path, make_release: MakeRelease, by_pip: Environments
) -> None:
    """Its wheel holds a program that only makes an empty environment, where the real one would fill it."""
    script = f'#!/bin/sh\n[ "$1" = lock ] || exec {sys.executable} -m venv --without-pip "$UV_PROJECT_ENVIRONMENT"\n'
    make_wheel(wheels, "uv", "9.0")
    with zipfile.ZipFile(wheels / "uv-9.0-py3-none-any.whl", "a") as wheel:
        entry = zipfile.ZipInfo("uv-9.0.data/scripts/uv")
        entry.external_attr = 0o100755 << 16
        wheel.writestr(entry, script)
    built = build(by_pip, make_release({"uv.lock": "version = 1", "pyproject.toml": ""}))
    assert is_complete(tmp_path / "envs" / ".uv")
    assert is_complete(built.path)


def test_the_uv_of_the_server_builds_the_environments_of_all_projects(
    make_release: MakeRelease, by_pip: Environments
) -> None:
    """Setup puts it there, once."""
    installer.SERVER_UV.parent.mkdir(parents=True)
    installer.SERVER_UV.symlink_to(UV)
    assert built_by_uv(build(by_pip, make_release({"requirements.txt": "tiny\n"})))


def test_uv_is_found_beside_the_environments(make_release: MakeRelease, by_pip: Environments) -> None:
    """Setup puts it there where it has no root, as it did everywhere before."""
    program = by_pip.path / ".uv" / "bin" / "uv"
    program.parent.mkdir(parents=True)
    program.symlink_to(UV)
    assert built_by_uv(build(by_pip, make_release({"requirements.txt": "tiny\n"})))


def test_a_half_installed_uv_is_not_used(make_release: MakeRelease, by_pip: Environments) -> None:
    program = by_pip.path / ".uv" / "bin" / "uv"
    program.parent.mkdir(parents=True)
    program.write_bytes(Path(UV).read_bytes()[:4096])
    program.chmod(0o755)
    assert not built_by_uv(build(by_pip, make_release({"requirements.txt": "tiny\n"})))


def built_by_uv(built: Environment) -> bool:
    """Ask the environment who made it: uv leaves its version."""
    return "\nuv = " in (built.path / "pyvenv.cfg").read_text()


class Gate(SimpleHTTPRequestHandler):
    """Serves a directory once the gate is open, and records that a request waits for it."""

    address: str
    asked: threading.Event
    opened: threading.Event

    def do_GET(self) -> None:
        self.asked.set()
        self.opened.wait(DEADLINE)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[type[Gate]]:
    """An index on this machine that does not answer before its gate is open."""

    class Fresh(Gate):
        asked = threading.Event()
        opened = threading.Event()
        address = ""

    (tmp_path / "gated/simple/tiny").mkdir(parents=True)
    make_wheel(tmp_path / "gated/simple/tiny", "tiny", "1.0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Fresh(*args, directory=str(tmp_path / "gated")))
    Fresh.address = f"http://127.0.0.1:{server.server_port}/simple"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Fresh
    Fresh.opened.set()
    server.shutdown()
    thread.join()
    server.server_close()


BUILDER = """
import sys
from pathlib import Path
from tests.support.releases.environments import build, made_by
envs, release, index = sys.argv[1:]
build(made_by("uv", Path(envs), index), Path(release))
"""


def test_a_killed_build_does_not_count_and_is_made_again(
    tmp_path: Path, make_release: MakeRelease, gate: type[Gate]
) -> None:
    environments = made_by("uv", tmp_path / "envs", gate.address)
    release = make_release({"requirements.txt": "tiny==1.0\n"})
    argv = [sys.executable, "-c", BUILDER, str(environments.path), str(release), gate.address]
    path = {"PYTHONPATH": f"{COLLECTIONS}{os.pathsep}{COLLECTIONS.parent}"}
    builder = subprocess.Popen(argv, env={**os.environ, **path})
    assert gate.asked.wait(DEADLINE), "uv asked the index"
    children = map(int, Path(f"/proc/{builder.pid}/task/{builder.pid}/children").read_text().split())
    for pid in (builder.pid, *children):
        os.kill(pid, signal.SIGKILL)
    builder.wait()
    (left,) = [path for path in environments.path.iterdir() if not path.name.startswith(".")]
    assert (left / "bin").is_dir()
    assert not is_complete(left)

    gate.opened.set()
    built = build(environments, release)
    assert (built.built, built.path) == (True, left)
    assert version_in(left) == "1.0"


def waiters(lock: Path) -> int:
    """Count who waits for a lock on the file `lock`; the kernel marks them with an arrow."""
    inode = str(lock.stat().st_ino)
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("->" in line and line.split()[6].endswith(f":{inode}") for line in lines)


def test_of_two_that_want_one_environment_the_second_waits(
    tmp_path: Path, make_release: MakeRelease, gate: type[Gate]
) -> None:
    environments = made_by("uv", tmp_path / "envs", gate.address)
    release = make_release({"requirements.txt": "tiny==1.0\n"})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(build, environments, release)
        assert gate.asked.wait(DEADLINE), "the first one builds"
        second = pool.submit(build, environments, release)
        until(lambda: waiters(environments.path / ".lock") == 1, "the second one waits", DEADLINE)
        gate.opened.set()
        assert (first.result().built, second.result().built) == (True, False)
    assert version_in(first.result().path) == "1.0"


def test_an_environment_whose_python_was_removed_is_made_again(
    make_release: MakeRelease, environments: Environments
) -> None:
    release = make_release({"requirements.txt": "tiny==1.0\n"})
    first = build(environments, release)
    python = first.path / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.8")
    assert build(environments, release).built
    assert version_in(first.path) == "1.0"


@pytest.mark.parametrize("program", ["/nonexistent/python", str(shutil.which("false")), str(shutil.which("true"))])
def test_an_interpreter_that_is_missing_or_is_no_python_is_named(program: str) -> None:
    with pytest.raises(ReleaseError, match=program):
        ask_interpreter(program, run_command)


def test_an_interpreter_inside_an_environment_answers_for_its_base(tmp_path: Path) -> None:
    """Or the environments of a laptop's virtual environment would end with it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    inner = ask_interpreter(str(tmp_path / "v" / "bin" / "python"), run_command)
    assert inner == ask_interpreter(sys.executable, run_command)
    assert not inner.path.startswith(str(tmp_path))


def test_a_tree_that_was_moved_gets_environments_whose_programs_start(
    tmp_path: Path, make_release: MakeRelease, wheels: Path
) -> None:
    """Programs in an environment name their interpreter by its absolute path."""
    release = make_release({"requirements.txt": "tiny==1.0\n"})
    before = build(made_by("pip", tmp_path / "tree/envs", wheels), release)
    (tmp_path / "tree").rename(tmp_path / "moved")
    after = build(made_by("pip", tmp_path / "moved/envs", wheels), release)
    assert (after.built, after.path.name != before.path.name) == (True, True)
    assert run_command([str(after.path / "bin/pip"), "--version"]).rc == 0
    with pytest.raises(ReleaseError, match="not found"):
        run_command([str(tmp_path / "moved/envs" / before.path.name / "bin/pip"), "--version"])


# Links and pruning


def test_the_link_is_relative_and_set_once(make_release: MakeRelease, tmp_path: Path) -> None:
    """A tree that is moved as a whole keeps working links."""
    release = make_release({"README": ""})
    env = tmp_path / "envs" / "0123456789ab"
    assert link(release, env) is True
    assert (release / ".venv").readlink() == Path("../../envs/0123456789ab")
    assert link(release, env) is False
    assert link(release, env.with_name("ba9876543210")) is True
    assert sorted(path.name for path in release.iterdir()) == [".venv", "README"]


def test_a_repository_with_a_venv_of_its_own_is_refused(make_release: MakeRelease, tmp_path: Path) -> None:
    release = make_release({".venv/pyvenv.cfg": ""})
    with pytest.raises(ReleaseError, match=r"\.venv"):
        link(release, tmp_path / "envs" / "0123456789ab")
    assert (release / ".venv" / "pyvenv.cfg").exists()


def test_a_removed_environment_is_gone(make_release: MakeRelease, environments: Environments) -> None:
    built = build(environments, make_release({"requirements.txt": "tiny\n"}))
    remove(built.path)
    assert not built.path.exists()
    remove(built.path)


def test_only_environments_without_a_release_are_stale() -> None:
    envs = ["0" * 12, "a" * 12, "b" * 12, ".uv", ".cache", ".lock", "notes"]
    assert stale(envs, ["../../envs/" + "a" * 12, "../envs/gone"]) == ["0" * 12, "b" * 12]
