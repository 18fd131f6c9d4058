"""The ssh commands of `console` and `logs`, made of Ansible's own variables."""

from __future__ import annotations

import re
import shlex

import pytest

from onetouch_deploy import remote
from onetouch_deploy.errors import CommandError
from onetouch_deploy.remote import Host

LISTING = {
    "_meta": {
        "hostvars": {
            "blog@a": {"project_name": "blog", "ansible_host": {"__ansible_unsafe": "192.0.2.1"}},
            "blog@b": {"project_name": "blog", "project_env": {"A": {"__ansible_vault": "…"}}},
            "shop@a": {"project_name": "shop"},
            "other": {},
        }
    }
}


def names(project: str, *servers: str) -> list[str]:
    """Return the names of a project's hosts."""
    return [host.name for host in remote.hosts_of(LISTING, project, servers)]


def test_the_hosts_of_a_project() -> None:
    assert names("blog") == ["blog@a", "blog@b"]
    assert names("blog", "b") == ["blog@b"]
    assert names("all") == ["blog@a", "blog@b", "shop@a"]


def test_values_lose_the_marks_of_ansible() -> None:
    first, second = remote.hosts_of(LISTING, "blog", ())
    assert first.text("ansible_host") == "192.0.2.1"
    assert second.variables["project_env"] == {"A": "(encrypted)"}


@pytest.mark.parametrize(
    ("project", "servers", "message"),
    [
        ("blgo", (), 'There is no project "blgo". Known projects: blog, shop.'),
        ("blog", ("c",), "blog has no server c. Its servers: a, b."),
    ],
)
def test_what_is_not_there_is_named_with_what_is(project: str, servers: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=f"^{re.escape(message)}$"):
        remote.hosts_of(LISTING, project, servers)


def test_the_login_is_that_of_ansible() -> None:
    variables = {
        "ansible_host": "192.0.2.1",
        "ansible_port": 2222,
        "ansible_user": "www-data",
        "ansible_ssh_private_key_file": "/k k",
        "ansible_ssh_common_args": "-o ForwardAgent=yes",
    }
    found = remote.login(Host("blog@a", variables), terminal=True)
    assert shlex.join(found) == "ssh -t -p 2222 -i '/k k' -l www-data -o ForwardAgent=yes 192.0.2.1"
    assert remote.login(Host("blog@a", {}), terminal=False) == ["ssh", "-T", "blog@a"]


def test_words_arrive_as_they_are() -> None:
    """ssh joins them with blanks, and a shell on the server takes them apart."""
    words = ["echo", "a b", "*", "$x"]
    *_ssh, text = remote.command(Host("blog@a", {}), words)
    assert shlex.split(text) == words
    assert remote.command(Host("blog@a", {"ansible_connection": "local"}), words) == words


def test_the_journal_is_read_by_the_one_who_sets_up() -> None:
    host = Host("blog@a", {"project_name": "blog", "ansible_user": "www-data", "project_admin": "root"})
    *ssh, text = remote.journal(host, 7, follow=True)
    assert ssh[2:4] == ["-l", "root"]
    assert text.endswith("--unit procmon@blog.service --lines 7 --no-pager --output short-iso --no-hostname --follow")
