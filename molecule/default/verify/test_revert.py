"""Taking a release back."""

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


def test_revert_goes_one_back_without_a_lost_request(
    laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream]
) -> None:
    deploy_all(laptop, upstream("cricket"), ["one", "two"])
    with load(web1, CRICKET) as report:
        done = laptop.run("revert", project="cricket")
    assert done.code == 0, done.output
    assert report.lost == []
    assert web1.get(CRICKET) == "one"


def test_reverting_twice_toggles(laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream]) -> None:
    """A revert is itself a line of the log, as with the original."""
    deploy_all(laptop, upstream("cricket"), ["left", "right"])
    assert laptop.run("revert", project="cricket").code == 0
    assert laptop.run("revert", project="cricket").code == 0
    assert web1.get(CRICKET) == "right"


def test_revert_three_goes_three_lines_back(laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream]) -> None:
    deploy_all(laptop, upstream("cricket"), ["a", "b", "c", "d"])
    done = laptop.run("revert", project="cricket", steps=3)
    assert done.code == 0, done.output
    assert web1.get(CRICKET) == "a"


def test_more_steps_than_the_log_has_is_an_error(
    laptop: Laptop, web1: Server, upstream: Callable[[str], Upstream]
) -> None:
    deploy_all(laptop, upstream("cricket"), ["stays"])
    done = laptop.run("revert", project="cricket", steps=1000)
    assert done.code != 0
    assert "1000" in done.output
    assert web1.get(CRICKET) == "stays"
