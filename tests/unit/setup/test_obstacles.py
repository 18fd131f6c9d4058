"""What counts as an obstacle, and how it is reported; a pure function of settings and facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils import _login_failure, _obstacles
from ansible_collections.onetouch.deploy.plugins.plugin_utils._host_names import together
from ansible_collections.onetouch.deploy.plugins.plugin_utils._obstacles import (
    MIB,
    Answer,
    Obstacle,
    Wanted,
    find,
    read_wanted,
)

BLOG = Wanted(
    name="blog",
    address="web1",
    path="/srv/blog",
    repo="git@git.example.org:you/blog.git",
    user="deploy",
    admin="root",
    app=True,
    bind="127.0.0.1:3001",
    packages=("git",),
)
GIT = {
    "host": "git.example.org",
    "name": "git.example.org",
    "known": True,
    "add": [],
    "access": "ok",
    "command": "ssh x",
}
DISK = {"device": 1, "free_bytes": 1000 * MIB, "free_inodes": 100_000, "read_only": False}
PATH = {
    "nearest": "/srv",
    "is_directory": True,
    "writable": False,
    "has_clone": False,
    "source_occupied": False,
    "source_writable": True,
    "unsafe": "",
}
FACTS: dict[str, Any] = {
    "system": "Debian GNU/Linux 12",
    "apt": True,
    "missing_packages": [],
    "systemd": True,
    "account": {"exists": True, "home": "/home/deploy", "home_exists": True, "shell": "/bin/bash"},
    "path": PATH,
    "disks": [{**DISK, "path": path} for path in ("/srv/blog", "/opt/procmon", "/usr")],
    "pythons": {"/usr/bin/python3": "3.11", "python3": "3.11"},
    "loose_pythons": {},
    "bind": "",
    "bind_is_free": True,
    "bind_is_own": True,
    "socket_directory": "",
    "procmon_installed": False,
    "git_installed": True,
    "git": GIT,
    "clock_seconds": 0.0,
}
WITHOUT_ROOT = replace(BLOG, system=False, systemd=False, admin="deploy")


def texts(wanted: Wanted = BLOG, own: Mapping[str, object] | None = None, **changed: object) -> list[str]:
    """Return the obstacles on a server with the usual facts, but for those that are changed."""
    system = {**FACTS, **changed}
    return [one.text() for one in find(wanted, Answer(facts=system), Answer(facts={**system, **(own or {})}))]


def only(wanted: Wanted = BLOG, own: Mapping[str, object] | None = None, **changed: object) -> str:
    """Return the only obstacle."""
    [text] = texts(wanted, own, **changed)
    return text


def test_a_server_that_has_everything_has_no_obstacle() -> None:
    assert texts() == []
    path = {**FACTS["path"], "writable": True}
    assert texts(WITHOUT_ROOT, path=path) == []
    assert texts(replace(BLOG, bind="", app=False)) == []


def test_the_settings_that_matter_are_read() -> None:
    about = {**asdict(BLOG), "packages": ["git"], "known_hosts": ["git ssh-ed25519 AAAA"]}
    assert read_wanted(about) == BLOG


def test_all_obstacles_are_found_at_once() -> None:
    found = texts(
        replace(BLOG, path="srv", repo=""),
        bind="is taken by nginx (pid 7)",
        systemd=False,
        clock_seconds=-7200.0,
        pythons={},
        git={**GIT, "access": "host_key"},
    )
    assert len(found) == 7


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"path": "srv"}, "path must be absolute, not 'srv'. Set `path` "),
        ({"path": "/"}, "path must be absolute, not '/'"),
        ({"repo": ""}, "repo must not be empty. Set `repo` "),
        ({"repo": "-u"}, "repo must be an ssh or https address, or a path, not '-u'"),
        ({"repo": "ext::touch"}, "repo must be an ssh or https address"),
        ({"user": "root"}, "user must not be root, because the app runs as this user. Where only root can log in, "),
    ],
)
def test_settings_that_can_work_on_no_server_are_found(changes: dict[str, Any], says: str) -> None:
    assert only(replace(BLOG, **changes)).startswith(says)


def test_ipv6_addresses_and_a_user_root_without_units_are_fine() -> None:
    path = {**FACTS["path"], "writable": True}
    assert texts(replace(BLOG, repo="[::1]:blog")) == []
    assert texts(replace(WITHOUT_ROOT, user="root"), path=path) == []


@pytest.mark.parametrize("kind", [*_login_failure.FAILURES, "unheard of"])
def test_a_failed_login_is_one_obstacle_that_names_the_user_or_the_server(kind: str) -> None:
    failed = Answer(login={"kind": kind, "text": "ssh: Broken pipe."})
    [one] = find(replace(BLOG, system=False), Answer(), failed)
    assert "{" not in one.text()
    assert "web1" in one.text() or "deploy" in one.text() or kind == "python_old"


def test_a_server_that_does_not_answer_is_named_once() -> None:
    failed = Answer(login={"kind": "unreachable", "text": "Connection refused"})
    assert [one.text() for one in find(BLOG, failed, failed)] == [
        "the server web1 cannot be reached by ssh (Connection refused). Check that it runs, and that `host`, `port` "
        "and its firewall are right"
    ]


def test_each_login_is_judged_for_itself() -> None:
    refused = Answer(login={"kind": "refused", "text": ""})
    [admin] = [one.text() for one in find(BLOG, refused, refused)]
    assert admin.startswith("the server web1 refuses the login as root. Let your key log in (`ssh-copy-id root@web1`)")
    assert "correct `key` or `admin`" in admin
    without_root = replace(BLOG, system=False)
    [user] = [one.text() for one in find(without_root, Answer(), refused)]
    assert "correct `key` or `user`" in user


@pytest.mark.parametrize("kind", ["python_missing", "sudo_missing", "sudo_password", "refused", "other"])
def test_a_user_whom_setup_may_create_is_unknown_where_the_login_for_setup_does_not_work(kind: str) -> None:
    """What keeps that login from working is the one obstacle. What the user's own login lacks is one as well."""
    system, refused = Answer(login={"kind": kind, "text": "x"}), Answer(login={"kind": "refused", "text": ""})
    assert len(find(BLOG, system, refused)) == 1
    assert len(find(BLOG, system, Answer(login={"kind": "key_file", "text": "y"}))) == 2


