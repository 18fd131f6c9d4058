"""The restart file on a real file system: noticed by hints and stat, by hints alone, and by stat alone."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import watchfiles
from procmon.core.events import FileStamp
from procmon.master import restart_file
from procmon.master.restart_file import RestartFile, is_coarse, read_stamp

from tests.support.procmon.file_replacement import recreate, rename_over
from tests.support.waiting import until

OTHER_USER = 65534
MKFS = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin") or "mkfs.ext4"
MOUNT = shutil.which("mount") or "mount"
UMOUNT = shutil.which("umount") or "umount"
NEVER = 3600.0


class Watched:
    """A restart file that is watched, and what was reported about it: stamps, and whether each was repeated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stamps: list[FileStamp] = []
        self.repeated: list[bool] = []
        self.checks = 0
        self.file = RestartFile(path, self._on_touch)

    def _on_touch(self, stamp: FileStamp, repeated: bool) -> None:
        self.stamps.append(stamp)
        self.repeated.append(repeated)

    async def notices(self, act: Callable[[], object]) -> None:
        """Change the file, and wait until exactly that state of it is reported, once."""
        act()
        await self.until(lambda: self.stamps and self.stamps[-1] == read_stamp(self.path), "the change is reported")

    async def watching(self) -> None:
        """Wait until watchfiles reports what happens, shown by a touch."""
        await self.until(lambda: self.file._watched is not None, "the directory is watched")

        def reported() -> bool:
            self.path.touch()
            return len(self.stamps) > 1

        await self.until(reported, "a hint arrives")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for `condition`, up to a deadline."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, f"not within 30 s: {what}"
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def watched(path: Path) -> AsyncIterator[Watched]:
    """Watch a file."""
    w = Watched(path)
    task = asyncio.create_task(w.file.run())
    try:
        yield w
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def no_watch(*_paths: str, **_options: object) -> AsyncIterator[object]:
    """Fail as watchfiles does when the user has no inotify instances left."""
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.fixture
def stat_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every watch fail."""
    monkeypatch.setattr(restart_file, "awatch", no_watch)


@pytest.fixture
def hints_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call `stat` once at the start, and then only after a hint."""
    monkeypatch.setattr(restart_file, "POLL_SECONDS", NEVER)
    # While the watch is being set up, too.
    monkeypatch.setattr(RestartFile, "_poll", check_once)


async def check_once(file: RestartFile) -> None:
    """Take the place of the poll."""
    file.check()


@pytest.fixture(params=["both", "hints alone", "stat alone"])
def by(request: pytest.FixtureRequest) -> str:
    """Choose how changes are noticed."""
    name = str(request.param)
    if name != "both":
        request.getfixturevalue(name.replace(" ", "_"))
    return name


@pytest.fixture(params=["both", "stat alone"])
def by_stat(request: pytest.FixtureRequest) -> None:
    """As `by`, where the directory changes, of which hints alone are not enough."""
    if request.param == "stat alone":
        request.getfixturevalue("stat_alone")


# -- every form of change ---------------------------------------------------------------------------------------------


def test_touch_replacement_and_recreation_are_each_noticed_once_every_time(tmp_path: Path, by: str) -> None:
    """A watch of the file itself would hear nothing after the first replacement."""
    path = tmp_path / "restart"
    path.touch()

    async def run() -> None:
        async with watched(path) as w:
            await w.until(lambda: w.stamps, "the first state is reported")
            if by == "hints alone":
                await w.watching()
            before = len(w.stamps)
            acts = [path.touch, lambda: rename_over(path), lambda: recreate(path), path.touch]
            for act in [*acts, lambda: rename_over(path), lambda: path.write_text("x")]:
                await w.notices(act)
            assert len(w.stamps) == before + 6
            assert not any(w.repeated)

    asyncio.run(run())


@pytest.mark.usefixtures("by_stat")
def test_a_file_that_is_created_later_is_noticed(tmp_path: Path) -> None:
    async def run() -> None:
        async with watched(tmp_path / "restart") as w:
            await w.notices(w.path.touch)

    asyncio.run(run())


@pytest.mark.usefixtures("by_stat")
def test_a_directory_that_is_missing_at_first_and_recreated(tmp_path: Path) -> None:
    path = tmp_path / "public" / "system" / "restart"

    async def run() -> None:
        async with watched(path) as w:
            for _ in range(2):
                path.parent.mkdir(parents=True)
                await w.notices(path.touch)
                await w.notices(path.touch)
                shutil.rmtree(tmp_path / "public")
            assert len(w.stamps) == 4

    asyncio.run(run())


