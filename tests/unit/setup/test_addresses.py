"""What the kernel and systemd print about sockets that listen."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.addresses import (
    Listener,
    parse_tcp,
    parse_units,
    parse_unix,
    rivals,
    unit_of,
)

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21001 1 0000 100 0 0 10 0
   1: 0100007F:0BB9 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 21002 1 0000 20 4 0 10 -1
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 22001 1
   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 22002 1
"""
UNIX = """Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 23001 /run/blog/a socket
0000000000000000: 00000003 00000000 00000000 0001 03 23002 /run/blog/a socket
0000000000000000: 00000003 00000000 00000000 0001 03 23003
"""
SOCKETS = """127.0.0.1:3001              procmon@blog.socket             procmon@blog.service
/run/systemd/journal/stdout systemd-journald.socket         systemd-journald.service
"""


def test_listening_sockets_are_read() -> None:
    assert [*parse_tcp(TCP)] == [Listener("127.0.0.1:3001", 3001, "21001")]
    assert [*parse_tcp(TCP6)] == [Listener("[::1]:8080", 8080, "22001"), Listener("[::]:80", 80, "22002")]
    assert [*parse_unix(UNIX)] == [Listener("/run/blog/a socket", 0, "23001")]


def test_the_units_of_sockets_are_read() -> None:
    assert parse_units(SOCKETS)["127.0.0.1:3001"] == "procmon@blog.socket"
    assert parse_units("") == {}


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/system-procmon.slice/procmon@blog.service\n", "procmon@blog.service"),
        ("0::/system.slice/docker-1f.scope/init", "docker-1f.scope"),
        ("9:name=systemd:/system.slice/other.service\n8:pids:/\n1:cpuset:/\n", "other.service"),
        ("2:devices:/a.service\n1:name=systemd:/system.slice/other.service\n0::/\n", "other.service"),
        ("0::/machine.slice/libpod-1f.scope/container/system.slice/other.service", "other.service"),
        ("0::/\n", ""),
        ("", ""),
    ],
)
def test_the_unit_of_a_process(cgroup: str, unit: str) -> None:
    assert unit_of(cgroup) == unit


@pytest.mark.parametrize(
    ("host", "port", "found"),
    [
        ("127.0.0.1", 3001, ["21001"]),
        ("0.0.0.0", 3001, ["21001"]),  # noqa: S104 - nothing is bound
        ("127.0.0.2", 3001, []),
        ("127.0.0.1", 80, ["22002"]),
        ("::1", 8080, ["22001"]),
        ("::", 8080, ["22001"]),
    ],
)
def test_only_an_address_that_overlaps_is_a_rival(host: str, port: int, found: list[str]) -> None:
    listeners = [*parse_tcp(TCP), *parse_tcp(TCP6)]
    assert [listener.inode for listener in rivals(listeners, host, port)] == found
