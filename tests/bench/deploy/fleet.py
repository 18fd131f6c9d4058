"""One project on many servers, each a port that leads to one sshd: time and logins, also with a server that is down."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench.deploy.proxy import Line
from tests.bench.deploy.repository import Repository
from tests.bench.deploy.tools import HOOK, ROOT, Place, Playbooks
from tests.support.ssh_server import ssh_server
from tests.support.sshd import Sshd

FILES = 30
TIMEOUT_SECONDS = 5


class Fleet(Playbooks):
    """This collection, on a static inventory: on one machine each server needs a path of its own."""

    ports: Sequence[int] = ()

    def set_up(self) -> None:
        place = self.place
        place.folder.mkdir(parents=True, exist_ok=True)
        hosts = {f"blog@web{number:02}": self._host(number, port) for number, port in enumerate(self.ports)}
        common = {"project_name": "blog", "project_repo": str(place.repository.url), "project_ref": "origin/master"}
        common |= {"project_post_deploy": HOOK, "ansible_user": self.user}
        inventory = {"all": {"children": {"blog": {"hosts": hosts, "vars": common}}}}
        (place.folder / "hosts.yml").write_text(json.dumps(inventory))
        play = {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}
        (place.folder / "ping.yml").write_text(json.dumps([play]))

    def _host(self, number: int, port: int) -> dict[str, object]:
        login = {"ansible_host": "127.0.0.1", "ansible_port": port, "ansible_python_interpreter": "/usr/bin/python3"}
        return {**login, "project_path": str(self.place.folder / "server" / str(number))}

    def ping(self) -> None:
        """Run a play with `ping` alone on all servers."""
        self._run(self.place.folder / "ping.yml")

    def deploy(self, at_once: int = 1) -> None:
        self._run(ROOT / "playbooks/deploy.yml", "-e", "project=blog", "-e", f"at_once={at_once}")

    def revert(self) -> None:
        self._run(ROOT / "playbooks/revert.yml", "-e", "project=blog")

    def _run(self, playbook: Path, *words: str) -> None:
        inventory = str(self.place.folder / "hosts.yml")
        self.play(str(playbook), "-i", inventory, *words, ANSIBLE_TIMEOUT=str(TIMEOUT_SECONDS))


def measure(counts: Iterable[int], rounds: int) -> None:
    """Measure each number of servers."""
    for count in counts:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-fleet-")))
            sshd = Sshd(stack.enter_context(ssh_server(folder / "sshd")))
            fleet = Fleet(Place(folder / "fleet", sshd, sshd.port, Repository(folder / "remote", FILES), count), Path())
            fleet.ports = [stack.enter_context(Line(sshd.port, 0)).port for _ in range(count)]
            _measure(fleet, rounds)
            _measure_down(fleet)


def _measure(fleet: Fleet, rounds: int) -> None:
    fleet.set_up()
    fleet.deploy()
    publish = fleet.place.repository.publish
    _show(fleet, "ping", [fleet.ping] * rounds)
    for at_once in (1, 10):
        _show(fleet, f"changed, at_once={at_once}", [partial(fleet.deploy, at_once)] * rounds, publish)
    _show(fleet, "nothing new", [fleet.deploy] * rounds)
    _show(fleet, "revert", [fleet.revert] * rounds)


def _measure_down(fleet: Fleet) -> None:
    """One server accepts connections and never answers: that is found before any server switches."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        fleet.ports = [*fleet.ports[:-1], silent.getsockname()[1]]
        fleet.set_up()
        fleet.place.repository.publish()
        start = time.monotonic()
        try:
            fleet.deploy()
        except SystemExit:
            label = f"{len(fleet.ports):3} servers, one of them down (timeout {TIMEOUT_SECONDS} s)"
            print(f"{label:54}{time.monotonic() - start:7.2f} s", flush=True)
            return
    raise SystemExit("bench-deploy: a deploy to a server that is down has succeeded")


def _show(
    fleet: Fleet, name: str, actions: Sequence[Callable[[], None]], before: Callable[[], None] = lambda: None
) -> None:
    """Run the actions and print one line; the counts are those of the last."""
    seconds, counts = [], fleet.place.sshd.counts
    for action in actions:
        before()
        seen, start = counts(), time.monotonic()
        action()
        seconds.append(time.monotonic() - start)
        cost = counts().since(seen)
    label = f"{len(fleet.ports):3} servers, {name}"
    print(f"{label:54}{median(seconds):7.2f} s {cost.logins:3} / {cost.executions}", flush=True)
