"""The commands of a project on real repositories: there and back, and what each of them shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from onetouch_deploy import playbook
from tests.integration.cli.conftest import ROOT, Desk
from tests.integration.playbooks.conftest import Upstream


@pytest.fixture
def blog(desk: Desk, upstream: Upstream) -> Path:
    """A project, whose test hook fails when the page says broken."""
    return desk.project("blog", upstream, ref="origin/main", test="! grep -q broken page")


def test_there_and_back(desk: Desk, blog: Path, upstream: Upstream) -> None:
    """The original's way: deploy, list, current, previous, a ref, revert; from a directory below."""
    first = upstream.git("rev-parse", "HEAD")
    below = desk.folder / "a" / "b"
    below.mkdir(parents=True)
    assert desk.deploy("blog", cwd=below).code == 0
    assert desk.deploy("blog", "current").out == f"{first[:12]}\n"
    second = upstream.commit("two")
    assert desk.deploy("blog").code == 0
    short = [first[:7], second[:7]]
    assert desk.deploy("blog", "list").out.split() == short
    assert desk.deploy("blog", "list", "-n", "1").out.split() == short[1:]
    assert desk.deploy("blog", "previous").out.split() == short[:1]
    assert desk.deploy("blog", "revert").code == 0
    assert (blog / "current/page").read_text() == "one"
    assert desk.deploy("blog", "two").code == 0
    assert (blog / "current/page").read_text() == "two"
    history = desk.deploy("blog", "history").out.splitlines()
    assert [line.split()[3:5] for line in history] == [
        *(["deploy", "origin/main"], ["deploy", "origin/main"]),
        *(["revert", first[:12]], ["deploy", "two"]),
    ]
    assert all(line.endswith("live") for line in history)


def test_a_failed_test_restores_the_release_and_fails_unless_tests_are_off(
    desk: Desk, blog: Path, upstream: Upstream
) -> None:
    """The original ended with 0 here."""
    assert desk.deploy("blog").code == 0
    upstream.commit("broken")
    assert desk.deploy("blog").code == 2
    assert (blog / "current/page").read_text() == "one"
    assert desk.deploy("blog", "-T").code == 0
    assert (blog / "current/page").read_text() == "broken"


def test_a_revert_to_a_release_without_the_files_of_its_hooks(desk: Desk, upstream: Upstream) -> None:
    """The message names the way out, which leaves out what failed."""
    path = desk.project("blog", upstream, ref="origin/main")
    assert desk.deploy("blog").code == 0
    (upstream.path / "migrate").write_text("true")
    upstream.git("add", "migrate")
    upstream.commit("two")
    desk.project("blog", upstream, ref="origin/main", pre_deploy="sh migrate")
    assert desk.deploy("blog").code == 0
    failed = desk.deploy("blog", "revert")
    assert (failed.code, (path / "current/page").read_text()) == (2, "two")
    text = failed.out + failed.err
    assert "is live. To go back without hooks: deploy blog revert --no-hooks\n" in text
    assert desk.deploy("blog", "revert", "--no-hooks").code == 0
    assert (path / "current/page").read_text() == "one"


def test_nothing_is_deployed_by_check(desk: Desk, blog: Path) -> None:
    done = desk.deploy("--check", "blog")
    assert done.code == 0, done.out
    assert not (blog / "current").exists()


@pytest.mark.usefixtures("blog")
def test_json_of_a_deploy_and_of_status(desk: Desk, upstream: Upstream) -> None:
    """The output is one document, whatever Ansible prints."""
    deployed = json.loads(desk.deploy("blog", "--json").out)
    commit = upstream.git("rev-parse", "HEAD")
    [result] = deployed["results"]
    assert (deployed["exit_code"], result["ok"], result["commit"]) == (0, True, commit)
    [status] = json.loads(desk.deploy("status", "--json").out)["results"]
    assert (status["project"], status["server"], status["commit"]) == ("blog", "localhost", commit)
    assert not [key for key in status if key.startswith("_ansible")]
    failed = desk.deploy("blog", "nowhere", "--json")
    [refused] = json.loads(failed.out)["results"]
    assert (failed.code, refused["ok"]) == (2, False)
    assert "ref 'nowhere' is unknown" in refused["msg"]


@pytest.mark.usefixtures("blog")
@pytest.mark.parametrize("words", [["current"], ["list"], ["exec", "true"]])
def test_nothing_live_is_a_failure_or_empty(desk: Desk, words: list[str]) -> None:
    """As in the original, where there is no file to read."""
    done = desk.deploy("blog", *words)
    assert (done.code, done.out) == (1, "")


@pytest.mark.usefixtures("blog")
@pytest.mark.parametrize(
    "words",
    [["blgo"], ["blgo", "list"], ["blgo", "config"], ["blgo", "exec", "ls"], ["blgo", "console"], ["blgo", "logs"]],
)
def test_an_unknown_project_is_an_error_with_those_that_there_are(desk: Desk, words: list[str]) -> None:
    done = desk.deploy(*words)
    assert done.code != 0
    assert 'There is no project "blgo"' in done.out + done.err
    assert "Known projects: blog." in " ".join((done.out + done.err).split())


def test_without_a_configuration_the_command_says_where_it_looked(desk: Desk) -> None:
    done = desk.deploy("blog")
    assert done.code == 2
    assert f"No projects are configured: {desk.folder} and the directories above have no" in done.err
    missing = desk.deploy("-c", "no.yml", "blog")
    assert (missing.code, "There is no file" in missing.err) == (2, True)