def test_what_only_the_user_knows_of_git_is_not_judged_by_root() -> None:
    """The user may have the host key; of one who is not there yet, root sees all that there is."""
    unknown = {**FACTS, "git": {**GIT, "access": "", "known": False}}
    refused = Answer(login={"kind": "refused"})
    assert find(BLOG, Answer(facts=unknown), refused) == []
    without_user = {**unknown, "account": {"exists": False}}
    assert len(find(BLOG, Answer(facts=without_user), Answer())) == 1


def test_a_login_that_setup_makes_possible_is_no_obstacle() -> None:
    refused = Answer(login={"kind": "refused"})
    assert find(BLOG, Answer(facts=FACTS), refused) == []
    [once_begun] = find(BLOG, Answer(facts=FACTS), refused, begun=True)
    assert once_begun.found == "the server web1 refuses the login as deploy"
    same = replace(BLOG, admin="deploy")
    assert len(find(same, Answer(facts=FACTS), refused)) == 1, "its own user has no other way in"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"missing_packages": ["git", "x"], "apt": False, "git_installed": True},
            "packages are missing, and there is no apt to install them (Debian GNU/Linux 12): git, x. Install them",
        ),
        ({"git_installed": False, "apt": False}, "git is not installed (Debian GNU/Linux 12). Install git 2.30"),
        ({"systemd": False}, "systemd does not run web1, and it is to run procmon. Start procmon by other means"),
        (
            {"pythons": {"/usr/bin/python3": "3.8", "python3": "3.11"}},
            "environments need Python 3.9 or newer, and '/usr/bin/python3' is 3.8. Install Python 3.9 or newer",
        ),
        (
            {"pythons": {"/usr/bin/python3": "3.9", "python3": "3.9"}},
            "procmon needs Python 3.10 or newer, and 'python3' is 3.9. ",
        ),
        ({"clock_seconds": 3600.0}, "the server's clock is 1 hours ahead of this machine's. Set the one that is wrong"),
        ({"clock_seconds": -172800.0}, "the server's clock is 2 days behind this machine's. "),
        ({"clock_seconds": -400.0}, "the server's clock is 7 minutes behind this machine's. "),
        (
            {"bind": "is taken by nginx (pid 7)"},
            "bind 127.0.0.1:3001 is taken by nginx (pid 7). Free it, or set `bind`",
        ),
        ({"socket_directory": "occupied"}, "the directory of bind 127.0.0.1:3001 is below something that is not a "),
        (
            {"path": {**FACTS["path"], "is_directory": False, "nearest": "/srv/blog"}},
            "path /srv/blog is occupied: /srv/blog is not a directory. Move it away, or set another `path`",
        ),
        ({"path": {**FACTS["path"], "source_occupied": True}}, "/srv/blog/source is not a git clone. Move it away"),
    ],
)
def test_what_the_server_lacks_is_found(changed: dict[str, Any], says: str) -> None:
    assert only(**changed).startswith(says)


