# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python program that becomes a shell in the live release, on the server.

Its environment is that of hooks, made by the collection's own code. That travels with the command, as a zip file from
which Python imports: a server has no part of the collection, and the app's variables must be in no argument.
"""

from __future__ import annotations

import ast
import base64
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .remote import Host

PACKAGE = "ansible_collections.onetouch.deploy.plugins.module_utils"
START = "_releases/deploy/in_release.py"
# Runs on the server's Python, 3.9 or newer.
SOURCE = """
import base64, os, pwd, sys
from pathlib import Path
file = os.memfd_create("release")
os.write(file, base64.b64decode(sys.argv[4]))
sys.path.insert(0, "/proc/self/fd/%d" % file)
from module_utils._releases.deploy import hooks, in_release
from module_utils._releases.errors import ReleaseError
from module_utils._releases.system.run import encode_environment
name, path, env_file = sys.argv[1:4]
try:
    place = in_release.live(name, Path(path), Path(env_file) if env_file else None)
except ReleaseError as error:
    sys.exit(str(error))
os.chdir(place.release)
os.close(file)
shell = pwd.getpwuid(os.getuid()).pw_shell
if not os.access(shell, os.X_OK) or shell.endswith(("/nologin", "/false")):
    shell = next(one for one in hooks.SHELLS if os.access(one, os.X_OK))
os.execve(shell, [shell, "-i"], encode_environment({**place.environment, "SHELL": shell}))
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


def program(host: Host) -> list[str]:
    """Return the words that open the shell on a host."""
    python = host.text("ansible_python_interpreter", "/usr/bin/python3")
    name, path = host.text("project_name"), host.text("project_path")
    return [python, "-c", SOURCE, name, path, host.text("project_env_file"), archive()]
