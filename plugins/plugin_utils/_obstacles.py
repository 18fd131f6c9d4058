# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a project from being set up on a server: a pure function from settings and facts to obstacles.

Facts come from the module server_facts, asked as root (`system`) and as the project's user (`own`). Either may be
missing: its login is then an obstacle itself, or becomes possible while setup runs. Private to this collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.redaction import hide_secrets

from ._host_names import together
from ._login_failure import ENDED_BY_SETUP, Login, found_and_remedy

Facts = Mapping[str, Any]

MIB = 1024 * 1024
# What setup itself puts on a disk, rounded up: git with python3-venv, procmon with uv, and an empty clone.
PACKAGES_BYTES, PROCMON_BYTES, PROJECT_BYTES = 300 * MIB, 200 * MIB, 50 * MIB
NEEDED_INODES = 10_000
CLOCK_SECONDS = 300.0
# An option of git, or a helper program of git's own naming
NOT_AN_ADDRESS = re.compile(r"-|[A-Za-z0-9]+::")
MODULES_PYTHON, PROCMON_PYTHON = (3, 9), (3, 10)
NO_LOGIN_SHELLS = ("nologin", "false", "sync", "halt", "shutdown")
# After these failures of one login, the other one to the same server would fail alike.
SERVER_FAILURES = ("unresolved", "unreachable", "host_key")


@dataclass(frozen=True)
class Obstacle:
    """One obstacle: what was found, and what to do."""

    found: str
    remedy: str

    def text(self) -> str:
        """Return it as one line."""
        return _words(f"{self.found}. {self.remedy}")


@dataclass(frozen=True)
class Wanted:
    """The settings of a project on one server that decide what it needs there."""

    name: str
    address: str
    path: str
    repo: str
    user: str
    admin: str
    system: bool = True
    app: bool = False
    systemd: bool = True
    bind: str = ""
    home: str = "/opt/procmon"
    python: str = "/usr/bin/python3"
    procmon_python: str = "python3"
    packages: tuple[str, ...] = ()
    port: str = ""
    key: str = ""


