"""`init`: a control repository in which the command and the literal playbooks work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.cli.conftest import ROOT, Desk
from tests.integration.playbooks.conftest import Upstream

FILES = {
    *("ansible.cfg", "README.md", ".gitignore", "setup.yml", "deploy.yml", "revert.yml", "status.yml"),
    *("inventory/projects.yml", "collections/requirements.yml", ".github/workflows/deploy.yml"),
}


def files(directory: Path) -> set[str]:
    """Return the files of a directory, relative to it."""
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_it_works_both_ways(desk: Desk, upstream: Upstream) -> None:
    """`deploy blog`, and the literal `ansible-playbook deploy.yml -e project=blog`."""
    done = desk.deploy("init", "control")
    assert done.code == 0, done.out
    control = desk.folder / "control"
    assert files(control) == FILES
    desk.config = control / "inventory/projects.yml"
    path = desk.project("blog", upstream, ref="origin/main")
    playbook = str(Path(sys.executable).with_name("ansible-playbook"))

    def literal(name: str) -> str:
        argv = [playbook, f"{name}.yml", "-e", "project=blog", "-e", "project_system=false"]
        done = subprocess.run(argv, cwd=control, env=desk.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout

    literal("setup")
    assert desk.deploy("blog", cwd=control).code == 0
    upstream.commit("two")
    literal("deploy")
    assert (path / "current/page").read_text() == "two"
    assert desk.deploy("blog", "revert", cwd=control / "inventory").code == 0
    literal("revert")
    assert upstream.git("rev-parse", "HEAD")[:12] in literal("status")


def test_it_prints_what_the_documents_show(desk: Desk) -> None:
    terminal = {"ANSIBLE_STDOUT_CALLBACK": "onetouch.deploy.terminal"}
    done = desk.deploy("init", "deploys", extra=terminal)
    page = (ROOT / "docs/install.md").read_text()
    assert done.out.replace(str(desk.folder), "/home/you") in page
    assert (done.code, done.err) == (0, "")
    assert "is a control repository" in done.out


def test_ansible_names_its_own_commands(desk: Desk) -> None:
    """What follows works where `init` was called: pipx puts no ansible-playbook into the PATH."""
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "onetouch.deploy.init", "-e", "directory=deploys"]
    done = subprocess.run(argv, cwd=desk.folder, env=desk.environment, capture_output=True, text=True, check=True)
    assert "    ansible-playbook setup.yml -e project=blog " in done.stdout
    assert "deploy blog" not in done.stdout


def test_a_check_writes_nothing(desk: Desk) -> None:
    done = desk.deploy("init", "--check", "control")
    assert done.code == 0, done.out
    assert "would be a control repository" in done.out
    assert not (desk.folder / "control").exists()


def test_a_directory_that_cannot_be_made_is_refused(desk: Desk) -> None:
    (desk.folder / "file").touch()
    done = desk.deploy("init", "file/control")
    assert done.code == 2
    assert f"{desk.folder}/file/control cannot be used: Not a directory." in " ".join(done.out.split())


def test_what_it_writes_is_a_valid_configuration(desk: Desk) -> None:
    """The commented section is one that the inventory accepts as it stands."""
    assert desk.deploy("init", "control").code == 0
    control = desk.folder / "control"
    listed = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "--list"],
        cwd=control,
        env=desk.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"blog@web1"' in listed.stdout
    assert listed.stderr == ""
    for file in control.rglob("*.yml"):
        assert yaml.safe_load(file.read_text()), file


def test_a_collection_that_the_user_has_installed_is_found(desk: Desk) -> None:
    """As after `ansible-galaxy collection install onetouch.deploy`, without a copy in the control repository."""
    assert desk.deploy("init", "control").code == 0
    installed = desk.folder / "home/.ansible/collections"
    installed.parent.mkdir(exist_ok=True)
    installed.symlink_to(ROOT / "collections")
    environment = {name: value for name, value in desk.environment.items() if "COLLECTIONS" not in name}
    argv = [str(Path(sys.executable).with_name("ansible-inventory")), "--list"]
    listed = subprocess.run(
        argv,
        cwd=desk.folder / "control",
        env={**environment, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ('"blog@web1"' in listed.stdout, listed.stderr) == (True, "")


@pytest.mark.parametrize("words", [[], ["."]])
def test_a_directory_with_something_in_it_is_refused(desk: Desk, words: list[str]) -> None:
    """Whatever it is; nothing is overwritten. A fresh clone, which has only .git, is empty."""
    (desk.folder / "mine").write_text("mine")
    before = files(desk.folder)
    done = desk.deploy("init", *words)
    assert done.code == 2
    assert f"{desk.folder} is not empty: it has " in " ".join(done.out.split())
    assert files(desk.folder) == before
    clone = desk.folder / "clone"
    (clone / ".git").mkdir(parents=True)
    assert desk.deploy("init", cwd=clone).code == 0


CONF = """
[blog]
key keys/cactus
user www-data
host www.example.com
port 2222
repo git@git.example.com:you/blog.git
path /var/www/blog
ref origin/main
post-deploy docker ps --format '{{.Names}}' # "all"
env.DEBUG no
"""


def test_an_originals_file_is_taken_over(desk: Desk) -> None:
    """With the same meaning, which the inventory of both shows."""
    conf = desk.folder / "deploy.conf"
    conf.write_text(CONF)
    done = desk.deploy("init", "--deploy-conf", "deploy.conf", "control")
    assert done.code == 0, done.out
    assert "deploy blog setup" in done.out
    found = [
        desk.deploy("-c", name, "blog", "config", key).out
        for name in ("deploy.conf", "control/inventory/projects.yml")
        for key in ("user", "port", "repo", "post-deploy", "env.DEBUG")
    ]
    assert found[:5] == found[5:]
    assert found[3] == "docker ps --format '{{.Names}}' # \"all\"\n"
    hosts = [inventory(desk, name) for name in ("original.yml", "control/inventory/projects.yml")]
    assert hosts[0] == hosts[1]


def inventory(desk: Desk, name: str) -> dict[str, object]:
    """Return the variables of the project's host in an inventory, with the path of its key as the system sees it."""
    (desk.folder / "original.yml").write_text("plugin: onetouch.deploy.projects\ndeploy_conf: deploy.conf\n")
    argv = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", name, "--host", "blog@www.example.com"]
    done = subprocess.run(argv, cwd=desk.folder, env=desk.environment, capture_output=True, text=True, check=True)
    found: dict[str, object] = yaml.safe_load(done.stdout)
    key = os.path.realpath(str(found["ansible_ssh_private_key_file"]))
    # Its name is made of the key's.
    del found["ansible_control_path"]
    return {**found, "ansible_ssh_private_key_file": key}


@pytest.mark.parametrize(
    ("text", "message"),
    [("[blog]\nhost a\n", "'repo' is missing"), (None, "cannot be used: No such file or directory")],
)
def test_a_file_that_cannot_be_used_writes_nothing(desk: Desk, text: str | None, message: str) -> None:
    if text is not None:
        (desk.folder / "deploy.conf").write_text(text)
    done = desk.deploy("init", "--deploy-conf", "deploy.conf", "control")
    assert done.code == 2
    assert message in " ".join(done.out.split()), done.out
    assert not (desk.folder / "control").exists()
