# SPDX-License-Identifier: GPL-3.0-or-later
"""One project's configuration: its keys, defaults and limits. An error names the key, the value and what is allowed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, cast

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")
SUN_PATH_BYTES = 108
"""The kernel's limit for the path of a unix socket, its final NUL included."""
_BIND = "procmon sets it: see bind"
_RELOAD = "procmon reloads when the restart file is touched"
_NO_EFFECT = "it has no effect under procmon"
RESERVED_UVICORN_OPTIONS: Mapping[str, str] = {
    "app": "procmon sets it: see app",
    **dict.fromkeys(("host", "port", "uds", "fd"), _BIND),
    "workers": "procmon sets it: see workers",
    **dict.fromkeys(("reload", "reload_dirs", "reload_includes", "reload_excludes", "reload_delay"), _RELOAD),
    **dict.fromkeys(("limit_max_requests", "limit_max_requests_jitter"), "use worker.max_requests"),
    "timeout_graceful_shutdown": "use reload.drain_timeout",
    "timeout_worker_healthcheck": "use worker.hang_timeout",
    "backlog": "the socket is procmon's, its queue holds 2048 connections",
    "env_file": "use env_file at the top of this file",
    **dict.fromkeys(("callback_notify", "timeout_notify"), _NO_EFFECT),
    "http2": "procmon cannot drain HTTP/2: leave it to the proxy in front",
}
"""Options of uvicorn.Config that would have no effect or work against procmon, with what to do instead."""
REMOVED_KEYS: Mapping[str, str] = {"worker.preload": "the workers always import the app themselves"}
"""Keys of earlier versions: a service must not fail to start because of one, but its operator is warned."""
SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class ConfigError(Exception):
    """Raised when a configuration cannot be used; the text says which key, what was found and what is allowed."""


@dataclass(frozen=True)
class Bind:
    """Where to listen: `path` for a unix socket, else `host` and `port`."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Rule:
    """How one key is read: `read` returns the value or raises ValueError; `allowed` completes "must be ..."."""

    key: str
    allowed: str
    read: Callable[[object], object]


def _rule(key: str, allowed: str, read: Callable[[object], object]) -> Mapping[str, Rule]:
    """Return the metadata of a field that is read from `key`. Without a default the key is required."""
    return {"rule": Rule(key, allowed, read)}


def _text(pattern: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        raise ValueError

    return read


def _number(least: float, most: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most:
            return float(value)
        raise ValueError

    return read


def _count(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise ValueError

    return read


def _size(value: object) -> int:
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+)([KMG])", value)
        value = int(found[1]) * SIZES[found[2]] if found else None
    return _count(1 << 20, 1 << 50)(value)


def _bind(value: object) -> Bind:
    text = _text(r"[^\s\0]+")(value)
    if text.startswith("unix:/") and len(text.encode()) < len("unix:") + SUN_PATH_BYTES:
        return Bind(path=text.removeprefix("unix:"))
    found = re.fullmatch(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})", text)
    if found is None:
        raise ValueError
    return Bind(host=found["six"] or found["host"], port=_count(1, 65535)(int(found["port"])))


def _statuses(value: object) -> tuple[int, ...]:
    if isinstance(value, list) and value:
        return tuple(_count(100, 599)(status) for status in value)
    raise ValueError


def _table(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return dict(value)
    raise ValueError


def _uvicorn_options(value: object) -> Mapping[str, Any]:
    table = _table(value)
    try:
        # They travel to the workers as JSON, which has no dates.
        json.dumps(table, allow_nan=False)
    except TypeError as error:
        raise ValueError from error
    return table


def _environment(value: object) -> Mapping[str, str]:
    table = _table(value)
    return {_text(r"[A-Za-z_]\w*")(name): _text(r"[^\0]*")(text) for name, text in table.items()}


def _one_of(*words: str) -> Callable[[object], str]:
    return _text("|".join(words))


def _path(value: object) -> Path:
    return Path(ABSOLUTE(value))


ABSOLUTE = _text(r"/[^\0]*")
NO_LIMIT = 1e9
MAX_TICK_INTERVAL_SECONDS = 5.0
TICK_INTERVAL_SHARE = 1 / 6
"""Of `hang_timeout`: a worker that hangs is noticed so much later."""


@dataclass(frozen=True)
class HeartbeatConfig:
    """How the app's health is checked; an interval of 0 leaves only the probe of each new worker."""

    path: str = field(default="/", metadata=_rule("path", 'a path that begins with "/"', _text(r"/[!-~]*")))
    host_header: str = field(default="", metadata=_rule("host_header", "a host name", _text(r"[!-~]+")))
    interval_seconds: float = field(
        default=10.0, metadata=_rule("interval", "seconds, 0 (off) to 86400", _number(0, 86400))
    )
    timeout_seconds: float = field(default=10.0, metadata=_rule("timeout", "seconds, 0.1 to 3600", _number(0.1, 3600)))
    accept: tuple[int, ...] = field(
        default=(200, 302), metadata=_rule("accept", "a list of HTTP statuses, 100 to 599", _statuses)
    )
    guard_seconds: float = field(default=10.0, metadata=_rule("guard", "seconds, 0 to 86400", _number(0, 86400)))


