# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every key that a project or a server may have, and the kind of its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import kind

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_KEYS: Mapping[str, kind.Kind] = {
    "host": kind.SERVER,
    "user": kind.WORD,
    "port": kind.PORT,
    "key": kind.TEXT,
    "admin": kind.WORD,
    "python": kind.ABSOLUTE,
    "connection": kind.choice("ssh", "local"),
    "forward_agent": kind.FLAG,
    "needs_tty": kind.FLAG,
}

PROJECT_KEYS: Mapping[str, kind.Kind] = {
    **SERVER_KEYS,
    "hosts": kind.SERVERS,
    "repo": kind.REPO,
    "path": kind.TREE,
    "ref": kind.REF,
    "strategy": kind.choice("releases", "in_place"),
    "keep": kind.COUNT,
    "shared_paths": kind.INSIDE,
    "pre_deploy": kind.TEXT,
    "post_deploy": kind.TEXT,
    "test": kind.TEXT,
    "restart_file": kind.WITHIN,
    "app": kind.APP,
    "bind": kind.BIND,
    "workers": kind.WORKERS,
    "env_file": kind.ABSOLUTE,
    "index": kind.INDEX,
    "local": kind.TEXT,
    "reload_timeout": kind.COUNT,
    "hook_timeout": kind.COUNT,
    "lock_wait": kind.WHOLE_SECONDS,
}

# Mappings, checked one level deep. The names inside are those of procmon's own configuration.
TABLES: Mapping[str, Mapping[str, kind.Kind]] = {
    "heartbeat": {
        "path": kind.URL_PATH,
        "host_header": kind.WORD,
        "interval": kind.seconds(0),
        "timeout": kind.seconds(0.1, 3600),
        "accept": kind.STATUSES,
        "guard": kind.seconds(0),
    },
    "reload": {
        "boot_timeout": kind.seconds(0.1),
        "drain_timeout": kind.seconds(0),
        "idle_grace": kind.seconds(0, 3600),
        "surge": kind.choice("all", "one"),
    },
    "worker": {
        "hang_timeout": kind.seconds(2),
        "max_requests": kind.COUNT,
        "max_age": kind.seconds(1, 1e9),
        "max_rss": kind.MEMORY,
    },
}

# Mappings whose names are the user's own.
OPEN_TABLES: Mapping[str, kind.Kind] = {"env": kind.ENVIRONMENT_VALUE, "uvicorn": kind.ANYTHING}

# Keys of earlier versions, with what their writer has to know.
REMOVED: Mapping[str, str] = {
    "worker.preload": "was removed, the workers always import the app themselves. Delete the key",
}

_RELOADING = "procmon reloads when the restart file is touched"
_NO_EFFECT = "it would have no effect"
# uvicorn's options that procmon sets itself, that have no effect in its workers, or that work against it: what to use
# instead. procmon refuses the same ones, and all that begin with ssl_.
RESERVED_UVICORN_OPTIONS: Mapping[str, str] = {
    "app": "use the project's app",
    "host": "use bind",
    "port": "use bind",
    "uds": "use bind",
    "fd": "use bind",
    "workers": "use the project's workers",
    "reload": _RELOADING,
    "reload_dirs": _RELOADING,
    "reload_includes": _RELOADING,
    "reload_excludes": _RELOADING,
    "reload_delay": _RELOADING,
    "limit_max_requests": "use worker.max_requests",
    "limit_max_requests_jitter": "use worker.max_requests",
    "timeout_graceful_shutdown": "use reload.drain_timeout",
    "timeout_worker_healthcheck": "use worker.hang_timeout",
    "backlog": "the queue of new connections is procmon's, it holds 2048",
    "env_file": "use the project's env_file",
    "callback_notify": _NO_EFFECT,
    "timeout_notify": _NO_EFFECT,
    "http2": "procmon cannot drain HTTP/2, leave it to a proxy in front",
}
_TLS = "TLS belongs to a proxy in front"

REQUIRED = ("repo", "path")

# The values of these are commands, in which " #" may mean anything.
COMMANDS = ("pre_deploy", "post_deploy", "test")


def known(kind_of_section: str) -> list[str]:
    """List the keys that a "project" or a "server" may have."""
    return [*PROJECT_KEYS, *TABLES, *OPEN_TABLES] if kind_of_section == "project" else [*SERVER_KEYS]


def advice_against(option: str, value: object) -> str | None:
    """Say what to use in place of one of uvicorn's options; None when it may be set to `value`."""
    if option.startswith("ssl_"):
        return _TLS
    return None if option == "http2" and value is False else RESERVED_UVICORN_OPTIONS.get(option)


def kind_of(key: str) -> kind.Kind | None:
    """Find the kind of a project's key, which may be dotted (`heartbeat.path`, `env.NAME`); None when there is none."""
    table, dot, name = key.partition(".")
    if not dot or not name:
        return PROJECT_KEYS.get(key)
    return OPEN_TABLES.get(table) or TABLES.get(table, {}).get(name)
