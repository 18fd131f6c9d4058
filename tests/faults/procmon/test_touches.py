"""Touches in every manner: each counts, many count as one, and nothing else does."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.procmon.file_replacement import recreate, rename_over
from tests.support.procmon.service import Service, Start
from tests.support.waiting import until

NOTICED = "reload (the restart file was touched)"
NOTICED_SECONDS = 1.5
SLACK_SECONDS = 1.5
"""What a busy machine may add."""


def test_fifty_touches_within_a_second_are_two_reloads_and_the_last_one_wins(service: Start) -> None:
    s = service(heartbeat={"interval": 0}).start()
    end = time.monotonic() + 1
    for number in range(50):
        s.release(f"v{number}")
        s.switch(f"v{number}")
        s.restart_file.touch()
        if time.monotonic() > end:
            break
        time.sleep(0.015)
    assert s.answer()["result"] == "ok"
    s.wait_version(f"v{number}")
    assert s.log().count(" serves after ") <= 3, "the first boot, what the first touch began, and one for all others"
    until(lambda: len(s.status()["workers"]) == 2, "nobody is left over")


def test_a_touch_during_a_drain_is_served_at_once_and_drains_do_not_pile_up(service: Start, tmp_path: Path) -> None:
    reload = {"drain_timeout": 3600, "idle_grace": 0}
    s = service(workers=1, reload=reload, heartbeat={"interval": 0}).start()
    with contextlib.ExitStack() as ends:
        held = []
        for number in range(6):
            held.append(ends.enter_context(s.hold(tmp_path / f"barrier{number}")))
            assert s.deploy(f"v{number}")["result"] == "ok"
            s.wait_version(f"v{number}")
        until(lambda: len(s.pids("draining")) == 4 and len(s.status()["workers"]) == 5, "the oldest are cut")
        assert s.log().count("too many draining workers, aborting its 1 requests") == 2
        for request in held:
            request.go()
        assert [request.answer() for request in held[2:]] == [(200, f"v{number}") for number in range(1, 5)]
        for request in held[:2]:
            with pytest.raises(ConnectionError):
                request.answer()


def recreate_directory(path: Path) -> None:
    """Delete its directory and create both again."""
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.touch()


def set_clock_back(path: Path) -> None:
    """Touch it with a clock that was set back by an hour."""
    stamp = path.stat().st_mtime_ns - 3600 * 10**9
    os.utime(path, ns=(stamp, stamp))


def read(path: Path) -> None:
    """Do what is no touch: read it."""
    path.read_bytes()


def change_mode(path: Path) -> None:
    """Do what is no touch: change its mode."""
    path.chmod(0o600)


def change_owner(path: Path) -> None:
    """Do what is no touch: change its owner, to the same one."""
    os.chown(path, os.getuid(), os.getgid())


def generation(s: Service) -> int:
    """Return which generation serves."""
    return int(s.status()["generation"])


def reloads_once(s: Service, path: Path, act: Callable[[Path], object]) -> None:
    """Act; it must be noticed soon, and answered by one new generation. A second one would show at the next touch."""
    before, noticed = generation(s), s.log().count(NOTICED)
    act(path)
    until(lambda: s.log().count(NOTICED) > noticed, f"{act.__name__} is noticed", NOTICED_SECONDS + SLACK_SECONDS)
    stamp = path.stat().st_mtime_ns
    until(lambda: s.status()["restart"]["stamp"] == stamp and generation(s) > before, f"{act.__name__} is answered")
    assert s.status()["restart"]["result"] == "ok"
    assert generation(s) == before + 1


@pytest.fixture
def watched(service: Start) -> tuple[Service, Path]:
    """A service whose restart file's directory is missing when it starts."""
    s = service(workers=1, heartbeat={"interval": 0})
    path = s.root / "public" / "system" / "restart"
    s.config.write_text(s.config.read_text().replace(str(s.restart_file), str(path)))
    return s.start(), path


def test_each_way_to_touch_reloads_once(watched: tuple[Service, Path]) -> None:
    s, path = watched
    path.parent.mkdir(parents=True)
    for act in (Path.touch, rename_over, recreate, Path.touch, recreate_directory, Path.touch, set_clock_back):
        reloads_once(s, path, act)
    reloads_once(s, path, Path.touch)


def test_what_is_no_touch_does_not_reload(watched: tuple[Service, Path]) -> None:
    s, path = watched
    path.parent.mkdir(parents=True)
    reloads_once(s, path, Path.touch)
    before = generation(s)
    for act in (read, change_mode, change_owner):
        act(path)
        time.sleep(NOTICED_SECONDS)  # the time within which a touch would have been noticed
        assert (s.log().count(NOTICED), generation(s)) == (1, before), act.__name__
    reloads_once(s, path, Path.touch)


def test_a_directory_that_is_a_link_to_another_one_is_followed(watched: tuple[Service, Path]) -> None:
    s, path = watched
    for name in "xy":
        (s.root / name).mkdir()
        (s.root / name / "restart").touch()
    path.parent.parent.mkdir()
    path.parent.symlink_to(s.root / "x")
    reloads_once(s, path, Path.touch)
    before = generation(s)
    (s.root / "link").symlink_to(s.root / "y")
    (s.root / "link").rename(path.parent)
    until(lambda: generation(s) == before + 1, "another file is another mark")
    reloads_once(s, path, Path.touch)
    (s.root / "x" / "restart").touch()
    reloads_once(s, path, Path.touch)


# -- without inotify --------------------------------------------------------------------------------------------------


def test_touches_are_noticed_beside_file_names_that_are_not_utf8(watched: tuple[Service, Path]) -> None:
    s, path = watched
    path.parent.mkdir(parents=True)
    reloads_once(s, path, Path.touch)
    for name in (b"\xff\xfe", b"\xfe\xff"):
        with open(bytes(path.parent) + b"/" + name, "wb"):  # noqa: PTH123 - a Path holds no bytes
            reloads_once(s, path, Path.touch)
    reloads_once(s, path, Path.touch)


def test_with_no_inotify_instance_left_each_touch_is_noticed_all_the_same(service: Start) -> None:
    """In a namespace of its own, whose limit is none."""
    s = service(workers=1, heartbeat={"interval": 0})
    exhaust = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    s.wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", exhaust, "sh"]
    s.start()
    for _ in range(2):
        reloads_once(s, s.restart_file, Path.touch)
    assert "checking it 4 times per second" in s.log()
