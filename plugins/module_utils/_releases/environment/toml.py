# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Reads TOML on every Python that is supported, with the parser of the standard library or the one that pip brings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ReleaseError
from ..system.run import Run

Table = dict[str, Any]
TomlReader = Callable[[Path], Table]

# For Python 3.9 and 3.10. pip reads pyproject.toml itself, so each pip has a parser; ensurepip keeps a pip in a wheel.
# The text comes in a file, and a dictionary of either `data` or `error` goes out.
PARSE = """
import glob, importlib, json, os, sys, sysconfig
standard = sysconfig.get_path("stdlib")
sys.path += glob.glob(os.path.join(standard, "ensurepip", "_bundled", "pip-*.whl"))
sys.path += glob.glob("/usr/share/python-wheels/pip-*.whl")
for name in ("tomllib", "tomli", "pip._vendor.tomli", "pip._vendor.toml"):
    try:
        toml = importlib.import_module(name)
        break
    except ImportError:
        continue
else:
    json.dump({"missing": True}, sys.stdout)
    sys.exit()
with open(sys.argv[1], encoding="utf-8-sig", newline="") as file:
    text = file.read().replace("\\r\\n", "\\n")
try:
    json.dump({"data": toml.loads(text)}, sys.stdout, default=str)
except ValueError as error:
    json.dump({"error": str(error)}, sys.stdout)
"""


def toml_reader(python: str, run: Run) -> TomlReader:
    """Return a function that reads a file; `python` parses it where the Python of this process cannot.

    The function raises ReleaseError when the text is not TOML, or when neither Python has a parser.
    """

    def read(path: Path) -> Table:
        _check_encoding(path)
        parsed = _parse_here(path) or _parse_with(python, run, path)
        if "error" in parsed:
            raise _invalid(path, parsed["error"])
        table: Table = parsed["data"]
        return table

    return read


def dump(table: Table) -> str:
    """Write a table as TOML, with all that is nested as inline tables."""
    return "".join(f"{_scalar(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{_scalar(key)} = {_value(each)}" for key, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _scalar(value)


def _scalar(value: object) -> str:
    # JSON and TOML agree, but for the escapes of characters beyond 16 bits and for DEL.
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")


def _check_encoding(path: Path) -> None:
    try:
        path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(path, f"it is not UTF-8 (byte {error.start})") from error


def _parse_here(path: Path) -> Table:
    try:
        import tomllib  # noqa: PLC0415  new in Python 3.11
    except ImportError:
        return {}
    try:
        return {"data": tomllib.loads(path.read_bytes().decode("utf-8-sig"))}
    except ValueError as error:
        return {"error": str(error)}


def _parse_with(python: str, run: Run, path: Path) -> Table:
    done = run([python, "-I", "-c", PARSE, str(path)])
    if done.rc or '"missing"' in done.out[:12]:
        remedy = "set `python` to Python 3.11 or newer, or install pip for this one"
        raise ReleaseError(f"{path.name} cannot be read: {python} has no parser for TOML", remedy, done.err)
    parsed: Table = json.loads(done.out)
    return parsed


def _invalid(path: Path, reason: str) -> ReleaseError:
    return ReleaseError(f"{path.name} is not valid TOML: {reason}", f"correct {path.name} and commit it")
