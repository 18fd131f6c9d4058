"""The restart file on a real file system: by looks and events, by events alone, and by looks alone."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from procmon.core.events import FileStamp
from procmon.inotify import WITHIN, Inotify
from procmon.master.release import read_stamp
from procmon.reactor import Reactor

from .touching import recreate, rename_over

NOBODY = 65534


class Watching:
    """A watcher, and what it has told. It sees nothing but in `notices` and `until`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[FileStamp] = []
        self.reactor = Reactor()
        self.watcher = watch.Watcher(path, self.told.append, self.reactor)
        self.watcher.start()

    def close(self) -> None:
        """End it."""
        self.watcher.stop()
        self.reactor.close()

    def notices(self, act: Callable[[], object]) -> None:
        """Do something that changes the file, and wait until exactly that state of it is told."""
        act()
        self.until(lambda: self.told and self.told[-1] == read_stamp(self.path), "the change is told")

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Let it turn up to the time when `condition` is true."""
        deadline = self.reactor.at(time.monotonic() + 30, partial(pytest.fail, f"not within 30 s: {what}"))
        while not condition():
            self.reactor.turn()
        self.reactor.cancel(deadline)


def no_inotify() -> Inotify:
    """Fail as inotify does when the user has no instances left."""
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.fixture(params=["both", "events alone", "looks alone"])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Watching]]:
    """Give a function that starts a watcher."""
    started: list[Watching] = []
    if request.param == "looks alone":
        monkeypatch.setattr(watch, "Inotify", no_inotify)
    if request.param == "events alone":
        monkeypatch.setattr(watch, "LOOK_SECONDS", 3600.0)

    def begin(path: Path) -> Watching:
        started.append(Watching(path))
        return started[-1]

    yield begin
    for one in started:
        one.close()


def test_touch_replacement_and_recreation_are_each_told_again_and_again(
    tmp_path: Path, start: Callable[[Path], Watching]
) -> None:
    """A watch of the file itself would be deaf after the first replacement."""
    path = tmp_path / "restart"
    path.touch()
    w = start(path)
    w.until(lambda: w.told, "the first state is told")
    for act in (path.touch, lambda: rename_over(path), lambda: recreate(path), path.touch, lambda: rename_over(path)):
        w.notices(act)


def test_a_directory_that_appears_later_and_is_made_anew(tmp_path: Path, start: Callable[[Path], Watching]) -> None:
    path = tmp_path / "public" / "system" / "restart"
    w = start(path)
    for _ in range(2):
        path.parent.mkdir(parents=True)
        w.notices(path.touch)
        w.notices(path.touch)
        shutil.rmtree(tmp_path / "public")


def test_the_path_is_followed_through_a_swapped_link(tmp_path: Path, start: Callable[[Path], Watching]) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    current = tmp_path / "current"
    current.symlink_to("a")
    w = start(current / "restart")
    w.notices((current / "restart").touch)
    (tmp_path / "new").symlink_to("b")
    (tmp_path / "new").rename(current)
    w.notices((current / "restart").touch)
    w.notices((current / "restart").touch)
    told = len(w.told)
    (tmp_path / "a" / "restart").touch()
    w.notices((current / "restart").touch)
    assert len(w.told) == told + 1, "a touch in the old release is nobody's business"


def test_a_chmod_is_no_touch(tmp_path: Path, start: Callable[[Path], Watching]) -> None:
    path = tmp_path / "restart"
    path.touch()
    w = start(path)
    w.until(lambda: w.told, "the first state is told")
    path.chmod(0o600)
    w.notices(path.touch)
    assert len(w.told) == 2


def test_a_file_name_that_is_no_text_does_not_make_it_deaf(tmp_path: Path, start: Callable[[Path], Watching]) -> None:
    path = tmp_path / "restart"
    path.touch()
    w = start(path)
    w.until(lambda: w.told, "the first state is told")
    with open(bytes(tmp_path) + b"/\xff\xfe", "wb"):  # noqa: PTH123 - a Path holds no bytes
        w.notices(path.touch)
    w.notices(path.touch)


def test_a_directory_further_up_is_moved(tmp_path: Path, start: Callable[[Path], Watching]) -> None:
    for name in "ab":
        (tmp_path / name / "x").mkdir(parents=True)
    w = start(tmp_path / "a" / "x" / "restart")
    w.notices(w.path.touch)
    (tmp_path / "a").rename(tmp_path / "gone")
    (tmp_path / "b").rename(tmp_path / "a")
    w.notices(w.path.touch)
    w.notices(w.path.touch)


def test_a_directory_that_may_be_passed_and_not_read_is_passed() -> None:
    """As many a home directory."""
    me = os.geteuid()
    with tempfile.TemporaryDirectory() as home:
        inner = Path(home) / "site"
        inner.mkdir()
        inner.chmod(0o777)
        Path(home).chmod(0o111)
        # Root may read everything.
        os.seteuid(me or NOBODY)
        inotify = Inotify()
        try:
            inotify.follow(watch.directories(str(inner / "restart")))
        finally:
            os.seteuid(me)
            Path(home).chmod(0o700)
        (inner / "restart").touch()
        assert readable(inotify)
        inotify.close()


def test_a_busy_directory_is_looked_at_twenty_times_a_second_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def counted(path: Path) -> FileStamp | None:
        looks.append(time.monotonic())
        return read_stamp(path)

    monkeypatch.setattr(watch, "read_stamp", counted)
    path = tmp_path / "restart"
    path.touch()
    w = Watching(path)

    def seen() -> bool:
        (tmp_path / "upload").touch()
        (tmp_path / "upload").unlink()
        return len(looks) > 10

    w.until(seen, "ten looks")
    w.notices(path.touch)
    w.close()
    assert min(later - sooner for sooner, later in pairwise(looks)) >= 0.9 * watch.GAP_SECONDS


def readable(inotify: Inotify) -> bool:
    return bool(select.select([inotify], [], [], 0)[0])


def test_a_queue_that_overflows_is_an_event_and_no_end(tmp_path: Path) -> None:
    inotify = Inotify()
    inotify.follow([(str(tmp_path), WITHIN)])
    for number in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) + 1):
        # Alternating, because events that are alike are told as one.
        (tmp_path / f"{number % 2}").touch()
    assert readable(inotify)
    inotify.drain()
    assert not readable(inotify)
    (tmp_path / "restart").touch()
    assert readable(inotify)
    inotify.close()


def test_a_watch_that_cannot_be_had_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "Inotify", no_inotify)
    monkeypatch.setattr(watch, "RETRY_SECONDS", 0.0)
    (tmp_path / "restart").touch()
    w = Watching(tmp_path / "restart")
    w.notices(w.path.touch)
    w.notices(w.path.touch)
    w.close()
    assert caplog.text.count("Too many open files") == 1


def test_a_system_without_inotify_is_a_reason_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_arguments, **_options: object())
    w = Watching(tmp_path / "restart")
    w.notices(w.path.touch)
    w.close()


def test_nobody_inherits_the_watch() -> None:
    inotify = Inotify()
    assert not os.get_inheritable(inotify.fileno())
    assert not os.get_blocking(inotify.fileno())
    inotify.close()


def test_directories_that_decide_about_a_path(tmp_path: Path) -> None:
    (tmp_path / "releases" / "a" / "public").mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    (tmp_path / "current").symlink_to("releases/a")
    (tmp_path / "releases" / "a" / "public" / "system").symlink_to(tmp_path / "shared")
    path = tmp_path / "current" / "public" / "system" / "restart"
    deciding = [tmp_path, tmp_path / "releases/a/public", tmp_path / "shared"]
    assert within(path) == [str(each) for each in deciding]
    passed = [*reversed(tmp_path.parents), tmp_path / "releases", tmp_path / "releases/a"]
    assert {name for name, _mask in watch.directories(str(path))} == {str(each) for each in [*deciding, *passed]}


def within(path: Path) -> list[str]:
    """List the directories in which a name decides where `path` leads."""
    return [name for name, mask in watch.directories(str(path)) if mask == WITHIN]


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    assert set(within(tmp_path / "a" / "restart")) == {str(tmp_path)}
