"""status.json: what the deploy reads, and the line for people."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from procmon.master.status_file import StatusFile, headline, read, report

from tests.support.procmon.story import ILL, Story


def test_the_status_has_what_the_deploy_side_reads(tmp_path: Path) -> None:
    s = Story().served()
    found = report(s.core, {1: 5.0}, replace(s.core.config, digest="abc"))
    assert (found["state"], found["release"], found["commit"]) == ("serving", "/releases/a", "a" * 40)
    assert found["restart"] == {"stamp": 1, "result": "ok", "error": "", "seconds": 0.0}
    assert [worker["state"] for worker in found["workers"]] == ["active", "active"]
    assert found["workers"][0]["started"] == 5.0
    assert found["config_digest"] == "abc"
    file = StatusFile(tmp_path)
    file.write(found)
    assert read(tmp_path) == found
    assert stat.S_IMODE((tmp_path / "status.json").stat().st_mode) & 0o400


def test_a_status_that_cannot_be_written_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = StatusFile(tmp_path / "gone")
    file.write({"a": 1})
    file.write({"a": 2})
    assert len(caplog.records) == 1
    (tmp_path / "gone").mkdir()
    file.write({"a": 2})
    assert read(tmp_path / "gone") == {"a": 2}


def test_the_file_is_replaced_as_a_whole_and_only_for_a_change(tmp_path: Path) -> None:
    file = StatusFile(tmp_path)
    file.write({"a": 1})
    with (tmp_path / "status.json").open() as old:
        before = (tmp_path / "status.json").stat().st_ino
        file.write({"a": 1})
        assert (tmp_path / "status.json").stat().st_ino == before
        file.write({"a": 2})
        assert old.read() == '{"a": 1}'
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize("text", ["", "[]", '{"a": ', "1"])
def test_a_file_that_does_not_hold_a_status(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 - of two origins
        read(tmp_path)


def test_the_headline_names_failures() -> None:
    s = Story(heartbeat={"guard": 100}).served().after(10)
    s.beat_answered(ILL)
    assert "the heartbeat has failed 1 times: " in headline(s.core)
    assert "500" in headline(s.core)
    s.deploy("/releases/b").failed(s.workers(generation=2)[0])
    assert "the last reload failed" in headline(s.core)
