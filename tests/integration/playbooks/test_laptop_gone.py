"""The laptop, its Ansible or its ssh ends in the middle of a deploy: the server comes to its own end, and tells it."""

from __future__ import annotations

import getpass
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Laptop
from tests.support.releases.invariants import assert_agreement, torn
from tests.support.releases.shim import opened
from tests.support.releases.site import Site
from tests.support.releases.upstream import Upstream
from tests.support.ssh_server import SSH, children
from tests.support.sshd import Sshd
from tests.support.waiting import until

# By its test hook: what is live after the deploy, what the journal says of it, and what the next deploy says.
ENDS = {"true": ("two", "live", "is already live"), "false": ("one", "put_back", "is live (1 commit)")}


def press_ctrl_c(ansible: int, _master: int) -> None:
    os.killpg(ansible, signal.SIGINT)


def kill_ansible(ansible: int, _master: int) -> None:
    os.kill(ansible, signal.SIGKILL)


def kill_ssh(ansible: int, master: int) -> None:
    for pid in (*filter(is_ssh, below(ansible)), master):
        os.kill(pid, signal.SIGKILL)


def kill_connection(_ansible: int, master: int) -> None:
    """What ssh takes for a network that broke: Ansible tries again."""
    os.kill(master, signal.SIGKILL)


def below(pid: int) -> list[int]:
    """All that a process has started, and they."""
    return [each for child in children(pid) for each in (child, *below(child))]


def is_ssh(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text(encoding="ascii") == "ssh\n"


def master_of(sockets: Path) -> int:
    """The process that holds the connection which others share."""
    (socket,) = sockets.iterdir()
    message = subprocess.run(
        [SSH, "-O", "check", "-S", socket, "any"], capture_output=True, text=True, check=True
    ).stderr
    return int(re.findall(r"pid=(\d+)", message)[0])


@dataclass(frozen=True)
class Loss:
    """What ends while the deploy stands in its hook, what the laptop says, and the test hook that follows."""

    of: Callable[[int, int], None]
    says: str
    test: str
    needs_tty: bool = False


def two_versions(tmp_path: Path) -> Site:
    """A project with `one` live, and `two` to be deployed."""
    site = Site(tmp_path / "blog", Upstream.make(tmp_path))
    site.upstream.commit("one")
    site.deploy()
    site.upstream.commit("two")
    return site


def waiting_hook(tmp_path: Path) -> str:
    """A hook that waits at a gate the first time."""
    return f"test -e {tmp_path}/up || {{ mkfifo {tmp_path}/gate; touch {tmp_path}/up; read line < {tmp_path}/gate; }}"


def project(laptop: Laptop, sshd: Sshd, site: Site, **settings: object) -> None:
    """Add the project to the laptop, on a server behind ssh."""
    login = {"connection": "ssh", "host": "127.0.0.1", "port": sshd.port, "user": getpass.getuser()}
    laptop.project("blog", site.upstream.url, **login, **settings, path=site.path, ref="master")


@pytest.mark.parametrize(
    "loss",
    [
        Loss(press_ctrl_c, "User interrupted execution", "true"),
        Loss(kill_ansible, "", "false"),
        Loss(kill_ssh, "FAILED!", "false"),
        Loss(kill_ssh, "FAILED!", "true", needs_tty=True),
        Loss(kill_connection, "another run holds the lock", "true"),
    ],
    ids=lambda loss: f"{loss.of.__name__}{'-tty' * loss.needs_tty}",
)
def test_a_deploy_comes_to_its_own_end_without_the_laptop(
    laptop: Laptop, sshd: Sshd, tmp_path: Path, loss: Loss
) -> None:
    site = two_versions(tmp_path)
    gate, up = tmp_path / "gate", tmp_path / "up"
    hooks = {"post_deploy": waiting_hook(tmp_path), "test": loss.test}
    project(laptop, sshd, site, needs_tty=loss.needs_tty, **hooks)
    ansible = laptop.start("playbooks/deploy.yml", extra={"project": "blog"})
    until(up.exists, "the hook")
    on_laptop = below(ansible.pid)
    loss.of(ansible.pid, master_of(Path(laptop.environment["ANSIBLE_SSH_CONTROL_PATH_DIR"])))
    output, errors = ansible.communicate(timeout=30)
    assert ansible.returncode != 0
    assert loss.says in output + errors
    assert re.search(r" is deploying master, for \d+ s$", site.info()["notes"][-1]), "status shows it under way"
    until(lambda: opened(gate), "a hook that still waits")
    until(lambda: site.info()["locked_by"] is None, "the end of the deploy")
    live, outcome, then = ENDS[loss.test]
    assert (site.version, site.info()["journal"][-1]["outcome"]) == (live, outcome)
    assert torn(site.paths.current.resolve()) == []
    assert_agreement(site)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in on_laptop), "the end of what it had started")
    assert then in site.module(ref="master")["msg"]


@pytest.mark.parametrize(
    ("lose", "needs_tty"),
    # After a kill of Ansible alone its ssh still waits for the answer: that deploy goes on.
    [(press_ctrl_c, False), (press_ctrl_c, True), (kill_ssh, False), (kill_connection, False)],
    ids=lambda value: getattr(value, "__name__", "tty" if value else "pipe"),
)
def test_before_the_switch_a_deploy_without_its_laptop_changes_nothing(
    laptop: Laptop, sshd: Sshd, tmp_path: Path, lose: Callable[[int, int], None], *, needs_tty: bool
) -> None:
    site = two_versions(tmp_path)
    project(laptop, sshd, site, needs_tty=needs_tty, pre_deploy=waiting_hook(tmp_path))
    ansible = laptop.start("playbooks/deploy.yml", extra={"project": "blog"})
    until((tmp_path / "up").exists, "the hook")
    lose(ansible.pid, master_of(Path(laptop.environment["ANSIBLE_SSH_CONTROL_PATH_DIR"])))
    ansible.communicate(timeout=30)
    until(lambda: opened(tmp_path / "gate"), "a hook that still waits")
    until(lambda: site.info()["locked_by"] is None, "the end of the deploy")
    attempt = site.info()["journal"][-1]
    assert (site.version, attempt["outcome"]) == ("one", "failed")
    assert "before the switch" in attempt["error"]
    assert_agreement(site)
    assert "is live (1 commit)" in site.module(ref="master")["msg"]
