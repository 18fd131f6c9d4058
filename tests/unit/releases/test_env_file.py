# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The syntax of `env_file`: hooks read it as procmon does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.deploy import env_file
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from hypothesis import example, given
from hypothesis import strategies as st
from procmon.master.release import parse_env_file

WORDS = st.sampled_from(["A", "export ", "=", '"', "'", "\\n", "\\ud800", "\n", " ", "#", "1", "\0", "é", "\r", "\t"])


def result(parse: Callable[[str], Mapping[str, str]], text: str) -> Mapping[str, str] | str:
    """What a parser makes of a text: variables, or its error."""
    try:
        return parse(text)
    except ValueError as error:
        return f"error: {error}"


@given(st.lists(WORDS, max_size=12).map("".join))
@example('A="x\\ny"')
@example("A='x y'")
@example('A="x')
@example('A="\\ud800"')
@example("export A=1\n# comment\n\nB = 2")
def test_it_is_read_as_procmon_reads_it(text: str) -> None:
    assert result(env_file.parse, text) == result(parse_env_file, text)


@pytest.mark.parametrize(
    ("text", "variables"),
    [("", {}), ("A=1\nexport B='x y'\n# C=3\n", {"A": "1", "B": "x y"}), ('A="x\\ty"', {"A": "x\ty"})],
)
def test_variables(text: str, variables: dict[str, str]) -> None:
    assert env_file.parse(text) == variables


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
