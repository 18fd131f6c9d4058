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
from procmon.config import load
from procmon.core.pool import OVERRUN_SECONDS
from procmon.master.master import LEFTOVER_SECONDS

ROLE = Path(__file__).parents[2] / "roles/supervisor"
TEMPLATES = ROLE / "templates"
SOURCES = ROLE / "files/procmon"
UNIT_VARIABLES: dict[str, Any] = {
    "supervisor_user": "deploy",
    "supervisor_home": "/opt/procmon",
    "supervisor_config_dir": "/etc/procmon",
    "supervisor_systemctl": {"stdout": "systemd 252"},
}
UNITS = {
    "procmon@.service.j2": "50de84b525d4",
    "procmon.socket.j2": "1d451fb2e2ac",
    "project.conf.j2": "6553fbdb4e61",
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
    "supervisor_secrets": "/etc/procmon/blog.env",
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


def written(path: Path, **settings: object) -> Path:
    """Write a configuration."""
    path.write_text(filled("procmon.toml.j2", {**BASE, **settings}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "options",
    [
        {
            "log_level": "warning",
            "proxy_headers": True,
            "limit_concurrency": 100,
            "h11_max_incomplete_event_size": 1 << 20,
        },
        {"headers": [["x-served-by", 'a "quoted"\nname']], "forwarded_allow_ips": ["127.0.0.1", "::1"]},
        {
            "log_config": {
                "version": 1,
                "root": {"level": "INFO", "handlers": []},
                "formatters": {},
                "a b.c": {"ü": 1.5},
            }
        },
    ],
)
def test_uvicorns_options_arrive_as_they_are(tmp_path: Path, options: dict[str, Any]) -> None:
    """Lists of lists and mappings, too: such as a whole configuration of logging."""
    assert load(written(tmp_path / "blog.toml", supervisor_uvicorn=options)).uvicorn == options


def test_the_smallest_configuration_and_one_with_everything(tmp_path: Path) -> None:
    small = load(written(tmp_path / "small.toml"))
    assert (small.directory, small.workers, small.env_file) == (Path("/srv/my blog/current"), 2, "")
    full = load(
        written(
            tmp_path / "full.toml",
            supervisor_env={"A": "x"},
            supervisor_heartbeat={"accept": [200, 204], "path": "/up"},
            supervisor_reload={"surge": "one"},
            supervisor_worker={"max_rss": "300M"},
        )
    )
    assert (full.env_file, full.heartbeat.accept, full.reload.surge) == ("/etc/procmon/blog.env", (200, 204), "one")


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


def test_every_module_of_procmon_is_part_of_the_hash_that_names_a_build() -> None:
    """Otherwise setup would take a changed procmon for the installed one."""
    files = evaluated("supervisor_files")
    assert isinstance(files, list)
    assert set(files) == {str(SOURCES / "pyproject.toml"), *map(str, SOURCES.glob("src/**/*.py"))}


@pytest.mark.parametrize("template", UNITS)
def test_the_units_are_what_servers_have_already(template: str) -> None:
    """Any change of them, a comment included, has setup restart procmon, or even its socket: no upgrade in place then.

    That may be worth it: then put the new digest here, and announce the restart in the changelog.
    """
    digest = evaluated(f"lookup('template', '{TEMPLATES}/{template}') | hash('sha256')", **UNIT_VARIABLES)
    assert isinstance(digest, str)
    assert digest[:12] == UNITS[template]
