# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether procmon's status answers the touch."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import procmon
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError

NEW, OLD = Path("/srv/releases/new"), Path("/srv/releases/old")
BEFORE = procmon.Status(pid=1, state="serving", release=str(OLD), commit=None, stamp=100, result="ok", error="")
QUESTION = procmon.ReloadRequest(stamp=200, release=NEW, before=BEFORE)


@pytest.fixture
def status_file(tmp_path: Path) -> Iterator[Path]:
    """Where a procmon that runs writes its status: a process holds the lock beside it."""
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield tmp_path / "status.json"


def message(**changed: object) -> procmon.Status:
    return dataclasses.replace(BEFORE, **changed)  # type: ignore[arg-type]  # the names decide the types


@pytest.mark.parametrize(
    ("status", "answered"),
    [
        (BEFORE, False),
        (message(release=str(NEW)), False),
        (message(stamp=200, result=None, release=str(NEW)), False),
        (message(stamp=200, release=str(NEW)), True),
        (message(stamp=201, release=str(NEW)), True),
        (message(pid=2, release=str(NEW), stamp=None, result=None), True),
        (message(pid=2, release=str(NEW), state="booting"), False),
        (message(pid=2), False),
    ],
)
def test_only_an_answer_to_this_touch_or_a_procmon_started_since_counts(
    status: procmon.Status, answered: object
) -> None:
    assert procmon.is_served(QUESTION, status) is answered


def test_an_old_stamp_from_the_future_is_no_answer() -> None:
    """The clock may have stepped back since the last reload."""
    before = message(stamp=900, release=str(NEW))
    assert procmon.is_served(procmon.ReloadRequest(200, NEW, before), before) is False


def test_a_failed_reload_brings_the_traceback() -> None:
    with pytest.raises(ReleaseError, match="the new workers failed to start") as caught:
        procmon.is_served(QUESTION, message(stamp=200, result="failed", error="Traceback: boom"))
    assert caught.value.detail == "Traceback: boom"


def test_a_reload_of_another_release_is_no_success() -> None:
    with pytest.raises(ReleaseError, match="procmon reloaded /srv/releases/old, not /srv/releases/new"):
        procmon.is_served(QUESTION, message(stamp=200))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"pid": "x", "state": "serving"}'])
def test_what_is_no_status_is_none(text: str) -> None:
    assert procmon.parse_status(text) is None


def test_a_status_without_a_restart_yet() -> None:
    status = procmon.parse_status(json.dumps({"pid": 7, "state": "waiting", "restart": None}))
    assert status == procmon.Status(7, "waiting", None, None, None, None, "")


@pytest.mark.parametrize(
    ("limit", "read"),
    [
        (185, 185.0),
        (12.5, 12.5),
        (None, None),
        ("185", None),
        (True, None),
        (float("inf"), None),
        (float("nan"), None),
        (10**400, None),
        (-1, None),
    ],
)
def test_a_limit_of_reloads_is_a_number_or_absent(limit: object, read: object) -> None:
    """An older procmon does not say it."""
    status = procmon.parse_status(json.dumps({"pid": 7, "state": "serving", "reload_limit": limit}))
    assert status
    assert status.reload_limit == read


@pytest.mark.parametrize(
    ("timeout", "limit", "seconds"),
    [(None, None, 120), (None, 60, 120), (None, 185, 215), (60, 185, 60), (600, 185, 600), (0, None, 0)],
)
def test_what_the_user_sets_holds_otherwise_what_a_reload_may_take(
    timeout: float | None, limit: float | None, seconds: float
) -> None:
    assert procmon.patience(timeout, limit) == seconds


@pytest.mark.parametrize(
    "more",
    [
        {"trouble": "", "settings": "77c1", "active_settings": "77c1", "reload_limit": 90},
        {"crash_loop": "", "config_digest": "77c1", "active_config_digest": "77c1"},
        {"crash_loop": {"no": ["idea"]}, "restart": {"stamp": 1, "result": "ok", "error": None, "more": {}}},
    ],
)
def test_a_status_of_another_build_can_be_read(more: dict[str, object]) -> None:
    """A deploy may meet a procmon that was started before the collection was upgraded."""
    status = procmon.parse_status(json.dumps({"pid": 7, "state": "serving", "release": "/r", **more}))
    assert status
    assert (status.pid, status.state, status.release, status.error) == (7, "serving", "/r", "")


@pytest.mark.parametrize(
    ("state", "release", "served"),
    [("serving", NEW, True), ("reloading", NEW, True), ("failed", NEW, False), ("serving", OLD, False)],
)
def test_serving_means_this_release_by_a_live_process(
    status_file: Path, state: str, release: Path, served: object
) -> None:
    status_file.write_text(json.dumps({"pid": os.getpid(), "state": state, "release": str(release)}))
    assert procmon.Procmon("blog", status_file, status_file.with_name("restart")).is_serving(NEW) is served
    status_file.unlink()
    assert procmon.Procmon("blog", status_file, status_file.with_name("restart")).is_serving(NEW) is False


def test_a_procmon_that_stops_is_not_asked(status_file: Path) -> None:
    status_file.write_text(json.dumps({"pid": os.getpid(), "state": "stopping"}))
    with pytest.raises(ReleaseError, match="is stopping"):
        procmon.Procmon("blog", status_file, status_file.with_name("restart")).require_running()


@pytest.mark.parametrize("lock", ["nobody's", "absent"])
def test_a_status_that_was_left_behind_is_not_that_of_the_process_with_its_number(tmp_path: Path, lock: str) -> None:
    """After a restart of the machine that number may be any process's."""
    status_file = tmp_path / "status.json"
    status_file.write_text(json.dumps({"pid": os.getpid(), "state": "serving", "release": str(NEW)}))
    if lock != "absent":
        (tmp_path / "lock").touch()
    assert procmon.Procmon("blog", status_file, status_file.with_name("restart")).is_serving(NEW) is False
    with pytest.raises(ReleaseError, match="procmon is not running for blog"):
        procmon.Procmon("blog", status_file, status_file.with_name("restart")).require_running()
