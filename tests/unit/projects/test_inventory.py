# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin as Ansible itself runs it, out of an installed collection."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.inventory.projects import InventoryModule

CHECKOUT = Path(__file__).parents[3]
PROGRAMS = Path(sys.executable).parent

PROJECTS = """\
# Our projects
plugin: onetouch.deploy.projects
servers:
  web1: {host: 192.0.2.10, user: www-data, key: keys/cactus}
projects:
  blog:
    hosts: [web1, www.example.com]
    repo: git@git.example.com:me/blog.git
    path: /var/www/blog
    app: blog.main:app
    bind: 127.0.0.1:3001
    heartbeat: {path: /up}
  shop:
    host: web1
    forward_agent: yes
    repo: git@git.example.com:me/shop.git
    path: /var/www/shop
    workers: 3
"""

DEPLOY_CONF = """\
[stage]
key  keys/cactus
user www-data
host www.example.com
repo git@git.example.com:me/app.git
path /srv/stage
post-deploy docker ps --format '{{.Names}}'
[production]
host www.example.com
repo git@git.example.com:me/app.git
path /srv/production
"""


class Ansible:
    """Runs Ansible's programs with nothing but the collection installed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        namespace = home / "collections" / "ansible_collections" / "onetouch"
        namespace.mkdir(parents=True)
        (namespace / "deploy").symlink_to(CHECKOUT)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        self.environment |= {
            "ANSIBLE_CONFIG": str(self.write("ansible.cfg", "")),
            "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(home),
        }

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        argv = [str(PROGRAMS / program), *map(str, arguments)]
        return subprocess.run(
            argv, cwd=self.home, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )

    def inventory(self, source: Path, *arguments: object) -> dict[str, Any]:
        """Load an inventory that must load without a word of complaint."""
        done = self.run("ansible-inventory", "--list", "-i", source, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        loaded: dict[str, Any] = json.loads(done.stdout)
        return loaded

    def debug(self, source: Path, host: str, variable: str, *arguments: object) -> Any:  # noqa: ANN401  any variable
        """Read a variable as a play sees it: filled in and decrypted."""
        self.environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
        done = self.run("ansible", host, "-i", source, "-m", "debug", "-a", f"var={variable}", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.partition("=>")[2])[variable]


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    return Ansible(tmp_path)


def plain(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Take off the mark that Ansible puts on text that it will not treat as a template."""
    if isinstance(value, dict) and list(value) == ["__ansible_unsafe"]:
        return value["__ansible_unsafe"]
    return {name: plain(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def test_the_yaml_form_gives_a_host_for_each_project_on_each_server(ansible: Ansible) -> None:
    found = ansible.inventory(ansible.write("projects.yml", PROJECTS))
    assert found["blog"]["hosts"] == ["blog@web1", "blog@www.example.com"]
    assert found["shop"]["hosts"] == ["shop@web1"]
    assert found["web1"]["hosts"] == ["blog@web1", "shop@web1"]
    assert found["www_example_com"]["hosts"] == ["blog@www.example.com"]
    assert found["projects"]["hosts"] == ["blog@web1", "blog@www.example.com", "shop@web1"]
    variables = plain(found["_meta"]["hostvars"]["blog@web1"])
    assert variables.pop("ansible_control_path").startswith("%(directory)s/")
    assert variables == {
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_host": "192.0.2.10",
        "ansible_pipelining": True,
        "ansible_ssh_private_key_file": str(ansible.home / "keys" / "cactus"),
        "ansible_user": "www-data",
        "project_app": "blog.main:app",
        "project_bind": "127.0.0.1:3001",
        "project_heartbeat": {"path": "/up"},
        "project_name": "blog",
        "project_path": "/var/www/blog",
        "project_repo": "git@git.example.com:me/blog.git",
        "project_server": "web1",
    }


def test_the_original_form_gives_the_same(ansible: Ansible) -> None:
    """Its values are never templates, whatever braces they have. Its keys lie beside it."""
    ansible.write("conf/deploy.conf", DEPLOY_CONF)
    source = ansible.write("projects.yml", "plugin: onetouch.deploy.projects\ndeploy_conf: conf/deploy.conf\n")
    found = ansible.inventory(source)
    assert found["projects"]["hosts"] == ["stage@www.example.com", "production@www.example.com"]
    variables = plain(found["_meta"]["hostvars"])
    assert variables["stage@www.example.com"]["ansible_ssh_private_key_file"] == str(ansible.home / "conf/keys/cactus")
    assert "ansible_user" not in variables["production@www.example.com"]
    hook = ansible.debug(source, "stage", "project_post_deploy")
    assert hook == "docker ps --format '{{.Names}}'"


def test_secrets_may_be_vaulted_and_values_may_be_templates(ansible: Ansible) -> None:
    """The inventory can be listed without the password; a play needs it."""
    password = ansible.write("password", "open sesame\n")
    secret = ansible.run("ansible-vault", "encrypt_string", "--vault-password-file", password, "hunter2").stdout
    indented = secret.replace("\n", "\n      ")
    env = f"    env:\n      GREETING: \"{{{{ 'hel' ~ 'lo' }}}}\"\n      WORKERS: 4\n      SECRET: {indented}\n"
    source = ansible.write("projects.yml", PROJECTS + env)
    assert "hunter2" not in json.dumps(ansible.inventory(source))
    seen = ansible.debug(source, "shop", "project_env", "--vault-password-file", password)
    assert seen == {"GREETING": "hello", "WORKERS": "4", "SECRET": "hunter2"}


def test_the_whole_file_may_be_vaulted(ansible: Ansible) -> None:
    password = ansible.write("password", "open sesame\n")
    source = ansible.write("projects.yml", PROJECTS)
    assert ansible.run("ansible-vault", "encrypt", "--vault-password-file", password, source).returncode == 0
    assert source.read_text().startswith("$ANSIBLE_VAULT;")
    found = ansible.inventory(source, "--vault-password-file", password)
    assert found["shop"]["hosts"] == ["shop@web1"]


def test_every_error_is_reported_with_its_line(ansible: Ansible) -> None:
    broken = PROJECTS.replace("repo: git@git.example.com:me/blog.git", "rep: x").replace("workers: 3", "workers: two")
    source = ansible.write("projects.yml", broken)
    done = ansible.run("ansible-inventory", "--list", "-i", source)
    assert f"{source}:6: project blog: 'repo' is missing" in done.stderr
    assert f"{source}:8: project blog, rep: unknown key; did you mean 'repo'?" in done.stderr
    assert f"{source}:18: project shop, workers: must be an integer from 1 to 512, not 'two'" in done.stderr
    assert json.loads(done.stdout)["_meta"]["hostvars"] == {}, "no half of a configuration is used"


@pytest.mark.parametrize(
    ("text", "conf", "expected"),
    [
        ("deploy_conf: gone.conf", "", "projects.yml:2: there is no file {home}/gone.conf: correct deploy_conf"),
        ("deploy_conf: [a]", "", "projects.yml:2: 'deploy_conf' must be the path of a file, not ['a']"),
        ("deploy_conf: deploy.conf", "[a]\nhst x\n", "deploy.conf:2: project a: unknown key 'hst'"),
    ],
)
def test_a_bad_deploy_conf_is_named(ansible: Ansible, text: str, conf: str, expected: str) -> None:
    source = ansible.write("projects.yml", f"plugin: onetouch.deploy.projects\n{text}\n")
    ansible.write("deploy.conf", conf)
    assert expected.format(home=ansible.home) in ansible.run("ansible-inventory", "--list", "-i", source).stderr


def test_other_inventories_are_left_to_their_own_plugins(ansible: Ansible) -> None:
    """Also where the user lists this plugin first."""
    ansible.environment["ANSIBLE_INVENTORY_ENABLED"] = "onetouch.deploy.projects,yaml"
    other = ansible.write("other.yml", "all:\n  hosts:\n    plain:\n      note: 'plugin: onetouch.deploy.projects'\n")
    ours = ansible.write("projects.yml", PROJECTS)
    found = ansible.inventory(other, "-i", ours)
    assert list(found["_meta"]["hostvars"]) == ["blog@web1", "blog@www.example.com", "plain", "shop@web1"]


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("p.yml", "plugin: onetouch.deploy.projects\n", True),
        ("p.yaml", "---\n# note\n\n'plugin' : \"onetouch.deploy.projects\" # ours\n", True),
        ("p.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", True),
        ("p.yml", "plugin: amazon.aws.aws_ec2\n", False),
        ("p.yml", "plugin: onetouch.deploy.projects2\n", False),
        ("p.yml", "all:\n  vars:\n    plugin: onetouch.deploy.projects\n", False),
        ("p.yml", "a: b\n$ANSIBLE_VAULT;\n", False),
        ("p.conf", "plugin: onetouch.deploy.projects\n", False),
    ],
)
def test_a_file_is_ours_when_it_says_so(tmp_path: Path, name: str, text: str, wanted: bool) -> None:
    (tmp_path / name).write_text(text)
    assert InventoryModule().verify_file(str(tmp_path / name)) is wanted


