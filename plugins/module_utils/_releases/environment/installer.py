# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""Makes virtual environments: runs uv or pip with the settings that count, and reports why one could not be made."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import ReleaseError
from ..system import files
from ..system.redaction import without_credentials
from ..system.run import Result, Run
from . import commands, server_settings
from .hints import hint_for
from .index import hidden_credentials, index_variables
from .interpreter import Interpreter
from .server_settings import Variables
from .spec import LOCK, Spec
from .toml import TomlReader, toml_reader

COMPLETE = ".complete"
UV = ".uv"
SERVER_UV = Path("/opt/procmon/tools/uv/bin/uv")
"""The uv that setup installs once for all projects of a server."""
TAIL_LINES = 25
# What pip writes when an index gave it nothing, and why, which it writes only when asked to be verbose.
NOTHING_FOUND = "(from versions: none)"
UNUSED = re.compile(
    r"Could not fetch URL .*|Link requires a different Python .*|Skipping link: none of the wheel's tags .*"
)
STALE_LOCK = re.compile(r"needs to be updated|network (?:was|is) disabled")


@dataclass(frozen=True)
class Installer:
    """Makes environments from `interpreter`, with packages from `index`, or from where the server's settings say.

    `envs` is the directory of the environments, with the caches and the lock.
    """

    envs: Path
    interpreter: Interpreter
    run: Run
    index: str | None = None

    @property
    def read_toml(self) -> TomlReader:
        return toml_reader(self.interpreter.path, self.run)

    def find_uv(self, *, needed: bool) -> str | None:
        """Return the uv on the PATH, the server's or the one in `envs`; where it is `needed`, it is installed there."""
        path = self.envs / UV
        own = str(path / "bin" / "uv")
        found = shutil.which("uv") or next((uv for uv in (str(SERVER_UV), own) if works(self.run, uv)), None)
        if found or not needed:
            return found
        self.install(path, ["uv"], uv=None)
        return own

    def install(self, path: Path, requirements: Sequence[str], uv: str | None) -> None:
        """Make an environment with `requirements`, arguments of `pip install`, at `path`; by pip where `uv` is None."""
        self._make(
            path, commands.from_requirements(requirements, path, self.interpreter, uv, self.index), self.envs, uv
        )

    def install_spec(self, spec: Spec, path: Path, release: Path, uv: str | None) -> None:
        """Make the environment that a release asks for at `path`; by pip where `uv` is None."""
        with _scratch() as scratch:
            steps = self._steps(spec, path, uv, scratch / "requirements.txt")
            if uv and spec.lead == LOCK and spec.is_static:
                self._check_lock(uv, release, scratch)
            self._make(path, steps, release, uv)

    def _steps(self, spec: Spec, path: Path, uv: str | None, listed: Path) -> commands.Commands:
        """List the commands for `spec`; `listed` is where requirements are written that are in no file that is read."""
        if uv and spec.lead == LOCK and self.index is None:
            return commands.from_lock(uv, self.interpreter)
        if uv and spec.lead == LOCK:
            # `uv sync` asks the addresses in the lock: the locked versions and hashes are installed from the index.
            export = commands.export_lock(uv, self.interpreter, listed)
            return [export, *self._from_file(str(listed), path, uv)]
        if uv or not spec.dependencies:
            return self._from_file(spec.lead, path, uv)
        # pip does not read pyproject.toml for its dependencies alone.
        listed.write_text("\n".join(spec.dependencies), encoding="utf-8")
        return self._from_file(str(listed), path, uv)

    def _from_file(self, file: str, path: Path, uv: str | None) -> commands.Commands:
        return commands.from_requirements(["-r", file], path, self.interpreter, uv, self.index)

    def _make(self, path: Path, steps: Sequence[Sequence[str]], cwd: Path, uv: str | None) -> None:
        """Run the steps. `path` is the final place: a virtual environment cannot be moved."""
        remove(path)
        with ExitStack() as stack:
            variables = self._variables(path, uv, stack)
            for argv in steps:
                result = self.run(argv, str(cwd), variables)
                if result.rc != 0:
                    reasons = self._ask_why(argv, result, str(cwd), variables)
                    remove(path)
                    raise self._failure(argv, result, reasons)
        # The marker must not survive a power failure that the packages did not.
        files.sync_file_systems(self.run, path)
        files.write_synced(path / COMPLETE, "")

    def _variables(self, path: Path, uv: str | None, stack: ExitStack) -> Variables:
        """Return the variables of uv or pip; the files that they name are removed with `stack`."""
        fixed: Variables = {
            **commands.fixed_variables(self.envs, path, os.environ),
            **server_settings.python_variables(),
        }
        own_index = self.index is not None
        if uv:
            scratch = stack.enter_context(_scratch())
            theirs = server_settings.uv_variables(os.environ, scratch, self.read_toml, own_index=own_index)
            return {**theirs, **fixed, **index_variables(self.index)}
        theirs = server_settings.pip_variables(os.environ, own_index=own_index)
        hidden = hidden_credentials(self.index, os.environ, quoted=self.interpreter.reads_quotes_in_netrc)
        return {**theirs, **fixed, **stack.enter_context(hidden)}

    def _ask_why(self, argv: Sequence[str], failed: Result, cwd: str, variables: Variables) -> str:
        """Return why pip got nothing from an index, where it does not say so itself."""
        if NOTHING_FOUND not in failed.out + failed.err:
            return ""
        again = self.run([*argv, "-vv"], cwd, {**variables, "PIP_RETRIES": "0"})
        return "".join(f"{line}\n" for line in dict.fromkeys(UNUSED.findall(again.out + again.err)))

    def _check_lock(self, uv: str, release: Path, scratch: Path) -> None:
        """Raise ReleaseError when uv.lock does not match pyproject.toml."""
        argv = commands.check_lock(uv, self.interpreter)
        fixed = commands.fixed_variables(self.envs, self.envs, os.environ)
        theirs = server_settings.uv_without_settings(os.environ, scratch)
        result = self.run(argv, str(release), {**theirs, **fixed, **server_settings.python_variables()})
        if result.rc == 0:
            return
        if STALE_LOCK.search(result.err):
            found = "uv.lock does not match pyproject.toml: the lock is out of date"
            raise ReleaseError(found, "run `uv lock`, commit uv.lock and deploy again", self._tail(result.err))
        raise self._failure(argv, result)

    def _failure(self, argv: Sequence[str], result: Result, reasons: str = "") -> ReleaseError:
        msg = f"the Python environment could not be built: `{' '.join(argv)}` {_ending(result.rc)}"
        output = f"{reasons}{result.out}{result.err}"
        hint = hint_for(output, result.rc, self.interpreter.version)
        return ReleaseError(without_credentials(msg, self.index or ""), hint, self._tail(output))

    def _tail(self, output: str) -> str:
        shown = without_credentials(output, self.index or "")
        return "\n".join(shown.strip().splitlines()[-TAIL_LINES:])


def works(run: Run, program: str) -> bool:
    """Return whether `program` runs: it may be there, and its installation was killed, or its interpreter is gone."""
    try:
        return run([program, "--version"]).rc == 0
    except (OSError, ReleaseError):
        return False


def is_complete(path: Path) -> bool:
    """Return whether the environment at `path` was built to its end, and its interpreter is still installed."""
    return (path / COMPLETE).is_file() and (path / "bin" / "python").exists()


def remove(path: Path) -> None:
    """Remove the environment at `path`, or what a killed build has left of one. It stops counting first."""
    (path / COMPLETE).unlink(missing_ok=True)
    files.remove_tree(path)


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="environment-") as directory:
        yield Path(directory)


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