def test_a_recreated_directory_is_watched_again_even_with_the_same_inode_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the event of its deletion shows that it is another directory."""
    path = tmp_path / "public" / "restart"
    path.parent.mkdir()
    path.touch()
    identity = (str(path.parent), 1)
    monkeypatch.setattr(RestartFile, "_directory", lambda _file: identity if path.parent.exists() else None)

    async def run() -> None:
        async with watched(path) as w:
            await w.watching()
            monkeypatch.setattr(restart_file, "POLL_SECONDS", NEVER)
            shutil.rmtree(path.parent)
            path.parent.mkdir()
            path.touch()
            before = len(w.stamps)

            def touched() -> bool:
                path.touch()
                return len(w.stamps) > before + 2

            await w.until(touched, "touches in the new directory are noticed")

    asyncio.run(run())


@pytest.mark.usefixtures("by_stat")
def test_the_path_is_followed_through_a_swapped_link(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name / "public").mkdir(parents=True)
    current = tmp_path / "current"
    current.symlink_to("a")

    async def run() -> None:
        async with watched(current / "public" / "restart") as w:
            await w.notices(w.path.touch)
            (tmp_path / "new").symlink_to("b")
            (tmp_path / "new").rename(current)
            await w.notices(w.path.touch)
            await w.notices(w.path.touch)
            (tmp_path / "a/public/restart").touch()
            await w.notices(w.path.touch)
            assert len(w.stamps) == 4, "a touch in the old release does not count"

    asyncio.run(run())


@pytest.mark.usefixtures("by_stat")
def test_a_link_to_a_shared_directory_in_the_path(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "system").symlink_to(tmp_path / "shared")
    (tmp_path / "current").symlink_to("a")

    async def run() -> None:
        async with watched(tmp_path / "current/system/restart") as w:
            await w.notices((tmp_path / "shared/restart").touch)
            (tmp_path / "new").symlink_to("b")
            (tmp_path / "new").rename(tmp_path / "current")
            await w.notices((tmp_path / "shared/restart").touch)
            assert len(w.stamps) == 2

    asyncio.run(run())


@pytest.mark.usefixtures("by_stat")
def test_a_directory_further_up_is_moved(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name / "x").mkdir(parents=True)

    async def run() -> None:
        async with watched(tmp_path / "a" / "x" / "restart") as w:
            await w.notices(w.path.touch)
            (tmp_path / "a").rename(tmp_path / "gone")
            (tmp_path / "b").rename(tmp_path / "a")
            await w.notices(w.path.touch)
            await w.notices(w.path.touch)

    asyncio.run(run())


def test_links_in_a_circle_lead_to_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")

    async def run() -> None:
        async with watched(tmp_path / "a" / "restart") as w:
            await asyncio.sleep(0)
            (tmp_path / "a").unlink()
            (tmp_path / "a").mkdir()
            await w.notices(w.path.touch)

    asyncio.run(run())


def test_a_chmod_is_no_touch(tmp_path: Path, by: str) -> None:
    path = tmp_path / "restart"
    path.touch()

    async def run() -> None:
        async with watched(path) as w:
            await w.until(lambda: w.stamps, "the first state is reported")
            if by == "hints alone":
                await w.watching()
            before = len(w.stamps)
            path.chmod(0o600)
            await w.notices(path.touch)
            assert len(w.stamps) == before + 1

    asyncio.run(run())


def test_non_utf8_file_names_do_not_break_the_watcher(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "restart"
    path.touch()

    async def run() -> None:
        async with watched(path) as w:
            await w.watching()
            for name in (b"\xff\xfe", b"\xff\xfd"):
                with open(bytes(tmp_path) + b"/" + name, "wb"):  # noqa: PTH123 - a Path holds no bytes
                    await w.notices(path.touch)
                await w.notices(path.touch)
            await w.until(lambda: caplog.records, "watchfiles fails")
            await w.notices(path.touch)

    asyncio.run(run())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Unable to decode path" in caplog.text
    assert "TaskGroup" not in caplog.text


def test_a_directory_whose_name_is_not_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    # pytest cannot report a log with such a name.
    monkeypatch.setattr(restart_file.log, "warning", lambda _format, text: warnings.append(text))
    directory = Path(os.fsdecode(bytes(tmp_path) + b"/\xfe"))
    directory.mkdir()

    async def run() -> None:
        async with watched(directory / "restart") as w:
            await w.notices(w.path.touch)
            await w.notices(w.path.touch)

    asyncio.run(run())
    assert len(warnings) == 1


def test_a_directory_that_may_be_entered_and_not_read() -> None:
    """As many a home directory is."""
    effective = os.geteuid()
    with tempfile.TemporaryDirectory() as home:
        inner = Path(home) / "site"
        inner.mkdir()
        inner.chmod(0o777)
        Path(home).chmod(0o111)

        async def run() -> None:
            async with watched(inner / "restart") as w:
                await w.notices(w.path.touch)
                await w.watching()

        # Root may read everything.
        os.seteuid(effective or OTHER_USER)
        try:
            asyncio.run(run())
        finally:
            os.seteuid(effective)
            Path(home).chmod(0o700)


@pytest.mark.usefixtures("by_stat")
def test_another_path_is_followed_and_its_present_state_is_no_touch(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "restart").touch()

    async def run() -> None:
        async with watched(tmp_path / "a/restart") as w:
            await w.until(lambda: w.stamps, "the first state is reported")
            w.path = tmp_path / "b/restart"
            w.file.follow(w.path)
            w.file.check()
            assert len(w.stamps) == 1
            await w.notices(w.path.touch)
            (tmp_path / "a/restart").touch()
            await w.notices(w.path.touch)
            assert len(w.stamps) == 3

    asyncio.run(run())


def test_a_failure_to_handle_a_touch_does_not_end_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "restart").touch()
    stamps: list[FileStamp] = []

    def fail(stamp: FileStamp, _repeated: bool) -> None:
        stamps.append(stamp)
        raise RuntimeError("unforeseen")

    async def run() -> None:
        file = RestartFile(tmp_path / "restart", fail)
        file.check()
        (tmp_path / "restart").touch()
        file.check()

    asyncio.run(run())
    assert len(stamps) == 2
    assert caplog.text.count("could not handle a touch") == 2


# -- without a watch --------------------------------------------------------------------------------------------------


def test_an_exhausted_limit_leads_to_polling_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The kernel reports its limit of inotify instances with the same error as the one of descriptors."""
    monkeypatch.setattr(restart_file, "RETRY_SECONDS", 0.05)
    attempts = count_calls(monkeypatch, "awatch")
    (tmp_path / "restart").touch()

    async def run() -> None:
        async with watched(tmp_path / "restart") as w:
            await w.notices(w.path.touch)
            await w.notices(w.path.touch)
            await w.until(lambda: len(attempts) > 3, "the watch is tried again")

    def without_descriptors() -> None:
        with asyncio.Runner() as runner:
            runner.get_loop()
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free(), hard))
            try:
                runner.run(run())
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    without_descriptors()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Too many open files" in caplog.text
    assert "checking it 4 times per second" in caplog.text


