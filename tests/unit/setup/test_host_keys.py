"""What ssh makes of an address, and which host keys are chosen."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.host_keys import (
    Address,
    Destination,
    HostKey,
    choose,
    configured,
    parse_address,
    parse_config,
    parse_line,
    parse_lookup,
)
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.login_keys import PublicKey
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.published import (
    PUBLISHED,
    Published,
    published_keys,
)

ED25519 = HostKey("ssh-ed25519", "AAAA1")
OTHER_ED25519 = HostKey("ssh-ed25519", "AAAA2")
RSA = HostKey("ssh-rsa", "AAAA3")
REVOKED = HostKey("ssh-rsa", "AAAA4", "@revoked")


@pytest.mark.parametrize(
    ("repo", "address"),
    [
        ("git@github.com:you/blog.git", Address("github.com", "", "git")),
        ("github.com-blog:you/blog.git", Address("github.com-blog")),
        ("git@github.com-blog:you/blog.git", Address("github.com-blog", "", "git")),
        ("ssh://git@git.example.org:2291/blog", Address("git.example.org", "2291", "git")),
        ("ssh://git.example.org/blog", Address("git.example.org")),
        ("git+ssh://me@git.example.org/blog", Address("git.example.org", "", "me")),
        ("ssh+git://git.example.org/~me/blog", Address("git.example.org")),
        ("ssh://git@[::1]:2291/blog", Address("::1", "2291", "git")),
        ("git@[::1]:blog", Address("::1", "", "git")),
        ("git@[git.example.org:2291]:blog", Address("git.example.org", "2291", "git")),
        ("https://github.com/you/blog.git", None),
        ("https://me:x@github.com:443/you/blog.git", None),
        ("file:///srv/blog", None),
        ("/srv/git/blog:old", None),
        ("./blog:old", None),
        ("../blog", None),
        ("", None),
    ],
)
def test_addresses_are_read_as_git_reads_them(repo: str, address: Address | None) -> None:
    assert parse_address(repo) == address


@pytest.mark.parametrize(
    ("address", "command"),
    [
        (Address("git.example.org", "2291", "git"), "ssh -p 2291 -T git@git.example.org"),
        (Address("git.example.org", "22", "me"), "ssh -T me@git.example.org"),
        (Address("git.example.org"), "ssh -T git@git.example.org"),
    ],
)
def test_a_message_names_a_command_that_can_be_run(address: Address, command: str) -> None:
    assert address.command() == command


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("hostname github.com\nport 22", "github.com"),
        ("port 2291\nhostname ::1", "[::1]:2291"),
        ("hostname 10.0.0.1\nport 2291\nhostkeyalias git", "git"),
    ],
)
def test_the_name_is_the_one_that_known_hosts_uses(lines: str, name: str) -> None:
    files = "\nuserknownhostsfile ~/.ssh/a /b\nglobalknownhostsfile none"
    assert parse_config(lines + files, "/home/me") == Destination(name, ("/home/me/.ssh/a", "/b"), ())


def test_lines_of_known_hosts_are_read() -> None:
    text = "# Host a found: line 1\n|1|x=|y= ssh-ed25519 AAAA1\n# Host a found: line 2\n@revoked a ssh-rsa AAAA4 note\n"
    assert parse_lookup(text) == [ED25519, REVOKED]
    assert parse_line("@cert-authority *.a ssh-rsa AAAA3 me") == ("*.a", HostKey("ssh-rsa", "AAAA3", "@cert-authority"))
    assert parse_line("a ssh-rsa") is None
    assert REVOKED.line("b") == "@revoked b ssh-rsa AAAA4"


def test_the_most_trusted_source_decides_for_each_kind_of_key() -> None:
    assert choose([], [ED25519], [OTHER_ED25519, RSA]) == [ED25519, RSA]
    assert choose([ED25519], [ED25519], [OTHER_ED25519]) == []
    assert choose([ED25519], [], [OTHER_ED25519]) == [OTHER_ED25519]
    assert choose([], [REVOKED]) == []
    assert choose([], [RSA, RSA]) == [RSA]


def test_configured_lines_for_other_hosts_are_kept_as_they_are() -> None:
    lines = ["blog ssh-ed25519 AAAA1", "[a]:22,other ssh-rsa AAAA3", "|1|x=|y= ssh-ed25519 AAAA2"]
    ours, others = configured(lines, Address("blog"), "git.example.org")
    assert (ours, others) == ([ED25519, OTHER_ED25519], lines[1:2])
    with pytest.raises(ValueError, match="not a line of known_hosts: ssh-ed25519 AAAA1"):
        configured(["ssh-ed25519 AAAA1"], Address("blog"), "blog")


@pytest.mark.parametrize("host", PUBLISHED, ids=lambda host: host.names[0])
def test_a_published_key_has_the_fingerprint_of_its_page(host: Published) -> None:
    assert PublicKey(host.key.kind, host.key.key).fingerprint == host.fingerprint
    assert host.source.startswith("https://")
    assert {*map(tuple, map(published_keys, host.names))} == {(host.key,)}


def test_an_unpublished_host_has_no_key() -> None:
    assert published_keys("git.example.org") == []