def test_a_clone_of_another_user_is_found() -> None:
    """Root could write there, and the user's own look shows that the user cannot."""
    found = only(path={**PATH, "source_writable": True}, own={"path": {**PATH, "source_writable": False}})
    assert found == "deploy may not write in /srv/blog/source. Let the user own it: chown -R deploy /srv/blog"


def test_git_that_setup_will_install_is_not_missing() -> None:
    assert texts(git_installed=False, missing_packages=["git"], git={**GIT, "access": ""}) == []


def test_a_socket_directory_is_created_by_systemd_only() -> None:
    assert texts(replace(BLOG, bind="unix:/srv/x/socket"), socket_directory="missing") == []
    path = {**FACTS["path"], "writable": True}
    found = only(replace(WITHOUT_ROOT, bind="unix:/srv/x/socket"), path=path, socket_directory="missing")
    assert found.startswith("the directory of bind unix:/srv/x/socket does not exist. Create it")


def test_without_root_the_user_must_be_there_and_may_write() -> None:
    assert only(WITHOUT_ROOT).startswith("deploy may not write in /srv. Create /srv/blog there, and let deploy own it")
    path = {**FACTS["path"], "writable": True}
    missing = {"account": {"exists": False}, "path": path}
    assert only(WITHOUT_ROOT, **missing).startswith("there is no user deploy. Create it: useradd ")
    assert texts(account={"exists": False}) == [], "setup creates the user"


@pytest.mark.parametrize(
    ("account", "says"),
    [
        (
            {"shell": "/usr/sbin/nologin"},
            "user deploy cannot log in, because its shell is /usr/sbin/nologin. Give it one",
        ),
        ({"home_exists": False}, "user deploy cannot be given a key: its home directory /home/deploy does not exist. "),
    ],
)
def test_a_user_who_could_not_log_in_is_found(account: dict[str, Any], says: str) -> None:
    assert only(account={**FACTS["account"], **account}).startswith(says)


def disks(**changed: object) -> list[dict[str, Any]]:
    """Return the disks of a server that has only one."""
    return [{**disk, **changed} for disk in FACTS["disks"]]