def lowest_free() -> int:
    """Return the number that the next descriptor would get."""
    fd = os.open(os.devnull, os.O_RDONLY)
    os.close(fd)
    return fd


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[float]:
    """Record the time of each call of one of the module's functions."""
    called: list[float] = []
    function = getattr(restart_file, name)

    def counted(*arguments: object, **options: object) -> object:
        called.append(time.monotonic())
        return function(*arguments, **options)

    monkeypatch.setattr(restart_file, name, counted)
    return called


@pytest.mark.usefixtures("stat_alone")
def test_without_a_watch_it_polls_four_times_per_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = count_calls(monkeypatch, "read_stamp")

    async def run() -> None:
        async with watched(tmp_path / "restart") as w:
            await w.until(lambda: len(checks) > 5, "five polls")

    asyncio.run(run())
    assert min(later - sooner for sooner, later in pairwise(checks)) >= 0.2
    assert checks[4] - checks[0] < 3


def test_the_watch_comes_back_once_it_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart_file, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(restart_file, "awatch", no_watch)
    (tmp_path / "restart").touch()

    async def run() -> None:
        async with watched(tmp_path / "restart") as w:
            await w.notices(w.path.touch)
            monkeypatch.setattr(restart_file, "awatch", watchfiles.awatch)
            await w.until(lambda: w.file._watched, "the directory is watched")
            monkeypatch.setattr(restart_file, "POLL_SECONDS", NEVER)
            await w.watching()

    asyncio.run(run())


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_a_busy_directory_costs_no_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = count_calls(monkeypatch, "read_stamp")
    path = tmp_path / "restart"
    path.touch()

    async def run() -> None:
        async with watched(path) as w:
            await w.watching()
            monkeypatch.setattr(restart_file, "POLL_SECONDS", NEVER)
            await w.notices(path.touch)
            before, number, end = len(checks), 0, time.monotonic() + 1
            while time.monotonic() < end:
                upload = tmp_path / f"upload-{number}"
                upload.touch()
                upload.unlink()
                number += 1
                await asyncio.sleep(0)
            assert len(checks) <= before + 1
            await w.notices(path.touch)

    asyncio.run(run())


