"""The program of `console`, which travels to the server in an argument."""

from __future__ import annotations

import base64
import io
import zipfile

from onetouch_deploy import console
from onetouch_deploy.remote import Host

# MAX_ARG_STRLEN of Linux.
LONGEST_ARGUMENT = 128 * 1024


def test_it_fits_into_an_argument_on_both_sides() -> None:
    assert len(console.archive()) < LONGEST_ARGUMENT * 0.75


def test_it_has_what_it_imports_and_no_more() -> None:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(console.archive()))) as made:
        names = {*made.namelist()}
    assert {f"module_utils/_releases/deploy/{name}.py" for name in ("in_release", "hooks")} < names
    assert "module_utils/_releases/states.py" not in names


def test_the_variables_are_in_no_argument() -> None:
    variables = {
        "project_name": "blog",
        "project_path": "/srv/blog",
        "project_env": {"SECRET": "s3cret"},
        "project_env_file": "/e",
    }
    words = console.program(Host("blog@a", {**variables, "project_app": "main:app"}), ["ls", "-l"])
    assert words[:2] + words[4:] == ["/usr/bin/python3", "-c", "blog", "/srv/blog", "/e", "ls", "-l"]
    assert "s3cret" not in " ".join(words)
