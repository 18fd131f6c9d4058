"""The restart file on a real file system, with and without the help of watchfiles."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from procmon import watch
from procmon.events import Mark
from procmon.release import read_mark

from tests.waiting import until

from .touching import recreate, rename_over


class Watching:
    """A watcher in a thread of its own, and what it has told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[Mark] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._stop = asyncio.Event()
        self._thread.start()

    async def _run(self) -> None:
        watcher = asyncio.create_task(watch.Watcher(self.path, self.told.append).run())
        await self._stop.wait()
        watcher.cancel()
        await asyncio.wait([watcher])
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def notices(self, act: Callable[[], object]) -> None:
        """Do something that changes the file, and wait until exactly that state of it is told."""
        act()
        until(lambda: self.told and self.told[-1] == read_mark(self.path), "the change is told")


async def broken_awatch(*_args: object, **_options: object) -> AsyncIterator[set[tuple[int, str]]]:
    """Fail as watchfiles does when inotify has no instances left, or a file name is not UTF-8."""
    raise OSError(24, "Too many open files")
    yield set()


@pytest.fixture(params=["watchfiles", "stat alone"])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Watching]]:
    """Give a function that starts a watcher."""
    started: list[Watching] = []
    if request.param == "stat alone":
        monkeypatch.setattr(watch, "awatch", broken_awatch)

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
    until(lambda: w.told, "the first state is told")
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
    until(lambda: w.told, "the first state is told")
    path.chmod(0o600)
    w.notices(path.touch)
    assert len(w.told) == 2


def test_a_file_name_that_is_no_text_does_not_make_it_deaf(tmp_path: Path, start: Callable[[Path], Watching]) -> None:
    path = tmp_path / "restart"
    path.touch()
    w = start(path)
    until(lambda: w.told, "the first state is told")
    with open(bytes(tmp_path) + b"/\xff\xfe", "wb"):  # noqa: PTH123 - a Path holds no bytes
        w.notices(path.touch)
    w.notices(path.touch)


def test_a_watch_that_cannot_be_had_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "awatch", broken_awatch)
    (tmp_path / "restart").touch()
    w = Watching(tmp_path / "restart")
    until(lambda: "Too many open files" in caplog.text, "the reason is logged")
    w.close()