@pytest.mark.usefixtures("hints_alone")
def test_a_busy_file_is_checked_at_most_twenty_times_per_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = count_calls(monkeypatch, "read_stamp")
    path = tmp_path / "restart"
    path.touch()

    async def run() -> None:
        async with watched(path) as w:

            def touched() -> bool:
                path.touch()
                return len(checks) > 10

            await w.until(touched, "ten checks")

    asyncio.run(run())
    assert min(later - sooner for sooner, later in pairwise(checks)) >= 0.9 * restart_file.MIN_INTERVAL_SECONDS


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only the names


def watch_threads() -> int:
    return len([thread for thread in threading.enumerate() if "AnyIO" in thread.name])


def test_threads_and_descriptors_stay_flat_when_the_watch_is_renewed(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "restart").touch()

    async def run() -> None:
        async with watched(tmp_path / "a/restart") as w:

            async def renew(name: str) -> None:
                w.path = tmp_path / name / "restart"
                w.file.follow(w.path)
                directory = str(w.path.parent)
                await w.until(lambda: w.file._watched and w.file._watched[0] == directory, "the other is watched")

            await renew("b")
            before = len(open_descriptors())
            for number in range(100):
                await renew("ab"[number % 2])
            await w.until(lambda: len(open_descriptors()) <= before, "no descriptor is added")
            assert watch_threads() <= 2

    asyncio.run(run())


def test_its_threads_and_descriptors_end_with_it(tmp_path: Path) -> None:
    before = open_descriptors()

    async def run() -> None:
        for _ in range(3):
            async with watched(tmp_path / "restart") as w:
                await w.watching()

    asyncio.run(run())
    until(lambda: watch_threads() == 0, "its threads have ended")
    until(lambda: open_descriptors() <= before, "its descriptors are closed")


# -- file systems that keep whole seconds -----------------------------------------------------------------------------


@pytest.fixture
def coarse(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system without room for fractions of seconds."""
    assert os.geteuid() == 0, "this test mounts a small file system: run it as root"
    image, place = tmp_path / "image", tmp_path / "coarse"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run([MKFS, "-q", "-F", "-I", "128", str(image)], check=True, capture_output=True)
    subprocess.run([MOUNT, "-o", "loop", str(image), str(place)], check=True)
    yield place
    # What watched it may have a moment left.
    until(lambda: subprocess.run([UMOUNT, str(place)], check=False).returncode == 0, "it is unmounted")


def test_each_touch_within_one_second_counts_where_whole_seconds_are_kept(coarse: Path) -> None:
    path = coarse / "restart"
    path.touch()
    assert path.stat().st_mtime_ns % restart_file.SECOND_NS == 0

    async def run() -> None:
        async with watched(path) as w:
            await w.until(lambda: w.stamps, "the first state is reported")
            await w.until(lambda: w.file._watched, "the directory is watched")
            for _ in range(12):
                before = len(w.stamps)
                path.touch()
                await w.until(lambda before=before: len(w.stamps) > before, "this touch is reported")  # type: ignore[misc]
            assert any(w.repeated)
            assert {True} == {same for same, (a, b) in zip(w.repeated[1:], pairwise(w.stamps), strict=True) if a == b}

    asyncio.run(run())


def test_a_deletion_is_no_repeated_touch(coarse: Path) -> None:
    path = coarse / "restart"

    async def run() -> None:
        async with watched(path) as w:
            await w.notices(path.touch)
            path.unlink()
            await w.notices(path.touch)

    asyncio.run(run())


def test_when_a_stamp_is_too_coarse() -> None:
    second = restart_file.SECOND_NS
    whole, fraction = FileStamp(1, 1, 5 * second, 0), FileStamp(1, 1, 5 * second + 1, 0)
    assert is_coarse(whole, 5 * second)
    assert is_coarse(whole, 6 * second)
    assert not is_coarse(whole, 7 * second), "by now another touch has another second"
    assert not is_coarse(whole, 4 * second), "it was set by a command, not by the clock"
    assert not is_coarse(fraction, 5 * second + 2)
