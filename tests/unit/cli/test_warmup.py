"""The login that is opened while Ansible starts: it is Ansible's own, or there is none."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from ansible.plugins.connection.ssh import Connection
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import host_vars

from onetouch_deploy import warmup
from onetouch_deploy.cli import parse
from onetouch_deploy.plan import Plan
from onetouch_deploy.warmup import Settings

ROOT = Path(__file__).parents[3]
OURS = ("ansible.cfg", "src/onetouch_deploy/ansible.cfg", "playbooks/files/init/ansible.cfg")
HOME = {"HOME": "/home/me"}
KNOWN = Settings("-o ControlMaster=auto -o ControlPersist=60s", Path("/cp"))


@pytest.mark.parametrize("port", [None, 2222])
def test_the_socket_has_the_name_that_ansible_gives_it(port: int | None) -> None:
    """It is private to Ansible: this test notices when another version has another name."""
    variables = {"ansible_host": "192.0.2.1", "ansible_port": port, "ansible_user": "www-data"}
    path = Connection._create_control_path("192.0.2.1", port, "www-data")
    assert f"%(directory)s/{warmup.socket_name(variables)}" == path


def test_the_socket_of_a_key_has_the_name_that_the_inventory_gives_it() -> None:
    """Ansible fills in the directory and undoubles the percent sign; ssh fills in the user."""
    given = host_vars.control_path("192.0.2.1", None, "/key", None)
    as_ssh_has_it = (given % {"directory": "/cp"}).replace("%r", "www-data")
    variables = {"ansible_control_path": given, "ansible_user": "www-data"}
    assert f"/cp/{warmup.socket_name(variables)}" == as_ssh_has_it


@pytest.mark.parametrize("name", OURS)
def test_our_own_settings_are_followed(name: str) -> None:
    found = warmup.settings(ROOT / name, HOME)
    expected = "-o ControlMaster=auto -o ControlPersist=300s -o ServerAliveInterval=15"
    assert found == Settings(expected, Path("/home/me/.ansible/cp"))


def test_the_directory_of_sockets() -> None:
    own = warmup.settings(None, {**HOME, "ANSIBLE_SSH_CONTROL_PATH_DIR": "/run/cp"})
    assert own == Settings(warmup.DEFAULT_ARGUMENTS, Path("/run/cp"))


@pytest.mark.parametrize(
    "text",
    [
        "[ssh_connection]\nssh_args = -o ControlMaster=no",
        "[ssh_connection]\nssh_args = -o ControlPersist=60s -o ControlPath=/x",
        "[ssh_connection]\ncontrol_path = /x",
        "[ssh_connection]\nssh_executable = /opt/ssh",
        "[ssh_connection]\nssh_common_args = -J jump",
        "[defaults]\nremote_user = me",
        "[defaults]\nprivate_key_file = /key",
        "[defaults]\ntransport = paramiko",
        "no section",
    ],
)
def test_other_settings_leave_the_login_to_ansible(tmp_path: Path, text: str) -> None:
    (tmp_path / "ansible.cfg").write_text(text)
    assert warmup.settings(tmp_path / "ansible.cfg", HOME) is None


@pytest.mark.parametrize(
    "name", ["ANSIBLE_SSH_ARGS", "ANSIBLE_REMOTE_USER", "ANSIBLE_HOME", "ANSIBLE_PRIVATE_KEY_FILE"]
)
def test_variables_of_the_environment_leave_it_to_ansible_too(name: str) -> None:
    assert warmup.settings(None, {**HOME, name: "x"}) is None


def test_the_login_asks_nothing_and_ends_when_it_is_open() -> None:
    variables = {
        "ansible_host": "192.0.2.1",
        "ansible_port": 22,
        "ansible_user": "www-data",
        "ansible_ssh_private_key_file": "/k",
        "ansible_control_path": "%(directory)s/abc-%%r",
        "ansible_ssh_common_args": "-o ForwardAgent=yes",
    }
    line = shlex.join(warmup.login(variables, KNOWN) or [])
    assert line.startswith("ssh -o ControlMaster=auto -o ControlPersist=60s -o Port=22 -o 'IdentityFile=\"/k\"' ")
    assert " -o ForwardAgent=yes -o 'ControlPath=\"/cp/abc-www-data\"' -o BatchMode=yes " in line
    assert line.endswith(" -N -f 192.0.2.1")


@pytest.mark.parametrize(
    "changed",
    [{"ansible_connection": "local"}, {"ansible_user": None}, {"ansible_host": "{{ x }}"}, {"ansible_user": []}],
)
def test_a_login_that_cannot_be_known_is_left_to_ansible(changed: dict[str, object]) -> None:
    variables = {"ansible_host": "192.0.2.1", "ansible_user": "me"}
    assert warmup.login(variables, KNOWN)
    assert warmup.login({**variables, **changed}, KNOWN) is None


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("blog", True),
        ("blog revert", True),
        ("blog status", True),
        ("blog exec ls", True),
        ("all", False),
        ("blog,shop", False),
        ("status", False),
        ("blog setup", False),
        ("blog remove", False),
        ("blog -e ansible_user=x", False),
        ("blog -e x=1", True),
    ],
)
def test_it_is_opened_for_one_project_by_its_own_user(line: str, *, wanted: bool) -> None:
    plan = parse(line.split())
    assert isinstance(plan, Plan)
    assert warmup.is_wanted(plan) is wanted