@dataclass(frozen=True)
class ReloadConfig:
    """How one generation replaces the other."""

    boot_timeout_seconds: float = field(
        default=60.0, metadata=_rule("boot_timeout", "seconds, 0.1 to 86400", _number(0.1, 86400))
    )
    drain_timeout_seconds: float = field(
        default=30.0, metadata=_rule("drain_timeout", "seconds, 0 to 86400", _number(0, 86400))
    )
    idle_grace_seconds: float = field(default=5.0, metadata=_rule("idle_grace", "seconds, 0 to 3600", _number(0, 3600)))
    surge: str = field(default="all", metadata=_rule("surge", '"all" or "one"', _one_of("all", "one")))


@dataclass(frozen=True)
class WorkerConfig:
    """When a single worker is replaced. None means never."""

    hang_timeout_seconds: float = field(
        default=30.0, metadata=_rule("hang_timeout", "seconds, 2 to 86400", _number(2, 86400))
    )
    max_requests: int | None = field(
        default=None, metadata=_rule("max_requests", "a number from 1", _count(1, 1 << 62))
    )
    max_age_seconds: float | None = field(
        default=None, metadata=_rule("max_age", "seconds from 1", _number(1, NO_LIMIT))
    )
    max_rss_bytes: int | None = field(
        default=None, metadata=_rule("max_rss", 'bytes from 1048576, or "300M", "2G"', _size)
    )

    @property
    def tick_interval_seconds(self) -> float:
        """How often a worker without anything new reports that its event loop turns."""
        return min(MAX_TICK_INTERVAL_SECONDS, self.hang_timeout_seconds * TICK_INTERVAL_SHARE)


@dataclass(frozen=True)
class Config:
    """All of one project's settings."""

    name: str = field(metadata=_rule("name", "letters, digits, and . _ -", _text(r"[A-Za-z0-9_][A-Za-z0-9._-]*")))
    app: str = field(metadata=_rule("app", '"module:attribute"', _text(r"[\w.]+:[\w.]+(\(\))?")))
    directory: Path = field(metadata=_rule("directory", "an absolute path", _path))
    bind: Bind = field(metadata=_rule("bind", '"host:port", "[v6]:port" or "unix:/path"', _bind))
    workers: int = field(default=2, metadata=_rule("workers", "a number from 1 to 512", _count(1, 512)))
    restart_file: str = field(
        default="public/system/restart", metadata=_rule("restart_file", "a path", _text(r"[^\0]+"))
    )
    state_directory: str = field(default="", metadata=_rule("state_dir", "an absolute path", ABSOLUTE))
    python: str = field(default="", metadata=_rule("python", "an absolute path", ABSOLUTE))
    env: Mapping[str, str] = field(
        default_factory=dict, repr=False, metadata=_rule("env", 'names with texts, {KEY = "value"}', _environment)
    )
    env_file: str = field(default="", metadata=_rule("env_file", "an absolute path", ABSOLUTE))
    uvicorn: Mapping[str, Any] = field(
        default_factory=dict, metadata=_rule("uvicorn", "a table of options of uvicorn.Config", _uvicorn_options)
    )
    heartbeat: HeartbeatConfig = HeartbeatConfig()
    reload: ReloadConfig = ReloadConfig()
    worker: WorkerConfig = WorkerConfig()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What this was parsed from."""

    digest: str = field(default="", compare=False)
    """Identifies the state of the file that this was read from, and of its `env_file`."""

    file: str = field(default="", compare=False)
    """The real path of the file that this was read from: links that lead to it may change with each deploy."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What others know this procmon by: a change of it requires a restart."""
        return {"name": self.name, "bind": str(self.bind), "state_dir": str(self.state_path)}

    @property
    def warnings(self) -> list[str]:
        """One line for each key that is ignored."""
        return [
            f"{key} was removed and is ignored: {reason}. Delete the key"
            for key, reason in REMOVED_KEYS.items()
            if _has_key(self.document, key)
        ]

    @property
    def restart_path(self) -> Path:
        """The restart file; its parents may be links that change from release to release."""
        return self.directory / self.restart_file

    @property
    def state_path(self) -> Path:
        """The directory of status.json and of the lock."""
        return Path(self.state_directory or f"/run/procmon/{self.name}")


