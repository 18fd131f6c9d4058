"""The progress file, while it grows, is cut or replaced."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.progress import ProgressFile


def line(run: str, start: str) -> str:
    """Return a line of the file."""
    return json.dumps({"run": run, "start": start}) + "\n"


def starts(file: ProgressFile) -> list[str]:
    """Return the phases that the new events begin."""
    return [event["start"] for event in file.read()]


def test_only_the_events_of_this_run_are_read_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    file = ProgressFile(path, "b")
    assert file.read() == []
    path.write_text(line("a", "old") + line("b", "fetch"))
    assert starts(file) == ["fetch"]
    assert starts(file) == []
    with path.open("a") as grown:
        grown.write(line("b", "switch")[:20])
        grown.flush()
        assert starts(file) == []
        grown.write(line("b", "switch")[20:])
    assert starts(file) == ["switch"]


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    """Also when the new one has the inode of the old one, as it often has."""
    path = tmp_path / "progress"
    file = ProgressFile(path, "b")
    path.write_text(line("a", "old") * 10)
    assert starts(file) == []
    path.write_text(line("b", "fetch") * 11)
    assert starts(file) == ["fetch"] * 11


def test_what_is_no_event_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    path.write_text(line("b", "fetch") + '{"run": "b", "sta\n[1]\n')
    assert starts(ProgressFile(path, "b")) == ["fetch"]