@dataclass(frozen=True)
class Answer:
    """What one login found: facts, or why there are none. Empty where it was not tried."""

    login: Facts = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind of the failure; empty for a login that works, or was not tried."""
        return str(self.login.get("kind", ""))


def read_wanted(about: Mapping[str, Any]) -> Wanted:
    """Return the settings that matter of those of `project_about`."""
    names = {one.name for one in fields(Wanted)}
    values = {name: value for name, value in about.items() if name in names}
    return Wanted(**{**values, "packages": tuple(about["packages"])})


def find(wanted: Wanted, system: Answer, own: Answer, *, begun: bool = False) -> list[Obstacle]:
    """Return all obstacles that settings and facts show, each once.

    Once setup has `begun`, it has done what makes the user's login possible.
    """
    found: list[Obstacle] = [*settings(wanted), *logins(wanted, system, own, begun=begun)]
    facts = system.facts or own.facts
    if facts:
        found += [*machine(wanted, facts), *interpreters(wanted, facts), *disks(wanted, facts), *clock(facts)]
        found += [*account(wanted, facts), *address(wanted, facts), *path(wanted, system.facts, own.facts)]
        # Root does not see what a user has; for one who is not there yet, it sees all that there is.
        found += git(wanted, own.facts or facts) if own.facts or not facts["account"]["exists"] else []
    return list(dict.fromkeys(found))


def settings(wanted: Wanted) -> Iterator[Obstacle]:
    """Find settings that can work on no server."""
    if not wanted.path.startswith("/") or len(wanted.path) < len("/x"):
        yield Obstacle(
            f"path must be absolute, not '{wanted.path}'", "Set `path` to a directory for this project alone"
        )
    if not wanted.repo:
        yield Obstacle("repo must not be empty", "Set `repo` to the address of the git repository")
    elif NOT_AN_ADDRESS.match(wanted.repo):
        found = f"repo must be an ssh or https address, or a path, not '{hide_secrets(wanted.repo)}'"
        yield Obstacle(found, "Use the address that the git server shows for cloning")
    if wanted.user == "root" and (wanted.system or (wanted.app and wanted.systemd)):
        remedy = "Where only root can log in, set `admin: root`, and `user` to a name that setup creates"
        yield Obstacle("user must not be root, because the app runs as this user", remedy)


def logins(wanted: Wanted, system: Answer, own: Answer, *, begun: bool) -> Iterator[Obstacle]:
    """Find logins that do not work. That of a user whom setup creates, or gives a key, comes with setup."""
    if system.kind:
        yield login(system, wanted, wanted.admin)
    comes = not begun and comes_with_setup(wanted, system, own)
    if own.kind and system.kind not in SERVER_FAILURES and not comes:
        yield login(own, wanted, wanted.user)


def comes_with_setup(wanted: Wanted, system: Answer, own: Answer) -> bool:
    """Return whether setup itself makes the user's login work: it has another one, and creates the user or a key.

    Where that other one does not work yet, it alone is the obstacle: whether there is the user cannot be seen.
    """
    has_other = bool(system.facts or system.kind) and wanted.admin != wanted.user
    return has_other and own.kind in ENDED_BY_SETUP


def login(answer: Answer, wanted: Wanted, user: str) -> Obstacle:
    """Return the obstacle that a failure of a login is."""
    setting = "admin" if user == wanted.admin != wanted.user else "user"
    how = Login(user, wanted.address, wanted.port, wanted.key)
    return Obstacle(*found_and_remedy(answer.kind, how, text=answer.login.get("text", ""), setting=setting))


def machine(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """Find what the operating system lacks."""
    missing = ", ".join(facts["missing_packages"])
    if wanted.system and facts["missing_packages"] and not facts["apt"]:
        yield Obstacle(
            f"packages are missing, and there is no apt to install them ({facts['system']}): {missing}", "Install them"
        )
    if not facts["git_installed"] and not installs_git(wanted, facts):
        yield Obstacle(f"git is not installed ({facts['system']})", "Install git 2.30 or newer")
    if wanted.app and wanted.systemd and not facts["systemd"]:
        remedy = "Start procmon by other means with supervisor_systemd=false and supervisor_state_dir, or remove `app`"
        yield Obstacle(f"systemd does not run {wanted.address}, and it is to run procmon", remedy)


def installs_git(wanted: Wanted, facts: Facts) -> bool:
    """Return whether setup will install git."""
    return wanted.system and facts["apt"] and "git" in wanted.packages


def interpreters(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """Find interpreters that are missing or too old."""
    needs = [("python", wanted.python, MODULES_PYTHON, "environments need")]
    if wanted.app:
        needs.append(("supervisor_python", wanted.procmon_python, PROCMON_PYTHON, "procmon needs"))
    for setting, python, minimum, who in needs:
        version = facts["pythons"].get(python, "")
        loose = facts["loose_pythons"].get(python)
        if loose:
            found = f"setup would run '{python}' as root, and others than root can change {loose}"
            yield Obstacle(found, f"Name one that is root's with `{setting}`, such as /usr/bin/python3")
            continue
        least = ".".join(map(str, minimum))
        if not version or tuple(map(int, version.split("."))) < minimum:
            found = f"is {version}" if version else "cannot be run there"
            where = f"name it with `{setting}`, such as /usr/bin/python3.12"
            remedy = f"Install Python {least} or newer on the server and {where}"
            yield Obstacle(f"{who} Python {least} or newer, and '{python}' {found}", remedy)


def disks(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """Find file systems without enough room, or that are read-only; each once, with all that it is to take."""
    needs: dict[object, int] = {}
    paths: dict[object, list[str]] = {}
    by_path = {disk["path"]: disk for disk in facts["disks"]}
    for path_, size in sizes(wanted, facts).items():
        if path_ in by_path:
            device = by_path[path_]["device"]
            needs[device] = needs.get(device, 0) + size
            paths.setdefault(device, []).append(path_)
    for device, size in needs.items():
        yield from room(by_path[paths[device][0]], size, " and ".join(paths[device]))


def sizes(wanted: Wanted, facts: Facts) -> dict[str, int]:
    """Return how many bytes setup will need below each path."""
    needs = {wanted.path: 0 if facts["path"]["has_clone"] else PROJECT_BYTES}
    if facts["missing_packages"]:
        needs["/usr"] = PACKAGES_BYTES
    if wanted.app and not facts["procmon_installed"]:
        needs[wanted.home] = needs.get(wanted.home, 0) + PROCMON_BYTES
    return needs


def room(disk: Facts, size: int, what: str) -> Iterator[Obstacle]:
    """Find what one file system lacks for `size` more bytes."""
    if disk["read_only"]:
        yield Obstacle(f"the file system of {what} is read-only", "Mount it writable")
    if disk["free_bytes"] < size:
        free = f"{disk['free_bytes'] // MIB} MiB are free for {what}, and setup needs {size // MIB} MiB"
        yield Obstacle(f"the disk is full: {free}", "Free some space")
    if size and disk["free_inodes"] is not None and disk["free_inodes"] < NEEDED_INODES:
        free = f"{disk['free_inodes']} are free for {what}, and setup needs {NEEDED_INODES}"
        yield Obstacle(f"the disk has too few inodes: {free}", "Remove files that are not needed (df -i shows where)")


def clock(facts: Facts) -> Iterator[Obstacle]:
    """Find a clock that is far off: certificates would not be valid yet, or any more."""
    seconds = facts["clock_seconds"]
    if abs(seconds) > CLOCK_SECONDS:
        found = f"the server's clock is {span(abs(seconds))} {'ahead of' if seconds > 0 else 'behind'} this machine's"
        yield Obstacle(found, "Set the one that is wrong, such as with: timedatectl set-ntp true")


def span(seconds: float) -> str:
    """Return a time in the largest unit that fits."""
    units = ((86400, "days"), (3600, "hours"), (60, "minutes"))
    size, unit = next((size, unit) for size, unit in units if seconds >= size)
    return f"{seconds / size:.0f} {unit}"


def account(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """Find a project's user who could not log in."""
    user = facts["account"]
    if not user["exists"]:
        if not wanted.system:
            yield Obstacle(
                f"there is no user {wanted.user}", f"Create it: useradd --create-home --shell /bin/bash {wanted.user}"
            )
        return
    if user["shell"].rpartition("/")[2] in NO_LOGIN_SHELLS:
        yield Obstacle(
            f"user {wanted.user} cannot log in, because its shell is {user['shell']}",
            f"Give it one: usermod -s /bin/bash {wanted.user}",
        )
    if not user["home_exists"]:
        remedy = f"Create it: mkhomedir_helper {wanted.user}"
        yield Obstacle(
            f"user {wanted.user} cannot be given a key: its home directory {user['home']} does not exist", remedy
        )