SECTIONS = ("heartbeat", "reload", "worker")


def load(path: Path) -> Config:
    """Read the file at `path`. Raises `ConfigError`."""
    real = _real_file(path)
    try:
        data = real.read_bytes()
        config = parse(tomllib.loads(data.decode()))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return replace(config, digest=_digest(data, config.env_file), file=os.fsdecode(real))


def _real_file(path: Path) -> Path:
    """Return what the links of `path` lead to now. A pipe has no such name: it stays as it was given."""
    real = Path(os.path.realpath(path))
    return real if real.is_file() else path


def _digest(data: bytes, env_file: str) -> str:
    digest = hashlib.sha256(data)
    try:
        # The values in it are secret, and the digest is not.
        found = Path(env_file).stat() if env_file else None
    except OSError:
        found = None
    if found is not None:
        digest.update(f"{found.st_ino} {found.st_mtime_ns} {found.st_size}".encode())
    return digest.hexdigest()[:12]


def identity_error(old: Mapping[str, str], new: Config) -> str:
    """Return which key of an identity has changed, which requires a restart; empty when none has."""
    for key, value in new.identity.items():
        if old.get(key) != value:
            return f'changing {key} from "{old.get(key)}" to "{value}" requires a restart of procmon'
    return ""


def parse(document: Mapping[str, Any]) -> Config:
    """Check a whole document. Raises `ConfigError`."""
    top = {key: value for key, value in document.items() if key not in SECTIONS}
    config = Config(
        **_values(Config, top, "", SECTIONS),
        heartbeat=_section(HeartbeatConfig, document, "heartbeat"),
        reload=_section(ReloadConfig, document, "reload"),
        worker=_section(WorkerConfig, document, "worker"),
        document=dict(document),
    )
    _check_uvicorn(config.uvicorn)
    return config


def _check_uvicorn(options: Mapping[str, Any]) -> None:
    for name in sorted(options):
        if name in RESERVED_UVICORN_OPTIONS and not (name == "http2" and options[name] is False):
            raise ConfigError(f"uvicorn.{name} is not allowed: {RESERVED_UVICORN_OPTIONS[name]}. Delete the key")
        if name.startswith("ssl_"):
            raise ConfigError(
                f"uvicorn.{name} is not allowed: procmon speaks plain HTTP, TLS belongs to a proxy in front. "
                "Delete the key"
            )


def _has_key(document: Mapping[str, Any], key: str) -> bool:
    section, _point, name = key.rpartition(".")
    table = document.get(section, {}) if section else document
    return isinstance(table, dict) and name in table


def _section(kind: Callable[..., T], document: Mapping[str, Any], name: str) -> T:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{name} = {table!r}: must be a section, [{name}]")
    kept = {key: value for key, value in table.items() if f"{name}.{key}" not in REMOVED_KEYS}
    return kind(**_values(kind, kept, f"{name}."))


def _values(
    kind: Callable[..., object], table: Mapping[str, object], prefix: str, sections: Sequence[str] = ()
) -> dict[str, Any]:
    """Read each of `table`'s keys by its rule into the field's name."""
    ruled = {item.metadata["rule"].key: item for item in fields(cast(Any, kind)) if "rule" in item.metadata}
    for key in table:
        if key not in ruled:
            raise ConfigError(_unknown(key, [*ruled, *sections], prefix))
    for key, item in ruled.items():
        if key not in table and item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"{prefix}{key} is missing: it must be {item.metadata['rule'].allowed}")
    return {ruled[key].name: _read(ruled[key].metadata["rule"], value, prefix) for key, value in table.items()}


def _read(rule: Rule, value: object, prefix: str) -> object:
    try:
        return rule.read(value)
    except ValueError:
        # The values of an environment are often secrets: its names must do.
        shown = list(value) if rule.read is _environment and isinstance(value, dict) else value
        raise ConfigError(f"{prefix}{rule.key} = {shown!r}: must be {rule.allowed}") from None


def _unknown(key: str, known: list[str], prefix: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - it would stay in each master's memory

    near = get_close_matches(key, known, n=1)
    guess = f" Did you mean {prefix}{near[0]}?" if near else ""
    return (
        f"{prefix}{key} is not a key of procmon.{guess} Known are {', '.join(prefix + one for one in sorted(known))}."
    )
