# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key that a project or a server may have, and the type of its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import values

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_KEYS: Mapping[str, values.ValueType] = {
    "host": values.SERVER,
    "user": values.WORD,
    "port": values.PORT,
    "key": values.TEXT,
    "admin": values.WORD,
    "python": values.ABSOLUTE,
    "connection": values.choice("ssh", "local"),
    "forward_agent": values.FLAG,
    "needs_tty": values.FLAG,
}

PROJECT_KEYS: Mapping[str, values.ValueType] = {
    **SERVER_KEYS,
    "hosts": values.SERVERS,
    "repo": values.REPO,
    "path": values.TREE,
    "ref": values.REF,
    "strategy": values.choice("releases", "in_place"),
    "keep": values.COUNT,
    "shared_paths": values.INSIDE,
    "writable_paths": values.WRITABLE,
    "pre_deploy": values.TEXT,
    "post_deploy": values.TEXT,
    "test": values.TEXT,
    "restart_file": values.WITHIN,
    "app": values.APP,
    "bind": values.BIND,
    "workers": values.WORKERS,
    "env_file": values.ABSOLUTE,
    "index": values.INDEX,
    "local": values.TEXT,
    "url": values.ADDRESS,
    "reload_timeout": values.COUNT,
    "hook_timeout": values.COUNT,
    "lock_wait": values.WHOLE_SECONDS,
}

# Mappings, checked one level deep. Their names are those of procmon's own configuration.
TABLES: Mapping[str, Mapping[str, values.ValueType]] = {
    "heartbeat": {
        "path": values.URL_PATH,
        "host_header": values.WORD,
        "interval": values.seconds(0),
        "timeout": values.seconds(0.1, 3600),
        "accept": values.STATUSES,
        "guard": values.seconds(0),
    },
    "reload": {
        "boot_timeout": values.seconds(0.1),
        "drain_timeout": values.seconds(0),
        "idle_grace": values.seconds(0, 3600),
        "surge": values.choice("all", "one"),
    },
    "worker": {
        "hang_timeout": values.seconds(2),
        "max_requests": values.COUNT,
        "max_age": values.seconds(1, 1e9),
        "max_rss": values.MEMORY,
    },
}

# Mappings in which the user chooses the names.
FREEFORM_TABLES: Mapping[str, values.ValueType] = {"env": values.ENVIRONMENT_VALUE, "uvicorn": values.ANYTHING}

# Keys of earlier versions, with what to do about each.
REMOVED: Mapping[str, str] = {
    "worker.preload": "was removed: workers always import the app themselves. Delete the key",
}

# What is sought at a project itself and has another place.
ELSEWHERE: Mapping[str, str] = {"interface": "is an option of uvicorn; write uvicorn: {interface: wsgi}"}

_RELOADING = "procmon reloads when the restart file is touched"
_NO_EFFECT = "it would have no effect"
# uvicorn's options that procmon sets itself, that have no effect in its workers, or that work against it, with what to
# use instead. procmon refuses the same ones, and all that start with ssl_.
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
    "backlog": "procmon owns the listening socket, with a backlog of 2048",
    "env_file": "use the project's env_file",
    "callback_notify": _NO_EFFECT,
    "timeout_notify": _NO_EFFECT,
    "http2": "procmon cannot drain HTTP/2 connections: use a proxy in front",
}
_TLS = "use a proxy in front for TLS"

REQUIRED = ("repo", "path")

# The values of these are shell commands, in which " #" need not start a comment.
COMMANDS = ("pre_deploy", "post_deploy", "test")


def known(kind_of_section: str) -> list[str]:
    """Return the keys that a "project" or a "server" may have."""
    return [*PROJECT_KEYS, *TABLES, *FREEFORM_TABLES] if kind_of_section == "project" else [*SERVER_KEYS]


def advice_against(option: str, value: object) -> str | None:
    """Return what to use in place of one of uvicorn's options, or None when it may be set to `value`."""
    if option.startswith("ssl_"):
        return _TLS
    return None if option == "http2" and value is False else RESERVED_UVICORN_OPTIONS.get(option)


def type_of(key: str) -> values.ValueType | None:
    """Return the type of a project's key, dotted (`heartbeat.path`, `env.NAME`) or not; None if it is unknown."""
    table, dot, name = key.partition(".")
    if not dot or not name:
        return PROJECT_KEYS.get(key)
    return FREEFORM_TABLES.get(table) or TABLES.get(table, {}).get(name)
