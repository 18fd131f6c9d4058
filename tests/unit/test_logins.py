"""Which hosts log in alike, and which of them goes first."""

from __future__ import annotations

from ansible_collections.onetouch.deploy.plugins.plugin_utils._logins import login_of, opens_connection


def test_hosts_that_agree_in_address_port_user_and_key_log_in_alike() -> None:
    web1 = {"ansible_host": "192.0.2.1", "ansible_port": 22, "ansible_user": "u", "ansible_control_path": "p"}
    assert login_of("blog@web1", web1) == login_of("shop@web1", {**web1, "project_name": "shop"})
    for name in web1:
        assert login_of("blog@web1", web1) != login_of("shop@web1", {**web1, name: "other"})


def test_a_host_without_an_address_logs_in_to_its_own_name() -> None:
    """Hosts of a static inventory: that neither sets ansible_host does not make them one server."""
    assert login_of("web1", {}) != login_of("web2", {})
    assert login_of("web1", {}) == login_of("blog", {"ansible_host": "web1"})


def test_the_first_of_several_opens_the_connection() -> None:
    logins: dict[str, tuple[object, ...]] = {"a": ("x",), "b": ("y",), "c": ("y",), "d": ("x",)}
    assert [host for host in logins if opens_connection(host, logins)] == ["a", "b"]


def test_a_host_that_logs_in_alone_opens_nothing_early() -> None:
    assert not opens_connection("a", {"a": ("x",), "b": ("y",)})
