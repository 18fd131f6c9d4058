"""The one listening socket: bound here, or handed over by systemd."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from procmon.config import Bind
from procmon.master import listener as module
from procmon.master.listener import ListenError, close_listener, describe, listen, open_listener, resolve_address

from tests.support.ports import free_port

Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[object, ...]) -> None:
    """Resolve each name to these addresses."""

    def getaddrinfo(*_arguments: object, **_options: object) -> list[Found]:
        families = {2: socket.AF_INET, 4: socket.AF_INET6}
        return [(families[len(one)], socket.SOCK_STREAM, 6, "", one) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


# -- bound here -------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_reported_with_the_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=f'bind = "127.0.0.1:{port}": another program listens there'):
            open_listener(Bind("127.0.0.1", port), {})


def test_accepted_connections_do_not_wait_for_more_to_send() -> None:
    """asyncio looks at the protocol number, and Linux hands TCP_NODELAY down from the listener."""
    with open_listener(Bind("127.0.0.1", free_port()), {}) as listener:
        listen(listener)
        assert listener.proto == socket.IPPROTO_TCP
        with socket.create_connection(listener.getsockname()):
            listener.setblocking(True)
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_client_gets_through_before_listen() -> None:
    with open_listener(Bind("127.0.0.1", free_port()), {}) as listener, pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.getsockname())


def test_another_program_that_listens_first_is_reported() -> None:
    port = free_port()
    with open_listener(Bind("127.0.0.1", port), {}) as first, open_listener(Bind("127.0.0.1", port), {}) as second:
        listen(first)
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            listen(second)


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_another_file_in_the_place_of_a_unix_socket_is_kept_and_reported(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "socket"
    make(path)
    with pytest.raises(ListenError, match=f'bind = "unix:{path}": a file that is not a socket has this name'):
        open_listener(Bind(path=str(path)), {})
    assert os.path.lexists(path)


def test_a_stale_unix_socket_is_replaced_and_a_served_one_is_not(tmp_path: Path) -> None:
    bind = Bind(path=str(tmp_path / "sock"))
    with open_listener(bind, {}) as first:
        listen(first)
        with pytest.raises(ListenError, match="another program listens there"):
            open_listener(bind, {})
    second = open_listener(bind, {})
    close_listener(second, bind)
    assert not Path(bind.path).exists()


def test_a_file_in_the_way_of_a_unix_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sock").write_text("precious")
    with pytest.raises(ListenError):
        open_listener(Bind(path=str(tmp_path / "sock")), {})
    assert (tmp_path / "sock").read_text() == "precious"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing/sock", "its directory does not exist"), ("x" * 200, "AF_UNIX path too long")],
)
def test_a_unix_socket_that_cannot_be_made(tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(ListenError, match=reason):
        open_listener(Bind(path=str(tmp_path / path)), {})


def test_an_address_of_another_host() -> None:
    with pytest.raises(ListenError, match="this host has no such address"):
        open_listener(Bind("192.0.2.1", 8000), {})


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_name_that_means_several_addresses_is_refused_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy may try any of them, and would find nothing at the others."""
    resolve_to(monkeypatch, ("::1", 8000, 0, 0), ("127.0.0.1", 8000), ("127.0.0.1", 8000))
    with pytest.raises(ListenError) as refused:
        open_listener(Bind("localhost", 8000), {})
    assert str(refused.value) == (
        'bind = "localhost:8000" means 2 addresses: procmon listens on one. Use one of [::1]:8000, 127.0.0.1:8000'
    )


def test_a_name_that_means_one_address_is_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ("127.0.0.1", 8000), ("127.0.0.1", 8000))
    assert resolve_address(Bind("localhost", 8000)) == (socket.AF_INET, ("127.0.0.1", 8000))


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("missing.invalid", "the host name cannot be resolved: "),
        ("a..b", "this is not a valid host name"),
        ("x" * 70, "this is not a valid host name"),
        ("1.2.3.4.5", "the host name cannot be resolved: "),
    ],
)
def test_a_name_that_cannot_be_resolved(monkeypatch: pytest.MonkeyPatch, host: str, reason: str) -> None:
    real = socket.getaddrinfo

    def offline(name: str, *arguments: int, **options: int) -> object:
        # No name server is asked.
        return real(name, *arguments, **{**options, "flags": socket.AI_NUMERICHOST})

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(ListenError) as refused:
        open_listener(Bind(host, 8000), {})
    assert str(refused.value).startswith(f'bind = "{host}:8000": {reason}')
    assert "\n" not in str(refused.value)


