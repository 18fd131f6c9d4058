"""An address that another process has is refused before anything is stopped for it; with real sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._setup import addresses

from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]
OWN = ["procmon@blog.socket", "procmon@blog.service"]


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_descriptor_that_is_closed_meanwhile_hides_no_other() -> None:
    """systemd opens and closes files all the time; here another thread does so, below the socket's own number."""
    read, write = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        os.close(read)
        over = Event()

        def open_and_close() -> None:
            while not over.is_set():
                os.close(os.open(os.devnull, os.O_RDONLY))

        busy = pool.submit(open_and_close)
        inode = os.fstat(server.fileno()).st_ino
        found = [addresses.holders([addresses.Listener("", 0, str(inode))], {}) for _ in range(20)]
        over.set()
        busy.result()
    os.close(write)
    assert [[holder.pid for holder in holders] for holders in found] == [[os.getpid()]] * 20


def run_module(bind: str, **environment: str) -> tuple[int, str]:
    """Run the module as Ansible does."""
    ansible = str(Path(sys.executable).with_name("ansible"))
    python = f"ansible_python_interpreter={sys.executable}"
    argv = [ansible, "--inventory=localhost,", "--connection=local", "-e", python, "localhost"]
    about = {"name": "blog", "path": "/srv/blog", "user": "nobody", "app": True, "bind": bind}
    argv += ["--module-name=onetouch.deploy.server_facts", f"--args={json.dumps({'about': about})}"]
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_a_free_address_passes_and_the_holder_of_a_taken_one_is_named(taken: str) -> None:
    code, text = run_module(f"127.0.0.1:{free_port()}")
    assert (code, "bind: ''" in text) == (0, True), text
    code, text = run_module(taken)
    assert code == 0
    assert "bind: is taken by " in text
    assert f"(pid {os.getpid()}" in text


@pytest.mark.parametrize("bind", ["0.0.0.0:{port}", "[::]:{port}", "localhost:{port}"])
def test_an_address_that_covers_a_taken_one_is_taken(taken: str, bind: str) -> None:
    port = taken.rpartition(":")[2]
    assert f"(pid {os.getpid()}" in addresses.problem(bind.format(port=port), OWN, {})


def test_a_listener_on_all_addresses_takes_each_of_them() -> None:
    with socket.create_server(("", 0)) as server:
        assert f"(pid {os.getpid()}" in addresses.problem(f"127.0.0.1:{server.getsockname()[1]}", OWN, {})


def test_what_the_project_itself_has_is_no_obstacle(taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own service has it by another address as well, before `bind` is changed."""
    monkeypatch.setattr(addresses, "unit_of", lambda _cgroup: OWN[1])
    assert addresses.problem(taken, OWN, {}) == ""
    assert addresses.problem(f"0.0.0.0:{taken.rpartition(':')[2]}", OWN, {}) == ""
    assert "procmon@blog.service" in addresses.problem(taken, ["procmon@shop.service"], {})


@pytest.mark.parametrize(
    ("bind", "found"),
    [
        ("192.0.2.1:3001", "is not an address of this server"),
        ("no-such-host.invalid:3001", "is not an address of this server: "),
        ("3001", "is not an address"),
    ],
)
def test_an_address_of_another_machine_is_refused(bind: str, found: str) -> None:
    assert addresses.problem(bind, OWN, {}).startswith(found)


def test_a_unix_socket_that_is_in_use_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "socket"
    assert addresses.problem(f"unix:{path}", OWN, {}) == ""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert addresses.problem(f"unix:{path}", OWN, {}) == "", "nobody listens on it"
        server.listen()
        assert f"(pid {os.getpid()}" in addresses.problem(f"unix:{path}", OWN, {})
    assert addresses.problem(f"unix:{path}", OWN, {}) == "", "left by a process that ended"
    path.unlink()
    path.write_text("an important file")
    assert addresses.problem(f"unix:{path}", OWN, {}).startswith("is not a socket")


def test_whether_an_address_is_free(taken: str, tmp_path: Path) -> None:
    assert not addresses.is_free(taken)
    assert addresses.is_free(f"127.0.0.1:{free_port()}")
    assert not addresses.is_free("no.such.host.invalid:1")
    path = tmp_path / "app.sock"
    assert addresses.is_free(f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert not addresses.is_free(f"unix:{path}")
    assert addresses.is_free(f"unix:{path}"), "what a process has left"