def address(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """Find what keeps the app from its address. systemd creates the directory of a unix socket itself."""
    if not wanted.bind:
        return
    if facts["bind"]:
        advice = "Free it, or set `bind` to another address"
        yield Obstacle(f"bind {wanted.bind} {facts['bind']}", advice)
    directory = facts["socket_directory"]
    if directory == "occupied" or (directory == "missing" and not wanted.systemd):
        what = "does not exist" if directory == "missing" else "is below something that is not a directory"
        yield Obstacle(f"the directory of bind {wanted.bind} {what}", "Create it, or set `bind` to another path")


def path(wanted: Wanted, system: Facts, own: Facts) -> Iterator[Obstacle]:
    """Find what is in the way of the project's directory. Root can write everywhere, and gives it to the user."""
    here = (system or own)["path"]
    if here["unsafe"]:
        yield Obstacle(f"setup does not follow it as root: {here['unsafe']}", "Set `path` to the directory itself")
        return
    if not here["is_directory"]:
        yield Obstacle(
            f"path {wanted.path} is occupied: {here['nearest']} is not a directory",
            "Move it away, or set another `path`",
        )
        return
    if (own or system)["path"]["source_occupied"]:
        yield Obstacle(f"{wanted.path}/source is not a git clone", "Move it away, or set another `path`")
    elif own and not own["path"]["source_writable"]:
        remedy = f"Let the user own it: chown -R {wanted.user} {wanted.path}"
        yield Obstacle(f"{wanted.user} may not write in {wanted.path}/source", remedy)
    if not wanted.system and not here["writable"]:
        remedy = f"Create {wanted.path} there, and let {wanted.user} own it"
        yield Obstacle(f"{wanted.user} may not write in {here['nearest']}", remedy)


def git(wanted: Wanted, facts: Facts) -> list[Obstacle]:
    """Find what keeps git from the repository. A key that setup makes for the project is none: it is a next step."""
    found = facts["git"]
    if not wanted.repo or NOT_AN_ADDRESS.match(wanted.repo):
        return []
    if found.get("not_allowed"):
        return [Obstacle(*found["not_allowed"].split(". ", 1))]
    if found.get("refused"):
        what = f"ssh does not accept the address {hide_secrets(wanted.repo)}: {found['refused']}"
        return [Obstacle(what, "Check `repo`, ~/.ssh/config and project_known_hosts")]
    return [] if found["access"] in ("ok", "denied") else unanswered(found)


def unanswered(found: Facts) -> list[Obstacle]:
    """Find why the git server gave no answer, or would give none."""
    if not found.get("resolves", True):
        remedy = "Correct `repo`, or the server's DNS"
        return [Obstacle(f"the name {found['host']} of the git server does not resolve on the server", remedy)]
    if found["access"] == "host_key" or (not found["access"] and is_unknown(found)):
        return [unknown_host_key(found)]
    return [Obstacle(found["error"], capitalized(found["remedy"]))] if found["access"] == "failed" else []


def is_unknown(found: Facts) -> bool:
    """Return whether no side has a host key for the git server, by what was found of git."""
    return bool(found.get("name")) and not found.get("known") and not found.get("add")


def unknown_host_key(found: Facts) -> Obstacle:
    """Return what to do about a host key that is known nowhere."""
    return Obstacle(
        f"the host key of the git server {found['name']} is not known, so that the server cannot verify it",
        f"Connect to it once from this machine ({found['command']}) and accept its key, or set project_known_hosts to "
        "its line of known_hosts. Then run setup again",
    )


def capitalized(text: str) -> str:
    """Return a text with a capital letter at its start."""
    return text[:1].upper() + text[1:]


def lines(obstacles: Mapping[str, Iterable[Obstacle]]) -> list[str]:
    """Return the lines of a report of `obstacles`, those of each inventory host: each one once, with its hosts.

    What has the same remedy stands together, with the remedy below it.
    """
    hosts: dict[Obstacle, list[str]] = {}
    for host, found in obstacles.items():
        for one in found:
            hosts.setdefault(one, []).append(host)
    remedies: dict[str, list[str]] = {}
    for one, names in hosts.items():
        remedies.setdefault(_words(one.remedy), []).append(f"{together(names)}: {_words(one.found)}")
    return [line for remedy, found in remedies.items() for line in _entry(found, remedy)]


def _entry(found: list[str], remedy: str) -> list[str]:
    return [f"{found[0]}. {remedy}"] if len(found) == 1 else [*found, f"  {remedy}"]


def _words(text: str) -> str:
    return " ".join(text.split())