# -- handed over by systemd -------------------------------------------------------------------------------------------


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """systemd's environment; its first descriptor is a free one instead of 3, which the tests use themselves."""
    fd = os.open(os.devnull, os.O_RDONLY)
    os.close(fd)
    monkeypatch.setattr(module, "FIRST_HANDED_FD", fd)
    yield {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    with contextlib.suppress(OSError):
        os.close(fd)


def hand_over(sock: socket.socket) -> None:
    """Move a socket to the number of the first one that is handed over."""
    fd = sock.detach()
    if fd != module.FIRST_HANDED_FD:
        os.dup2(fd, module.FIRST_HANDED_FD)
        os.close(fd)


def test_the_socket_that_systemd_hands_over_is_used(systemd: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    hand_over(server)
    with open_listener(Bind("127.0.0.1", port), systemd) as listener:
        assert listener.getsockname() == ("127.0.0.1", port)
        assert not listener.getblocking()
        listener.detach()
    assert caplog.records == []


def test_a_handed_over_socket_elsewhere_is_used_and_logged(
    systemd: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    hand_over(server)
    open_listener(Bind("127.0.0.1", 1), systemd).detach()
    assert [record.getMessage() for record in caplog.records] == [
        f'systemd handed over a socket on 127.0.0.1:{port}, but bind = "127.0.0.1:1": see ListenStream='
    ]


@pytest.mark.parametrize("listens", ["127.0.0.1", "127.0.0.2"])
def test_a_name_with_several_addresses_is_no_reason_to_refuse_systemds_socket(
    systemd: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, listens: str
) -> None:
    server = socket.create_server((listens, 0))
    port = server.getsockname()[1]
    hand_over(server)
    resolve_to(monkeypatch, ("::1", port, 0, 0), ("127.0.0.1", port))
    open_listener(Bind("localhost", port), systemd).detach()
    assert ("but bind =" in caplog.text) == (listens != "127.0.0.1")


def test_a_unix_socket_of_systemd_keeps_its_name(
    systemd: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    bind = Bind(path=str(tmp_path / "sock"))
    server = socket.socket(socket.AF_UNIX)
    server.bind(bind.path)
    server.listen()
    hand_over(server)
    listener = open_listener(bind, systemd)
    assert describe(listener) == str(bind)
    assert caplog.records == []
    monkeypatch.setenv("LISTEN_PID", systemd["LISTEN_PID"])
    close_listener(listener, bind)
    assert Path(bind.path).exists()


@pytest.mark.parametrize(("count", "named"), [("0", "0"), ("2", "2"), ("x", "x"), ("", "no")])
def test_another_number_of_sockets_is_refused(systemd: dict[str, str], count: str, named: str) -> None:
    with pytest.raises(ListenError) as refused:
        open_listener(Bind("127.0.0.1", 8000), {**systemd, "LISTEN_FDS": count})
    assert str(refused.value) == (
        f"systemd handed over {named} sockets: procmon serves one. Give the unit one ListenStream="
    )


def test_a_datagram_socket_is_refused(systemd: dict[str, str]) -> None:
    hand_over(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with pytest.raises(ListenError, match=r"^systemd handed over a socket that is not a stream: use ListenStream=$"):
        open_listener(Bind("127.0.0.1", 8000), systemd)


@pytest.mark.parametrize("what", ["closed", "a file"])
def test_a_descriptor_that_is_not_a_socket_is_refused(systemd: dict[str, str], what: str) -> None:
    if what == "a file":
        assert os.open(os.devnull, os.O_RDONLY) == module.FIRST_HANDED_FD
    reason = "Bad file descriptor" if what == "closed" else "Socket operation on non-socket"
    with pytest.raises(ListenError) as refused:
        open_listener(Bind("127.0.0.1", 8000), systemd)
    assert str(refused.value) == (
        f"descriptor {module.FIRST_HANDED_FD}, handed over by systemd, is not a socket: {reason}"
    )


def test_sockets_for_another_process_are_left_alone(systemd: dict[str, str]) -> None:
    port = free_port()
    with open_listener(Bind("127.0.0.1", port), {**systemd, "LISTEN_PID": "1"}) as listener:
        assert describe(listener) == f"127.0.0.1:{port}"
