# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two logs: `.deploys`, which others write too, and the journal."""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.records import history as log
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "commits"),
    [
        ("", []),
        ("abc1234\n", ["abc1234"]),
        ("abc1234", ["abc1234"]),
        ("abc1234\r\ndef5678\r\n", ["abc1234", "def5678"]),
        ("abc1234 tj 2016-08-28\n\n  def5678\n", ["abc1234", "def5678"]),
        ("ABC1234\n", ["abc1234"]),
        ("nothing\nabc\n" + "a" * 41 + "\nabc1234\n", ["abc1234"]),
    ],
)
def test_the_first_field_of_a_line_is_a_commit(text: str, commits: list[str]) -> None:
    assert log.parse_deploys(text) == commits


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    log.parse_deploys(text)
    log.parse_journal(text)


def test_entries_cut_short_are_left_out() -> None:
    assert log.parse_journal('{"a": 1}\n{"b":\n[1]\n{"c": 3}\n') == [{"a": 1}, {"c": 3}]


def test_neighbours_of_different_length_are_one() -> None:
    assert log.without_repeats(["abc1234", "abc12345f", "def5678", "abc1234"]) == ["abc1234", "def5678", "abc1234"]


def test_a_line_is_not_glued_to_one_without_an_end(tmp_path: Path) -> None:
    deploys = tmp_path / "deploys"
    deploys.write_text("abc1234")
    log.append_commit(deploys, "def5678")
    log.append_commit(deploys, "aaa5678")
    assert deploys.read_text() == "abc1234\ndef5678\naaa5678\n"


def test_an_absent_file_is_empty_and_made(tmp_path: Path) -> None:
    assert log.read_deploys(tmp_path / "deploys") == []
    log.append_entry(tmp_path / "journal", {"outcome": "live"})
    assert log.read_journal(tmp_path / "journal") == [{"outcome": "live"}]


def test_a_line_that_was_written_in_part_is_taken_back(tmp_path: Path) -> None:
    """As on a disk that has room for some bytes only."""
    deploys = tmp_path / "deploys"
    deploys.write_text("abc1234\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            log.append_commit(deploys, "def5678")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert deploys.read_text() == "abc1234\n"


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a sha would be read as a commit."""
    deploys = tmp_path / "deploys"
    deploys.write_text("abc1234\n")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        log.append_commit(deploys, "def5678")
    assert deploys.read_text() == "abc1234\n"


def test_commits_are_shown_with_one_length() -> None:
    """Those that no full sha belongs to, or more than one, keep what the file has of them."""
    one, two, near = "a" * 40, "ab" + "0" * 38, "ab" + "0" * 37 + "1"
    found = log.with_one_length(["aaaa", "abab", "ab00", "a" * 40, "cccc"], [two, near, one])
    assert found == ["a" * 12, "abab", "ab00", "a" * 12, "cccc"]
    assert log.with_one_length(["a" * 40], []) == ["a" * 12]


def test_of_a_long_log_the_newest_lines_are_listed() -> None:
    lines = [f"{number:04}" for number in range(log.MAX_LISTED + 1)]
    assert log.format_log(lines) == f"the log, oldest first: ... {' '.join(lines[1:])}"
    assert log.format_log(lines[1:]) == f"the log, oldest first: {' '.join(lines[1:])}"


class ShortFile(io.RawIOBase):
    """A file that takes half of what is written to it, as on a disk with a few bytes left."""

    def write(self, data: object) -> int:
        return len(bytes(data)) // 2  # type: ignore[call-overload]


def test_half_a_line_counts_as_a_full_disk() -> None:
    with pytest.raises(OSError, match="No space left"):
        log._write_whole(ShortFile(), b"abc1234\n")
