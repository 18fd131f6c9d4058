"""Reverting under load."""

from __future__ import annotations

from collections.abc import Callable

from command import Laptop
from load import load
from server import Server
from upstream import Upstream

CRICKET = 3002


def deploy_all(laptop: Laptop, upstream: Upstream, versions: list[str]) -> None:
    """One deploy of cricket for each version."""
    for version in versions:
        upstream.publish(version)
        done = laptop.run("deploy", project="cricket")
        assert done.code == 0, done.output


def test_a_revert_loses_no_request_and_a_second_one_goes_forward(
    laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream]
) -> None:
    """A revert is itself a line of the log, as with the original. How far it goes is tested without servers."""
    deploy_all(laptop, upstream("cricket"), ["one", "two"])
    for live in ("one", "two"):
        with load(web1, CRICKET) as report:
            done = laptop.run("revert", project="cricket")
        assert done.code == 0, done.output
        assert report.lost == []
        assert web1.get(CRICKET) == live
