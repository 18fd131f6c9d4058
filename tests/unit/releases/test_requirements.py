# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requirements files are read as pip reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import requirements
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError


@pytest.mark.parametrize(
    "content",
    [
        "caf\xe9\n".encode(),
        "\ufeffcaf\xe9\n".encode(),
        "caf\xe9\n".encode("utf-16"),
        b"\xfe\xff" + "caf\xe9\n".encode("utf-16-be"),
        "caf\xe9\n".encode("utf-32"),
        "# -*- coding: latin-1 -*-\ncaf\xe9\n".encode("latin-1"),
    ],
)
def test_the_encodings_of_pip_are_read(content: bytes) -> None:
    assert requirements.lines(requirements.decode(content)) == ["caf\xe9"]


def test_what_is_in_no_encoding_is_left_to_the_installer() -> None:
    assert requirements.lines(requirements.decode(b"# coding: nonsense\ntiny # \xff\n")) == ["tiny"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc", ["a", "b", "c"]),
        ("tiny \\\n  --hash=sha256:0", ["tiny   --hash=sha256:0"]),
        ("tiny \\\r\n  --hash=sha256:0", ["tiny   --hash=sha256:0"]),
        ("# comment \\\ntiny", ["tiny"]),
        ("tiny \\\n# comment\nother", ["tiny", "other"]),
        ("tiny@x#egg=y # note", ["tiny@x#egg=y"]),
        ("\t\n  \ntiny\\", ["tiny"]),
    ],
)
def test_lines(text: str, expected: list[str]) -> None:
    assert requirements.lines(text) == expected


@pytest.mark.parametrize(
    "line",
    [
        "-r other file.txt".replace(" file", ""),
        "-rother.txt",
        "-r\tother.txt",
        "--requirement other.txt",
        "--requirement=other.txt",
        "-c other.txt",
        "-cother.txt",
        "--constraint 'other.txt'",
        '--constraint="other.txt"',
        "-r './sub/../other.txt' # note",
        "--pre -r other.txt",
    ],
)
def test_includes_are_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(line)
    (tmp_path / "other.txt").write_text("tiny")
    assert requirements.included(tmp_path, "requirements.txt") == ["requirements.txt", "other.txt"]


def test_a_name_with_a_blank_and_a_file_in_utf_16(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes('-r "other file.txt"\n'.encode("utf-16"))
    (tmp_path / "other file.txt").write_bytes(b"tiny")
    assert requirements.included(tmp_path, "requirements.txt") == ["requirements.txt", "other file.txt"]


@pytest.mark.parametrize("line", ["tiny -r x", "--require-hashes", "--extra-index-url https://a", "-r https://a/b.txt"])
def test_other_lines_include_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(line)
    assert requirements.included(tmp_path, "requirements.txt") == ["requirements.txt"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("-r ../../secret.txt", "outside of the release"),
        ("-c gone.txt", "does not exist"),
        ("-r /etc/hosts", "outside"),
        ("-r 'gone.txt", "does not exist"),
        ("-r", "outside"),
    ],
)
def test_an_include_must_be_in_the_release(tmp_path: Path, line: str, found: str) -> None:
    (tmp_path / "requirements.txt").write_text(line)
    with pytest.raises(ReleaseError, match=found):
        requirements.included(tmp_path, "requirements.txt")
