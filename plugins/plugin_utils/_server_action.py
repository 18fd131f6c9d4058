# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection's action plugins share: reading variables, and running a module. Private to this collection.

ssh logs in while Ansible packs the module: one costs as much as the other. Hosts that log in alike share the
connection, so the first one opens it and the others wait; a server that cannot be reached costs its timeout once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from . import _login_failure, _progress_copy, _rollout
from ._board import Board, Login, board_folder
from ._command import inherited_error
from ._projects import schema
from ._projects.values import ADDRESS
from ._shared_connection import SharedConnection, is_shared
from ._turns import Turns
from ._typed import option, typed

VAULT_CLOSED = re.compile(r"no vault secrets|undecryptable|Decryption failed", re.IGNORECASE)
# Hosts that agree in these options of ssh share a connection.
LOGIN_OPTIONS = ("port", "remote_user", "control_path")


def unevaluated(name: str, host: str, error: str) -> str:
    """Return the message about a variable that cannot be evaluated, which Ansible's `error` follows."""
    key = name.removeprefix("project_")
    shown = f"{name} (key {key})" if key != name and key in schema.known("project") else name
    remedy = "Correct it where the inventory sets it"
    if VAULT_CLOSED.search(error):
        keep = option("keep-config", "config=keep")
        remedy = f"Give the vault's password, such as by --ask-vault-pass; {keep} deploys code without it"
    return f"The variable {shown} of {host} cannot be evaluated. {remedy}."