def test_a_file_that_is_not_there_is_not_ours(tmp_path: Path) -> None:
    assert InventoryModule().verify_file(str(tmp_path / "gone.yml")) is False


def test_ssh_is_called_with_key_agent_and_a_connection_of_its_own(ansible: Ansible) -> None:
    """Ansible's own ssh plugin has the last word on what the variables mean; a program that takes notes stands in."""
    notes = ansible.home / "notes"
    ssh = ansible.write("ssh", f'#!/bin/sh\necho "$@" >> {notes}\n', 0o755)
    ansible.environment["ANSIBLE_SSH_EXECUTABLE"] = str(ssh)
    source = ansible.write("projects.yml", PROJECTS)

    def call(host: str) -> str:
        notes.unlink(missing_ok=True)
        assert ansible.run("ansible", host, "-i", source, "-m", "raw", "-a", "true").returncode == 0
        return notes.read_text()

    blog, shop, bare = call("blog@web1"), call("shop"), call("blog@www.example.com")
    assert f'IdentityFile="{ansible.home}/keys/cactus"' in blog
    assert "192.0.2.10" in blog
    assert ("ForwardAgent=yes" in blog, "ForwardAgent=yes" in shop) == (False, True)
    paths = {word for text in (blog, shop, bare) for word in text.split() if word.startswith("ControlPath=")}
    assert len(paths) == len((blog, shop, bare))
    assert f'ControlPath="{ansible.home}/.ansible/cp/' in blog
    assert [text.count('-%r"') for text in (blog, shop, bare)] == [1, 1, 0], "ssh puts the user's name in"