def test_a_full_disk_is_found_with_all_that_it_would_have_to_take() -> None:
    found = only(disks=disks(free_bytes=300 * MIB), missing_packages=["git"])
    assert found == (
        "the disk is full: 300 MiB are free for /srv/blog and /usr and /opt/procmon, and setup needs 550 MiB. "
        "Free some space"
    )
    assert texts(disks=disks(free_bytes=1), procmon_installed=True, path={**FACTS["path"], "has_clone": True}) == []
    two = [{**disk, "device": number} for number, disk in enumerate(disks(free_bytes=60 * MIB))]
    assert only(disks=two).startswith("the disk is full: 60 MiB are free for /opt/procmon, and setup needs 200 MiB")


def test_inodes_and_read_only_file_systems_are_found() -> None:
    assert only(disks=disks(free_inodes=9)).startswith("the disk has too few inodes: 9 are free for /srv/blog and /opt")
    assert texts(disks=disks(free_inodes=None)) == [], "a file system that makes inodes as it needs them"
    assert only(disks=disks(read_only=True)).startswith("the file system of /srv/blog and /opt/procmon is read-only. ")
    assert texts(replace(BLOG, path="/x"), disks=[]) == []


@pytest.mark.parametrize(
    ("git", "says"),
    [
        (
            {"not_allowed": "the password in repo has a '/'. Write it as %2F"},
            "the password in repo has a '/'. Write it",
        ),
        ({"refused": "Bad port"}, "ssh does not accept the address git@git.example.org:you/blog.git: Bad port. Check"),
        (
            {"access": "failed", "resolves": False},
            "the name git.example.org of the git server does not resolve on the server. Correct `repo`, or ",
        ),
        (
            {"access": "host_key"},
            "the host key of the git server git.example.org is not known, so that the server cannot verify it. Connect "
            "to it once from this machine (ssh x) and accept its key, or set project_known_hosts",
        ),
        ({"access": "", "known": False}, "the host key of the git server git.example.org is not known"),
        ({"access": "failed", "error": "it is away", "remedy": "try again"}, "it is away. Try again"),
    ],
)
def test_what_keeps_git_from_the_repository_is_found(git: dict[str, Any], says: str) -> None:
    assert only(own={"git": {**GIT, **git}}).startswith(says)


def test_a_key_that_setup_makes_is_no_obstacle() -> None:
    assert texts(own={"git": {**GIT, "access": "denied", "error": "refused", "remedy": "x"}}) == []
    assert texts(own={"git": {**GIT, "access": ""}}) == []


def test_the_same_obstacle_of_several_hosts_is_one_line() -> None:
    full, away = Obstacle("the disk is full", "Free some space"), Obstacle("it is\naway", "Wait")
    assert _obstacles.lines({"blog@web1": [full], "shop@web1": [full, away], "x@web2": []}) == [
        "blog, shop on web1: the disk is full. Free some space",
        "shop@web1: it is away. Wait",
    ]


def test_obstacles_of_one_kind_have_their_remedy_once() -> None:
    """Six projects on two servers, with three kinds of obstacles, are seven lines."""
    names = ["blog", "cricket", "shop", "wiki", "api", "docs"]
    found: dict[str, list[Obstacle]] = {f"{name}@{server}": [] for server in ("web1", "web2") for name in names}
    for host, several in found.items():
        several.append(Obstacle("there is no sudo", "Install it"))
        if host.endswith("@web2"):
            several.append(Obstacle("the disk is full", "Free some space"))
    for name in names[:3]:
        found[f"{name}@web1"].append(Obstacle(f"path /srv/{name} is occupied", "Move it away"))
    assert _obstacles.lines(found) == [
        "blog, cricket, shop, wiki, api, docs on web1 and web2: there is no sudo. Install it",
        "blog@web1: path /srv/blog is occupied",
        "cricket@web1: path /srv/cricket is occupied",
        "shop@web1: path /srv/shop is occupied",
        "  Move it away",
        "blog, cricket, shop, wiki, api, docs on web2: the disk is full. Free some space",
    ]


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        (["blog@a", "blog@b"], "blog on a and b"),
        (["blog@a", "shop@a", "blog@b"], "blog, shop on a; blog@b"),
        (["web"], "web"),
        (["web", "db"], "web, db"),
    ],
)
def test_hosts_are_named_by_project_and_server(hosts: list[str], text: str) -> None:
    assert together(hosts) == text


