# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The env_file: hooks and workers read the same from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases import env_file
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from hypothesis import example, given
from hypothesis import strategies as st
from procmon.master.release import parse_env_file

TEXTS = st.text(st.sampled_from("AB_1= \t\n\r\"'\\#u0041d8é\0") | st.characters(), max_size=40)


def outcome(parse: Callable[[str], Mapping[str, str]], text: str) -> object:
    """Return what a parser finds, or its error."""
    try:
        return dict(parse(text))
    except ValueError as error:
        return str(error)


@given(TEXTS)
@example('export A=1\r\nB=\'x "y" $z\'\n# C=\n\nD="two\\nlines"\nE=0 # note\n')
@example('A="x')
@example(r'A="a\u0000b"')
@example(r'A="\ud800"')
@example("A")
@example("A=a\0b")
def test_hooks_and_workers_read_the_same(text: str) -> None:
    assert outcome(env_file.parse, text) == outcome(parse_env_file, text)


def test_the_forms_in_the_documents() -> None:
    text = 'export A=x  \nB=\'a "quoted" $value\'\nC="two\\nlines"\nD=0 # note\nE=$A\nF=1\nF=2\n'
    expected = {"A": "x", "B": 'a "quoted" $value', "C": "two\nlines", "D": "0 # note", "E": "$A", "F": "2"}
    assert env_file.parse(text) == expected


def test_an_error_names_the_file_and_the_line_and_no_value(tmp_path: Path) -> None:
    file = tmp_path / "env"
    with pytest.raises(ReleaseError, match=f"env_file {file} cannot be read: .*No such file"):
        env_file.read(file)
    file.write_text("A=1\ns3cret\n")
    with pytest.raises(ReleaseError, match="line 2 must be KEY=value") as caught:
        env_file.read(file)
    assert "s3cret" not in str(caught.value)
    file.write_text("A=1\n")
    assert env_file.read(file) == {"A": "1"}
