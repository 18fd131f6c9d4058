"""Permanent lines and live ones, on a model of a terminal."""

from __future__ import annotations

from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.look import Look
from ansible_collections.onetouch.deploy.plugins.plugin_utils._terminal.screen import Screen

from tests.support.terminal import Screen as Model


def on_model(look: Look) -> tuple[Screen, Model]:
    """Return a screen whose terminal is a model."""
    model = Model(look.columns, look.rows)
    return Screen(lambda text: model.write(text.replace("\n", "\r\n")), look), model


def test_live_lines_stay_below_the_permanent_ones() -> None:
    screen, model = on_model(Look(live=True))
    screen.draw(["under way 1"])
    screen.print(["one", "two"])
    assert model.text() == "one\ntwo\nunder way 1"
    assert not model.cursor_visible
    screen.draw(["a", "b", "c"])
    screen.draw(["d"])
    assert model.text() == "one\ntwo\nd"
    screen.clear()
    assert model.text() == "one\ntwo"
    assert model.cursor_visible


def test_what_others_write_begins_where_the_live_lines_were() -> None:
    screen, model = on_model(Look(live=True))
    screen.draw(["a", "b"])
    screen.clear()
    model.write("[WARNING]: other\r\n")
    screen.draw(["a", "b"])
    assert model.text() == "[WARNING]: other\na\nb"


def test_live_lines_are_no_more_than_the_screen_is_high() -> None:
    screen, model = on_model(Look(live=True, rows=4))
    screen.print(["one"])
    screen.draw([*"abcdef"])
    screen.draw([*"ghijkl"])
    screen.print(["two"])
    assert model.history() == "one\ntwo\ng\nh\ni"


def test_in_a_pipe_there_are_no_live_lines() -> None:
    written: list[str] = []
    screen = Screen(written.append, Look())
    screen.draw(["under way"])
    screen.print(["one"])
    screen.print([])
    screen.clear()
    assert written == ["one\n"]
