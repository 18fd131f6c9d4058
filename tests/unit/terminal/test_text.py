"""How wide text is on a terminal, and that it does nothing to one."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.text import (
    break_up,
    cells,
    clean,
    clean_lines,
    cut,
    hang,
    pad,
    wrap,
)


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("三", 2), ("e\u0301", 1), ("a\u200bb", 2), ("👍", 2)]
)
def test_a_text_takes_the_cells_that_a_terminal_gives_it(text: str, width: int) -> None:
    assert cells(text) == width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("三三", 4, "三三"), ("三三", 3, "三…"), ("三三", 2, "…"), ("ab", 0, "…")],
)
def test_a_long_text_is_cut(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown


def test_a_text_is_filled_up_by_cells() -> None:
    assert pad("三", 4) == "三  "


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("a" * 10, ["a" * 10]),
        ("a " + "b" * 9 + " c", ["a", "b" * 9, "c"]),
        ("", [""]),
        ("ab `ls -l a` b", ["ab", "`ls -l a`", "b"]),
        ("it`s one two", ["it`s one", "two"]),
    ],
)
def test_a_text_is_wrapped_between_words(text: str, lines: list[str]) -> None:
    assert wrap(text, 8) == lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one  two", ["one  two"]),
        ("  one two three", ["  one two", "      three"]),
        ("one two three four", ["one two", "    three", "    four"]),
        ("12345678901 two", ["12345678901", "    two"]),
    ],
)
def test_more_of_a_line_stands_further_to_the_right(text: str, lines: list[str]) -> None:
    assert hang(text, 9) == lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two three"]),
        ('  File "/srv/a/lib/b.py", line 7', ['  File "/srv/a/', '      lib/b.py",', "      line 7"]),
        ("one two three four", ["one two three", "    four"]),
        ("a" * 40, ["a" * 16, "    " + "a" * 12, "    " + "a" * 12]),
        (" " * 14 + "^^^^ here", [" " * 14 + "^^", " " * 12 + "^^", " " * 12 + "here"]),
        (" " * 40 + "x", ["", " " * 12 + "x"]),
        ("三" * 10, ["三" * 8, "    三三"]),
    ],
)
def test_of_a_line_that_is_broken_up_nothing_is_left_to_the_terminal(text: str, lines: list[str]) -> None:
    found = break_up(text, 16)
    assert found == lines
    assert max(map(cells, found)) <= 16
    assert "".join("".join(found).split()) == "".join(text.split()), "nothing is lost"


def test_text_of_others_sends_nothing_to_the_terminal() -> None:
    assert clean("a\x1b[31mb\x07\u202ec\n") == "a\\x1b[31mb\\x07\\u202ec\\n"
    assert clean("a\tb") == "a       b"


def test_of_a_line_that_is_written_over_the_last_state_is_shown() -> None:
    assert clean_lines("10 %\r100 %\r\ndone\n") == ["100 %", "done"]
    assert clean_lines("") == []
