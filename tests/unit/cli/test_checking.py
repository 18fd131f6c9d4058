"""What the functions of onetouch_deploy are called with: a wrong type is an error that names it and the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetouch_deploy import checking
from onetouch_deploy.errors import ArgumentError

WRONG = [
    ("project", 3, "project is 3 (int). It must be a string of UTF-8."),
    ("project", b"blog", "project is b'blog' (bytes). It must be a string of UTF-8."),
    ("project", "blog\udcff", "project is 'blog\\udcff' (str). It must be a string of UTF-8."),
    ("ref", Path("main"), f"ref is {Path('main')!r} ({type(Path()).__name__}). It must be a string of UTF-8, or None."),
    ("at_once", "2", "at_once is '2' (str). It must be a whole number, 1 or more, or None."),
    ("at_once", 1.5, "at_once is 1.5 (float). It must be a whole number, 1 or more, or None."),
    ("at_once", True, "at_once is True (bool). It must be a whole number, 1 or more, or None."),
    ("steps", 0, "steps is 0 (int). It must be a whole number, 1 or more, or None."),
    ("force", "no", "force is 'no' (str). It must be True or False."),
    ("check", None, "check is None. It must be True or False."),
    ("servers", None, "servers is None. It must be a string, or a list of strings."),
    ("servers", [1], "servers is [1] (list). It must be a string, or a list of strings."),
    ("servers", b"web1", "servers is b'web1' (bytes). It must be a string, or a list of strings."),
    ("servers", {"web1": 1}, "servers is {'web1': 1} (dict). It must be a string, or a list of strings."),
    ("config", b"x", "config is b'x' (bytes). It must be a string or a pathlib.Path, or None."),
    ("artifacts", 1, "artifacts is 1 (int). It must be a string or a pathlib.Path, or None."),
    ("on_event", 3, "on_event is 3 (int). It must be a function, or None."),
    ("on_output", "x" * 100, f"on_output is '{'x' * 59}… (str). It must be a function, or None."),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_wrong_type_is_named_with_the_right_one(name: str, value: object, message: str) -> None:
    with pytest.raises(ArgumentError) as found:
        checking.require(**{name: value})
    assert str(found.value) == message


def test_each_right_type_is_accepted() -> None:
    checking.require(command="deploy", project="blog,é", ref=None, to="abcd", steps=3, at_once=None, force=False)
    checking.require(test=True, keep_config=True, check=False, config=Path(), artifacts=None, on_event=print)
    for servers in ("web1", ["web1"], ("web1", "web2"), {"web1"}, ()):
        checking.require(servers=servers, on_output=None)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["ls", "\udcff"], "a byte that is not UTF-8"),
        ({"\udcff": 1}, "a byte that is not UTF-8"),
        ([{"A": b"secret"}], "a value of the type bytes"),
        ({"secret"}, "a value of the type set"),
        (object(), "a value of the type object"),
        (["é", 1, 1.5, True, None, Path(), ("a",), {"A": "b"}], ""),
    ],
)
def test_a_variable_that_ansible_cannot_have_is_refused_without_its_value(value: object, problem: str) -> None:
    assert checking.problem_in(value) == problem
    if problem:
        with pytest.raises(ArgumentError, match=f"^argv has {problem}\\.") as found:
            checking.require_plain({"ref": "x", "argv": value})
        assert "secret" not in str(found.value)
    else:
        checking.require_plain({"argv": value})
