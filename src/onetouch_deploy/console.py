# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python program that runs a command in the live release on the server, or becomes a shell there.

Its environment is that of hooks, made by the collection's own code. That travels with the command, as a zip file from
which Python imports: a server has no part of the collection, and the app's variables must be in no argument.
"""

from __future__ import annotations

import ast
import base64
import io
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from .remote import Host

PACKAGE = "ansible_collections.onetouch.deploy.plugins.module_utils"
START = "_releases/deploy/in_release.py"
# Runs on the server's Python, 3.9 or newer.
SOURCE = """
import base64, os, sys
file = os.memfd_create("release")
os.write(file, base64.b64decode(sys.argv[1]))
sys.path.insert(0, "/proc/self/fd/%d" % file)
from module_utils._releases.deploy import in_release
sys.exit(in_release.main(sys.argv[2:]))
"""


def sources() -> Path:
    """Return the directory of the collection's code for servers."""
    from importlib.util import find_spec  # noqa: PLC0415

    found = find_spec(PACKAGE)
    return Path(next(iter((found and found.submodule_search_locations) or ())))


@cache
def archive() -> str:
    """Return that code as a zip file, in base64."""
    root = sources()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        made.writestr("module_utils/__init__.py", "")
        for file in sorted(needed(root / START, root)):
            made.write(file, Path("module_utils") / file.relative_to(root))
    return base64.b64encode(data.getvalue()).decode()


def needed(file: Path, root: Path) -> set[Path]:
    """Return a file with all that it imports from below `root`: an argument of a program has room for 128 KiB."""
    found: set[Path] = set()
    to_do = {file}
    while to_do:
        found |= to_do
        to_do = {imported for one in to_do for imported in imports(one, root)} - found
    return found


def imports(file: Path, root: Path) -> Iterator[Path]:
    """Yield the files of a module's relative imports."""
    package = file.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            below = (node.module or "").split(".")
            base = root.joinpath(*package[: len(package) - node.level + 1], *filter(None, below))
            names = (base / f"{alias.name}.py" for alias in node.names)
            yield from (path for path in (base.with_suffix(".py"), *names) if path.is_file())
    # Python imports the packages around a module as well.
    yield from (path for above in file.parents if (path := above / "__init__.py").is_file() and above != root)


def program(host: Host, argv: Sequence[str] = ()) -> list[str]:
    """Return the words that run a command on a host; without one they open a shell."""
    python = host.text("ansible_python_interpreter", "/usr/bin/python3")
    name, path = host.text("project_name"), host.text("project_path")
    return [python, "-c", SOURCE, archive(), name, path, host.text("project_env_file"), *argv]