def test_the_originals_file_is_found_and_used(desk: Desk, upstream: Upstream) -> None:
    """Nothing else is needed; -C and -c lead to it as well."""
    path = desk.folder / "srv/blog"
    conf = desk.folder / "deploy.conf"
    python = desk.argv()[0]
    lines = f"connection local\npython {python}\nrepo {upstream.path}\npath {path}\nref origin/main\n"
    conf.write_text(f"[blog]\n{lines}forward-agent yes\n")
    assert desk.deploy("blog").code == 0
    assert (path / "current/page").read_text() == "one"
    elsewhere = desk.folder.parent
    assert desk.deploy("-C", "desk", "blog", "config", "ref", cwd=elsewhere).out == "origin/main\n"
    named = desk.deploy("-c", "desk/deploy.conf", "blog", "config", "forward-agent", cwd=elsewhere)
    assert (named.code, named.out) == (0, "yes\n")
    assert desk.deploy("blog", "config", "key").code == 1
    shown = desk.deploy("blog", "config").out.splitlines()
    assert [line for line in shown if not line.startswith("#")][-2:] == ["ref origin/main", "forward-agent yes"]
    assert shown[shown.index("# by default:") :][1:3] == ["# needs_tty no", "# strategy releases"]


@pytest.mark.usefixtures("blog")
def test_an_ansible_cfg_of_the_project_counts(desk: Desk) -> None:
    """It is read from the directory that the configuration is in, wherever the command was typed."""
    (desk.folder / "ansible.cfg").write_text("[defaults]\nstdout_callback = minimal\n")
    below = desk.folder / "below"
    below.mkdir()
    del desk.environment["ANSIBLE_STDOUT_CALLBACK"]
    assert "blog@localhost | " in desk.deploy("blog", cwd=below).out
    (desk.folder / "ansible.cfg").write_text("[defaults]\nforks = 2\n")
    assert desk.deploy("blog", cwd=below).out.startswith("blog on localhost\n"), "without one it is our own"


def test_a_url_with_a_password_is_refused_where_a_template_makes_it(desk: Desk, upstream: Upstream) -> None:
    """Before anything goes live: it would be printed."""
    path = desk.project("blog", upstream, ref="origin/main", url="{{ 'https://me:' ~ 's3cret' ~ '@www.example.com' }}")
    done = desk.deploy("blog")
    assert (done.code, (path / "current").exists()) == (2, False)
    shown = " ".join((done.out + done.err).split())
    assert "The url of blog@localhost must be a URL without a user and a password" in shown
    assert "s3cret" not in shown


OLDER = "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: an older collection}\n"


@pytest.mark.usefixtures("blog")
@pytest.mark.parametrize("place", ["default", "ansible.cfg", "environment"])
def test_an_older_collection_of_the_user_does_not_count(desk: Desk, upstream: Upstream, place: str) -> None:
    """The command runs its own; another collection of the user is found, as by ansible-playbook itself."""
    home = desk.folder / ("home/.ansible/collections" if place == "default" else "theirs")
    for name, book in (("onetouch/deploy", "deploy"), ("other/tools", "hello")):
        older = home / "ansible_collections" / name / "playbooks" / f"{book}.yml"
        older.parent.mkdir(parents=True)
        older.write_text(OLDER)
    # Our own is found as in an installed wheel: on Python's path alone.
    desk.environment.pop("ANSIBLE_COLLECTIONS_PATH")
    if place == "ansible.cfg":
        (desk.folder / "ansible.cfg").write_text("[defaults]\ncollections_path = theirs ; relative to this file\n")
    if place == "environment":
        desk.environment["ANSIBLE_COLLECTIONS_PATH"] = str(home)
    done = desk.deploy("blog")
    assert (done.code, "an older collection" in done.out) == (0, False), done.out + done.err
    assert desk.deploy("blog", "current").out == f"{upstream.git('rev-parse', 'HEAD')[:12]}\n"
    names = playbook_names(desk)
    assert names["onetouch.deploy.deploy"] == str(ROOT / "collections/ansible_collections/onetouch/deploy")
    assert names["other.tools.hello"] == str(home / "ansible_collections/other/tools")


FIND = """
import json
from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader._collection_finder import _get_collection_playbook_path as find
init_plugin_loader()
names = ("onetouch.deploy.deploy", "other.tools.hello")
print(json.dumps({name: str(find(name)[1]).rpartition("/playbooks")[0] for name in names}))
"""


def playbook_names(desk: Desk) -> dict[str, str]:
    """Return in which collection Ansible finds playbooks, in the environment that the command makes for it."""
    own = {name: value for name, value in desk.environment.items() if name.startswith("ANSIBLE_") or name == "HOME"}
    made = playbook.settings(desk.folder, own, ROOT / "collections")
    done = subprocess.run(
        [sys.executable, "-c", FIND], env={**desk.environment, **made}, capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_word_that_is_nearly_a_command(desk: Desk, upstream: Upstream) -> None:
    """It was taken for a ref, or for a project."""
    desk.project("blog", upstream)
    ref = desk.deploy("blog", "stauts")
    assert ref.code == 2
    assert "ref 'stauts' is unknown" in " ".join(ref.out.split())
    assert "Did you mean the command `deploy blog status`?" in " ".join(ref.out.split())
    project = desk.deploy("stauts")
    assert project.code == 5
    assert project.err.split("\n")[0] == (
        '[ERROR]: There is no project "stauts". Known projects: blog. Did you mean the command `deploy status`?'
    )
    # One that is there, and a ref that is like nothing
    assert "Did you mean" not in desk.deploy("blog", "v9.9").out
    upstream.git("branch", "stauts")
    assert desk.deploy("blog", "stauts").code == 0