def test_the_examples_load(ansible: Ansible) -> None:
    """They are what a new user begins with."""
    examples = CHECKOUT / "docs" / "examples"
    source = ansible.write("projects.yml", (examples / "projects.yml").read_text())
    assert "blog" in ansible.inventory(source)
    ansible.write("deploy.conf", (examples / "deploy.conf").read_text())
    original = ansible.write("original.yml", "plugin: onetouch.deploy.projects\ndeploy_conf: deploy.conf\n")
    assert "blog" in ansible.inventory(original)


def test_what_ships_in_the_inventory_directory_describes_no_server(ansible: Ansible) -> None:
    """Ansible and ansible-runner read every file of a directory: an example in it would be deployed by `all`."""
    shipped = shutil.copytree(
        CHECKOUT / "inventory", ansible.home / "inventory", ignore=lambda *_: ["projects.yml", "keys"]
    )
    done = ansible.run("ansible-inventory", "--list", "-i", Path(shipped))
    assert json.loads(done.stdout)["_meta"]["hostvars"] == {}


def blocks(language: str, document: str, *, start: str | tuple[str, ...]) -> list[str]:
    """Return the examples of a document in a language that begin with a text."""
    text = (CHECKOUT / document).read_text()
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language and block.startswith(start)]


def documented(language: str, document: str = "docs/configuration.md") -> list[str]:
    """Return the whole files among the examples of a document."""
    return blocks(language, document, start=("plugin:", "["))


def test_the_examples_of_the_documentation_load(ansible: Ansible) -> None:
    (conf,) = documented("conf")
    ansible.write("deploy.conf", conf)
    for text in documented("yaml"):
        assert "blog" in ansible.inventory(ansible.write("projects.yml", text))


def test_a_second_project_is_its_name_and_five_lines(ansible: Ansible) -> None:
    """As the README says: its lines of `shop`, below those of the first screen, make a host with all that is needed."""
    (first,) = documented("yaml", "README.md")
    (shop,) = blocks("yaml", "README.md", start="  shop:")
    assert len(shop.splitlines()) == 1 + 5
    found = ansible.inventory(ansible.write("projects.yml", first + shop))
    assert plain(found["_meta"]["hostvars"]["shop@web1"]) == {
        "ansible_host": "example.org",
        "ansible_pipelining": True,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_user": "deploy",
        "project_admin": "root",
        "project_app": "shop.main:app",
        "project_bind": "127.0.0.1:3002",
        "project_name": "shop",
        "project_path": "/var/www/shop",
        "project_repo": "git@github.com:you/shop.git",
        "project_server": "web1",
    }


def test_the_first_deploy_is_within_a_screen_and_needs_no_tag() -> None:
    """Of 25 lines of the README: the installation, the project and the deploy."""
    screen = "".join((CHECKOUT / "README.md").read_text().splitlines(keepends=True)[:25])
    (project,) = documented("yaml", "README.md")
    assert project in screen
    assert "ref: origin/main" in project
    for command in ("pipx install onetouch-deploy", "deploy init", "deploy blog setup", "deploy blog "):
        assert f"\n{command}" in screen


def test_a_static_inventory_can_say_the_same(ansible: Ansible) -> None:
    """But for its address, the documented one describes the project that the first example does."""
    (static,) = documented("ini")
    found = ansible.inventory(ansible.write("hosts.ini", static))
    assert found["projects"]["children"] == ["blog"], "what `-e project=all` means"
    by_hand = found["_meta"]["hostvars"]["blog@web1"]
    ours = ansible.inventory(ansible.write("projects.yml", documented("yaml")[0]))["_meta"]["hostvars"]
    expected = plain(ours["blog@www.example.com"])
    del expected["project_server"]
    assert by_hand == expected | {"ansible_host": "192.0.2.10"}


def test_the_plugin_documents_itself(ansible: Ansible) -> None:
    done = ansible.run("ansible-doc", "-t", "inventory", "--json", "onetouch.deploy.projects")
    (documented,) = json.loads(done.stdout).values()
    assert sorted(documented["doc"]["options"]) == ["deploy_conf", "plugin", "projects", "servers"]
