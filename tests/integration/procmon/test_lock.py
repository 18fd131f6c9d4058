"""One procmon per state directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from procmon.master import lock


def test_the_second_procmon_of_a_state_directory_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    state = tmp_path / "a" / "b"
    assert not lock.running(state)
    fd = lock.acquire(state)
    assert lock.running(state)
    assert lock.owner_pid(state) == os.getpid()
    with pytest.raises(lock.LockError, match=f"is in use by the procmon with pid {os.getpid()}: stop that one first"):
        lock.acquire(state)
    os.close(fd)
    assert not lock.running(state)


def test_asking_whether_one_runs_does_not_keep_another_from_starting(tmp_path: Path) -> None:
    os.close(lock.acquire(tmp_path))
    assert not lock.running(tmp_path)
    fd = lock.acquire(tmp_path)
    assert lock.running(tmp_path)
    assert lock.running(tmp_path)
    os.close(fd)


def test_the_lock_stays_with_this_process_and_can_be_read_by_others(tmp_path: Path) -> None:
    fd = lock.acquire(tmp_path)
    assert not os.get_inheritable(fd)
    assert stat.S_IMODE((tmp_path / lock.NAME).stat().st_mode) & 0o444 == 0o444
    os.close(fd)


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(lock.LockError, match=r"state_dir = '.*/file/state' cannot be used: Not a directory"):
        lock.acquire(tmp_path / "file" / "state")


def test_a_pid_that_cannot_be_written_is_logged_and_keeps_no_service_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / lock.NAME).symlink_to("/dev/full")
    fd = lock.acquire(tmp_path)
    assert "cannot write our pid" in caplog.text
    os.close(fd)