VARIABLES = {"ansible_user": "deploy", "ansible_host": "192.0.2.1", "ansible_port": 2222}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (VARIABLES, "-p 2222 deploy@192.0.2.1"),
        ({**VARIABLES, "ansible_port": 22}, "deploy@192.0.2.1"),
        ({**VARIABLES, "ansible_ssh_private_key_file": "/keys/a b"}, "-i '/keys/a b' -p 2222 deploy@192.0.2.1"),
        ({}, "web1"),
        ({"ansible_connection": "ansible.builtin.ssh"}, "web1"),
    ],
)
def test_a_login_is_named_as_it_is_typed(variables: dict[str, Any], words: str) -> None:
    login = _login_failure.read_login(variables, "blog@web1")
    assert login
    assert login.words() == words


def test_without_ssh_there_is_no_login_to_try() -> None:
    assert _login_failure.read_login({"ansible_connection": "local"}, "blog@web1") is None
    assert _login_failure.not_reached("It broke.", None, "deploy blog setup") == "It broke"


def test_an_obstacle_names_port_and_key() -> None:
    refused = Answer(login={"kind": "refused", "text": ""})
    [one, *_] = find(replace(BLOG, port="2222", key="/keys/a"), refused, refused)
    assert "(`ssh-copy-id -i /keys/a -p 2222 root@web1`)" in one.text()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("unresolved", "ssh: Could not resolve hostname web9.invalid: Name or service not known"),
        ("refused", "Failed to connect to the host via ssh: me@127.0.0.1: Permission denied (publickey)."),
        ("host_key", "No ED25519 host key is known for [127.0.0.1]:22 and you have requested strict checking."),
        ("unreachable", "ssh: connect to host 127.0.0.1 port 1: Connection refused"),
        ("unreachable", "ssh: connect to host 192.0.2.1 port 22: Connection timed out"),
        ("sudo_password", "sudo: a password is required\n"),
        ("sudo_password", "Missing sudo password"),
        ("sudo_missing", "/bin/sh: 1: sudo: not found"),
        ("sudo_missing", "bash: line 1: sudo: command not found"),
        ("sudo_denied", "me is not in the sudoers file."),
        ("python_missing", "/bin/sh: 1: /usr/bin/python3.99: not found"),
        ("python_missing", "The module interpreter '/usr/bin/python3' was not found."),
        ("python_old", "/usr/bin/python3 is Python 3.8, but this module needs Python 3.9 or newer."),
        ("account", "This account is currently not available."),
        ("other", "something else"),
    ],
)
def test_what_programs_write_of_a_failed_login_is_recognized(kind: str, text: str) -> None:
    assert _login_failure.explain(text)["kind"] == kind
    assert _login_failure.explain_module({"module_stderr": text, "msg": ""})["kind"] == kind
    assert text.strip().endswith(_login_failure.explain(f"a banner\n\nhost via ssh: {text}")["text"])


def test_a_python_that_others_than_root_can_change_is_an_obstacle() -> None:
    loose = {"/usr/bin/python3": "/home/deploy"}
    pythons = {"/usr/bin/python3": "", "python3": "3.11"}
    assert only(loose_pythons=loose, pythons=pythons) == (
        "setup would run '/usr/bin/python3' as root, and others than root can change /home/deploy. "
        "Name one that is root's with `python`, such as /usr/bin/python3"
    )


def test_a_path_through_a_link_of_a_user_is_an_obstacle() -> None:
    link = "/srv/blog leads through the link /srv/blog, which others than root can change"
    assert only(path={**PATH, "unsafe": link}) == (
        f"setup does not follow it as root: {link}. Set `path` to the directory itself"
    )
