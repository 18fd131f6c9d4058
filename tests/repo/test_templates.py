"""What the role writes: whatever the inventory takes, procmon reads as it was meant; and procmon's unit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import unit
from procmon.core.pool import OVERRUN_SECONDS
from procmon.master.master import LEFTOVER_SECONDS

ROLE = Path(__file__).parents[2] / "roles/supervisor"
TEMPLATES = ROLE / "templates"
UNIT_VARIABLES: dict[str, Any] = {
    "supervisor_user": "deploy",
    "supervisor_home": "/opt/procmon",
    "supervisor_config_dir": "/etc/procmon",
    "supervisor_systemctl": {"stdout": "systemd 252"},
}
UNITS = {
    "procmon@.service.j2": "98dde5cd638a",
    "procmon.socket.j2": "1d451fb2e2ac",
    "project.conf.j2": "01be2a96505f",
}
"""By the first digits of the hash of what they become."""
OWN_SECONDS = 3
"""What procmon needs at least for its own start, as the command `stop`, and for its own exit."""
BASE: dict[str, Any] = {
    "supervisor_name": "blog",
    "supervisor_app": "blog.main:app",
    "supervisor_path": "/srv/my blog",
    "supervisor_bind": "127.0.0.1:3001",
    "supervisor_workers": 2,
    "supervisor_restart_file": "public/system/restart",
    "supervisor_state_dir": "/run/procmon/blog",
    "supervisor_env": {},
    "supervisor_env_file": "",
    "supervisor_writable_paths": [],
    "supervisor_heartbeat": {},
    "supervisor_reload": {},
    "supervisor_worker": {},
    "supervisor_uvicorn": {},
}


def filled(template: str, variables: dict[str, Any]) -> str:
    """Fill a template in."""
    templar = Templar(loader=DataLoader(), variables=variables)  # type: ignore[no-untyped-call]  # Ansible has no types
    text: str = templar.template(trust_as_template((TEMPLATES / template).read_text()))
    return text


def evaluated(expression: str, **variables: object) -> object:
    """Evaluate an expression among the role's variables with Ansible; unlike `filled`, it knows lookups."""
    ansible = [str(Path(sys.executable).with_name("ansible")), "--inventory=localhost,", f"--playbook-dir={ROLE}"]
    extra = json.dumps({**BASE, "role_path": str(ROLE), **variables})
    argv = [
        *ansible,
        "--module-name=debug",
        f"--args=msg={{{{ {expression} }}}}",
        f"--extra-vars=@{ROLE}/vars/main.yml",
    ]
    done = subprocess.run([*argv, f"--extra-vars={extra}", "localhost"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return yaml.safe_load(done.stdout.partition("=>")[2])["msg"]


def test_a_configuration_that_cannot_be_read_makes_no_stop_fail() -> None:
    """systemd ignores the failure of a command that begins with "-"."""
    where = {"supervisor_program": "/opt/procmon/current/bin/procmon", "supervisor_config_dir": "/etc/procmon"}
    unit = filled("procmon@.service.j2", {**where, "supervisor_systemctl": {"stdout": "systemd 255"}})
    commands = [line for line in unit.splitlines() if line.startswith("ExecStop")]
    assert commands == ["ExecStop=-/opt/procmon/current/bin/procmon stop /etc/procmon/%i.toml"]


@pytest.mark.parametrize("drain_timeout", [0.9, 600])
def test_systemd_waits_as_long_as_procmon_may_take_to_stop(drain_timeout: float) -> None:
    """A worker that does not exit is killed some time after its drain; then what it has left behind is ended."""
    lines = evaluated(
        f"lookup('template', '{TEMPLATES}/project.conf.j2').splitlines()",
        **{**UNIT_VARIABLES, "supervisor_reload": {"drain_timeout": drain_timeout}},
    )
    assert isinstance(lines, list)
    (found,) = [float(line.partition("=")[2]) for line in lines if line.startswith("TimeoutStopSec=")]
    assert found >= drain_timeout + OVERRUN_SECONDS + LEFTOVER_SECONDS + OWN_SECONDS


def test_a_deploy_reads_the_writable_paths_as_the_unit_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a path contains: systemd would take % for one of its own, and a quote for the end."""
    tree, wanted = "/srv/my blog", ["/srv/100%/x", '/srv/a "b"', "/srv/back\\slash", "/srv/uploads"]
    path = tmp_path / "procmon@blog.service.d/project.conf"
    path.parent.mkdir()
    variables = {**UNIT_VARIABLES, "supervisor_path": tree, "supervisor_writable_paths": wanted}
    lines = evaluated(f"lookup('template', '{TEMPLATES}/project.conf.j2').splitlines()", **variables)
    assert isinstance(lines, list)
    path.write_text("\n".join(lines))
    monkeypatch.setattr(unit, "UNITS", tmp_path)
    assert unit.waiting_paths("blog", Path(tree), wanted) == []
    assert unit.waiting_paths("blog", Path(tree), ["/srv/new", *wanted[1:]]) == ["/srv/100%/x", "/srv/new"]
    assert unit.waiting_paths("blog", Path(tree), None) == []
    assert unit.waiting_paths("blog", Path(tree), [f"{tree}/", "//srv//100%/x/", *wanted[1:]]) == [], (
        "written otherwise"
    )
    assert unit.waiting_paths("other", Path(tree), wanted) == [], "setup has written no unit"
    assert {
        'ReadWritePaths="/srv/100%%/x"',
        r'ReadWritePaths="/srv/a \"b\""',
        r'ReadWritePaths="/srv/back\\slash"',
    } <= {*lines}


@pytest.mark.parametrize("template", UNITS)
def test_the_units_are_what_servers_have_already(template: str) -> None:
    """Any change of them, a comment included, has setup restart procmon, or even its socket: no upgrade in place then.

    That may be worth it: then put the new digest here, and announce the restart in the changelog.
    """
    digest = evaluated(f"lookup('template', '{TEMPLATES}/{template}') | hash('sha256')", **UNIT_VARIABLES)
    assert isinstance(digest, str)
    assert digest[:12] == UNITS[template]