class ServerAction(ActionBase):
    """An action that runs a module on the server of a project."""

    TRANSFERS_FILES = False
    # Ansible ships few types.
    _connection: Any
    _task: Any
    variables: dict[str, Any]
    _connect: Callable[[], None] = staticmethod(lambda: None)
    _is_connected = False

    @property
    def host(self) -> str:
        """The name of the inventory host."""
        return str(self.variables["inventory_hostname"])

    @property
    def play_hosts(self) -> list[str]:
        """All hosts of the play, also those that have failed."""
        return list(self.variables["ansible_play_hosts_all"])

    def start(self, command: str, tmp: str | None, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Begin `run`: keep the variables, and return what the base class adds to a result.

        Fails when the inventory sets a variable of the command: `hosts:` of the play cannot see that.
        """
        self.variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = load_extra_vars(self._loader)
        if inherited_error(command, given, {self.host: self.variables}):
            # A playbook that imports ours may set them: what counts is what the inventory itself has.
            error = inherited_error(command, given, {self.host: self.variables["hostvars"][self.host]})
            if error:
                raise failure(error)
        return result

    def read(self, name: str) -> Any:  # noqa: ANN401  whatever the inventory sets
        """Return the value of a variable, None where it is not set. Only what is read is evaluated."""
        if name not in self.variables:
            return None
        try:
            return self._templar.template(self.variables[name])
        except AnsibleError as error:
            raise failure(unevaluated(name, self.host, str(error))) from error

    def require(self, name: str) -> str:
        """Return the value of a variable that must be set."""
        value = self.read(name)
        if not value:
            raise failure(f"{name} is not set for {self.host}. Set it in the inventory.")
        return str(value)

    def url(self) -> dict[str, str]:
        """Return where people open the app, for the result; nothing where the configuration has no `url`.

        It is printed: fails for one that the configuration refuses, which a template or a static inventory may make.
        """
        url = self.read("project_url")
        if url and ("{{" in str(url) or not ADDRESS.accepts(url)):
            # It may have a password.
            raise failure(
                f"The url of {self.host} must be {ADDRESS.expected}, and is not. Correct it in the inventory."
            )
        return {"url": str(url)} if url else {}

    def servers(self) -> list[str]:
        """Return the hosts of this project in the play."""
        return _rollout.project_servers(
            self.host, self.require("project_name"), self.play_hosts, self.variables["groups"]
        )

    def at_once(self) -> int:
        """Return how many servers of a project are changed at the same time."""
        number = _rollout.read_at_once(self.read("at_once"))
        if number is None:
            raise failure(f"at_once is {self.read('at_once')!r}. It must be a whole number of 1 or more.")
        return number

    def turns(self) -> Turns:
        """Return what lets the servers of this project wait for each other."""
        return Turns(self.board(), self.host)

    def board(self) -> Board:
        """Return what the hosts of this play share."""
        return Board(board_folder(self._task.get_play()))

    def on_server(self, module: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module on the server.

        Raises AnsibleConnectionFailure when it cannot be reached, also where another host of the play has found so.
        """
        with self._sessions(), self._login() as connected:
            self._connect = connected
            result: dict[str, Any] = self._execute_module(
                module_name=module, module_args=dict(arguments), task_vars=self.variables
            )
        return result

    def on_server_or_lost(self, module: str, arguments: Mapping[str, Any], *, harmless: bool) -> dict[str, Any]:
        """Run a module. Among several hosts, one that cannot be reached has failed, and is part of the report."""
        try:
            return self.on_server(module, arguments)
        except AnsibleConnectionFailure as error:
            if len(self.play_hosts) == 1:
                raise
            return _rollout.lost(
                self.host, error, self.why_lost(error), connected=self._is_connected, harmless=harmless
            )

    def why_lost(self, error: object) -> str:
        """Return why the server cannot be reached, and what to do."""
        names = ("ansible_connection", *_login_failure.LOGIN_VARIABLES)
        login = _login_failure.read_login({name: self.read(name) for name in names}, self.host)
        # Projects of one server then have the same reason.
        projects = {host.partition("@")[0] for host in self.play_hosts}
        setup = typed("setup", "all" if len(projects) > 1 else self.require("project_name"))
        return _login_failure.not_reached(str(error), login, setup)

    def progress_copied(self, remote: str) -> AbstractContextManager[None]:
        """Bring a progress file of the server to where the stdout callback reads it, while a module runs there."""
        board = self.board()
        local = board.path(self.host, "progress")
        if self._connection.transport.rpartition(".")[2] == "local":
            return _progress_copy.linked(Path(remote), local)
        if not self._shares_connections():
            return nullcontext()
        address = self._address()

        def spare_session() -> int | None:
            return board.spare_session(address) if self._is_connected else None

        return _progress_copy.followed(self._ssh(), remote, local, spare_session)

    def _low_level_execute_command(self, cmd: str, *args: object, **options: object) -> dict[str, Any]:
        """Run a command on the server. What it needs was packed while ssh logged in."""
        self._connect()
        self._is_connected = True
        result: dict[str, Any] = super()._low_level_execute_command(cmd, *args, **options)  # type: ignore[no-untyped-call]
        return result

    def _sessions(self) -> AbstractContextManager[None]:
        several = self._shares_connections() and len(self.play_hosts) > 1
        return self.board().session(self._server_name()) if several else nullcontext()

    @contextmanager
    def _login(self) -> Iterator[Callable[[], None]]:
        """Begin to log in, and yield what waits for that to end. It fails as Ansible's own connection does."""
        if not self._shares_connections():
            yield lambda: None
            return
        with self.board().login(self._login_name()) as login, SharedConnection(self._ssh) as connection:
            if login.is_first:
                connection.open()
            yield lambda: self._finish_login(login, connection)

    def _finish_login(self, login: Login, connection: SharedConnection) -> None:
        error = login.others_error() if not login.is_first else connection.wait()
        login.done(error)
        if error:
            raise AnsibleConnectionFailure(f"Failed to connect to the host via ssh: {error}")

    def _shares_connections(self) -> bool:
        """Return whether ssh has a connection that hosts share: with a password, Ansible logs in itself."""
        connection = self._connection
        if connection.transport.rpartition(".")[2] != "ssh" or connection.get_option("password"):
            return False
        return is_shared(str(connection.get_option("ssh_args")))

    def _ssh(self, *words: str) -> list[bytes]:
        """Return the command of ssh with all options that Ansible gives it."""
        connection = self._connection
        connection.host = self._address()
        # Ansible builds this command for its own `meta: reset_connection`, too.
        command: list[bytes] = connection._build_command(connection.get_option("ssh_executable"), "ssh", *words)  # noqa: SLF001
        return [*command, connection.host.encode()]

    def _address(self) -> str:
        return str(self._connection.get_option("host") or self.host)

    def _server_name(self) -> str:
        return f"{self._address()} {self._connection.get_option('port')}"

    def _login_name(self) -> str:
        """Return what hosts that log in alike share, in this task: the connection of an earlier one may be gone."""
        options = (self._connection.get_option(name) for name in LOGIN_OPTIONS)
        return repr((self._task._uuid, self._address(), *options))  # noqa: SLF001  the only name of a task


def failure(message: str) -> AnsibleActionFail:
    """Return the exception that ends an action with `message`."""
    return AnsibleActionFail(message)  # type: ignore[no-untyped-call]  # Ansible ships few types
