"""The examples that `ansible-doc` shows, run: the tasks as they stand there, on a server that is reached by ssh.

Only addresses and paths are exchanged for those of the test. Whether the options of all examples are valid is tested in
tests/repo/test_options.py.
"""

from __future__ import annotations

import getpass
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.releases.fake_procmon import FakeProcmon
from tests.support.sshd import Sshd

from .conftest import ROOT, Laptop, Servers, Upstream

NOT_RUN_HERE = {
    "login_key": "authorizes a key for a second user of the server: test_login_keys.py",
    "python_env": "downloads uv: each setup of these tests runs it with an index of its own",
    "doctor_report": "needs all that the playbook doctor has found before: test_doctor.py runs that",
    "restart": "needs a procmon that runs: test_restart.py",
    "project_directories": "gives directories to a user as root: test_links_of_users.py",
    "service_state": "asks systemd: the scenario of molecule runs it on servers that boot it",
}
"""Modules whose examples need more than one user and one directory, and what runs them instead."""
ORDER = (
    *(
        "server_facts",
        "git_access",
        "releases",
        "project_configuration",
        "releases_info",
        "server_releases_info",
        "project_status",
        "summary",
    ),
    *("release_command", "project_command", "service_facts", "control_repository", "setup_report"),
)
"""Each after what it builds on, on one server."""
ON_TWO_SERVERS = "rollout"
AT_LAST = "remove_project"


def examples(file: Path) -> str:
    """Return the examples of a plugin, as YAML."""
    found = re.search(r'^EXAMPLES = r"""\n(.*?)^"""', file.read_text(), re.MULTILINE | re.DOTALL)
    assert found, file
    return found[1]


def test_each_module_has_its_examples_run() -> None:
    """Here, or in the test that is named."""
    modules = {file.stem for file in (ROOT / "plugins" / "modules").glob("*.py")}
    assert {*ORDER, ON_TWO_SERVERS, AT_LAST} | {*NOT_RUN_HERE} == modules
    named = {text for reason in NOT_RUN_HERE.values() for text in re.findall(r"test_\w+\.py", reason)}
    assert [name for name in named if not Path(__file__).with_name(name).exists()] == []


@pytest.fixture
def procmon(tmp_path: Path) -> Iterator[FakeProcmon]:
    """Something that answers for procmon, for the project `blog`."""
    (tmp_path / "state").mkdir()
    started = FakeProcmon(tmp_path / "srv/blog/current", tmp_path / "state/status.json")
    started.start()
    yield started
    started.stop()


def write_app(upstream: Upstream) -> dict[str, str]:
    """Commit what the examples call, then four versions, and return the commits by their names."""
    for name, text in {"bin/deploy": "touch public/system/restart", "manage.py": 'test "$1" = migrate'}.items():
        file = upstream.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    upstream.git("add", "--all")
    return {name: upstream.commit(name) for name in ("v1", "v2", "v3", "v4")}


def test_the_examples_of_the_modules_run(
    laptop: Laptop, sshd: Sshd, upstream: Upstream, procmon: FakeProcmon, tmp_path: Path
) -> None:
    commits = write_app(upstream)
    servers = Servers(laptop, sshd, upstream)
    settings = {"project_ref": "origin/main", "project_status_file": str(procmon.status_file)}
    # Of the playbook exec, which the play of the lookup plugin does not take.
    settings["project_own_variables"] = "argv"
    path = servers.project("blog", "web1", **settings)
    pair = [tmp_path / name for name in ("web1", "web2")]
    for server in pair:
        servers.project("pair", server.name, project_ref="v3", project_path=str(server))
    servers.write()
    (tmp_path / "deploy.conf").write_text("[blog]\nhost web1\nuser me\nrepo /srv/git/blog\npath /srv/blog\nref v1\n")
    here = {
        "/var/www/blog": str(path),
        "git@example.com:me/blog.git": str(upstream.path),
        "git@git.example.org:you/blog.git": str(upstream.path),
        "origin/master": "origin/main",
        "/run/procmon/blog/status.json": str(procmon.status_file),
        "state_dir: /run/procmon/blog": f"systemd: false\n    state_dir: {tmp_path}/none",
        "/etc/procmon": str(tmp_path / "etc"),
        "1f0c9a2": commits["v2"][:12],
        "/home/me/deploys": str(tmp_path / "deploys"),
        "{{ playbook_dir }}/files/init": str(ROOT / "playbooks/files/init"),
        "/home/me/deploy.conf": str(tmp_path / "deploy.conf"),
        "user: deploy": f"user: {getpass.getuser()}",
    }
    playbook = tmp_path / "examples.yml"
    playbook.write_text(json.dumps(plays(here)))
    done = laptop.run(str(playbook), extra={"project": "blog", "argv": "'./manage.py migrate'"})
    assert done.code == 0, done.output
    assert path.is_dir(), "remove keeps the data"
    gone_live = [line.split()[0] for line in (path / ".deploys").read_text().splitlines()]
    names = [name for line in gone_live for name, commit in commits.items() if commit.startswith(line)]
    deployed, taken_back, of_the_lookup = ["v1", "v2", "v3", "v4", "v4"], ["v1", "v2"], ["v4"]
    assert names == deployed + taken_back + of_the_lookup
    assert [(server / "current/page").read_text() for server in pair] == ["v3", "v3"]


def plays(here: dict[str, str]) -> list[dict[str, Any]]:
    """Return the plays that run the examples, with the paths and addresses of this test."""
    tasks = {name: tasks_of(name, here) for name in [*ORDER, ON_TWO_SERVERS, AT_LAST]}
    # The log that the examples go back in.
    deploy = next(task for task in tasks["releases"] if task["onetouch.deploy.releases"].get("post_deploy"))
    tasks["releases"][1:1] = [
        {**deploy, "onetouch.deploy.releases": {**deploy["onetouch.deploy.releases"], "ref": ref}}
        for ref in ("v1", "v2", "v3")
    ]
    play = {"gather_facts": False, "vars": {"database_url": "sqlite:///db"}}
    return [
        {"hosts": "blog", **play, "tasks": [task for name in ORDER for task in tasks[name]]},
        *yaml.safe_load(examples(ROOT / "plugins/lookup/project_hosts.py")),
        {"hosts": "pair", **play, "tasks": tasks[ON_TWO_SERVERS]},
        {"hosts": "blog", **play, "tasks": tasks[AT_LAST]},
    ]


def tasks_of(name: str, here: dict[str, str]) -> list[dict[str, Any]]:
    """Return the tasks in the examples of a module, with the paths and addresses of this test."""
    text = examples(ROOT / "plugins/modules" / f"{name}.py")
    for shown, real in here.items():
        text = text.replace(shown, real)
    return list(yaml.safe_load(text))


def test_the_examples_of_the_inventory_load(tmp_path: Path) -> None:
    (tmp_path / "deploy.conf").write_text("[blog]\nhost web1\nrepo /srv/git/blog\npath /srv/blog\n")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/cactus").touch(mode=0o600)
    files = examples(ROOT / "plugins/inventory/projects.py").split("\n---\n")
    assert len(files) == 3
    program = str(Path(sys.executable).with_name("ansible-inventory"))
    for text in files:
        (tmp_path / "projects.yml").write_text(text)
        argv = [program, "--list", "-i", str(tmp_path / "projects.yml")]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
        assert "blog" in json.loads(done.stdout), done.stderr
