# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `doctor` reports: of each thing that a project needs, that it is right, or what to do. Pure.

What setup needs is decided by `_obstacles`; this adds what is known of a project that is set up. Private to this
collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.redaction import hide_secrets

from . import _obstacles
from ._obstacles import Answer, Obstacle, Wanted
from ._status_table import COMMIT_CHARACTERS, is_answer
from ._terminal.text import clean

Facts = Mapping[str, Any]
ACCEPTED = (200, 302)
GIB = 1 << 30
NOT_SET_UP, NEVER_DEPLOYED = "not set up", "never deployed"
# A deploy would fail for this, so that it is not the advice.
NOTHING_TO_DEPLOY = "nothing to deploy"
# What procmon itself answers where there is no release.
NO_RELEASE_STATUS = 503
NOTE_REMEDIES = {
    NOT_SET_UP: "Run setup",
    NEVER_DEPLOYED: "Deploy it",
    "settings wait for a deploy": "Deploy it again",
    "the last reload failed": "Look at its log: journalctl -u procmon@{name}",
    "procmon serves": "Restart it",
    "the log ends with": "Deploy again, with force",
    "the HEAD of source is": "Deploy again",
    "current points at": "Deploy again",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report. `is_right` is None for what a person may want to know, and need not act on."""

    text: str
    is_right: bool | None = True


@dataclass(frozen=True)
class Seen:
    """What was found about a project on one server: two logins, what is live (`releases_info`), what serves."""

    system: Answer
    own: Answer
    status: Facts
    service: Facts


def examine(wanted: Wanted, seen: Seen, accept: Sequence[int] = ACCEPTED) -> list[Finding]:
    """Return all findings, in the order in which a project comes to serve; `accept` are the app's good answers."""
    found = [*judged(_obstacles.settings(wanted), "settings: complete"), *logins(wanted, seen)]
    facts = seen.system.facts or seen.own.facts
    if not facts:
        return [*found, Finding("nothing else was checked, because no login works", is_right=None)]
    found += [*machine(wanted, seen, facts), *tree(wanted, seen)]
    if not seen.own.facts:
        return [*found, *unseen(wanted, seen)]
    stage = stage_of(seen.status)
    return [*found, *live(wanted, seen.status), *service(wanted, seen.service, accept, stage)]


def stage_of(status: Facts) -> str:
    """Return how far a project has come, by the note about it; empty for one that has been deployed."""
    notes = status.get("notes") or []
    return next((stage for stage in (NOT_SET_UP, NEVER_DEPLOYED) if stage in notes), "")


def judged(obstacles: Iterable[Obstacle], right: str) -> list[Finding]:
    """Return the obstacles, or that there are none."""
    return [Finding(one.text(), is_right=False) for one in obstacles] or [Finding(right)]


def logins(wanted: Wanted, seen: Seen) -> Iterator[Finding]:
    """Return who could log in, who could not, and who will once setup has run."""
    users = ((wanted.user, seen.own), (wanted.admin, seen.system))
    could = [user for user, answer in users if answer.facts]
    if could:
        yield Finding(f"login: as {' and '.join(dict.fromkeys(could))}")
    for text in dict.fromkeys(one.text() for one in _obstacles.logins(wanted, seen.system, seen.own, begun=False)):
        yield Finding(text, is_right=False)
    if is_created(wanted, seen):
        text = f"login: there is no user {wanted.user} yet. Setup creates it, and lets your key log in"
        yield Finding(text, is_right=None)
    elif _obstacles.comes_with_setup(wanted, seen.system, seen.own):
        text = f"login: {wanted.user} cannot log in yet ({seen.own.login.get('text', '').rstrip('. ')})"
        yield Finding(f"{text}. Setup lets your key log in", is_right=None)


def is_created(wanted: Wanted, seen: Seen) -> bool:
    """Return whether setup will create the project's user."""
    return wanted.system and bool(seen.system.facts) and not seen.system.facts["account"]["exists"]


def machine(wanted: Wanted, seen: Seen, facts: Facts) -> Iterator[Finding]:
    """Return the findings about the server itself."""
    yield from judged(_obstacles.machine(wanted, facts), f"system: {facts['system']}")
    yield from installations(wanted, facts)
    versions = ", ".join(f"{python} is {version}" for python, version in facts["pythons"].items() if version)
    yield from judged(_obstacles.interpreters(wanted, facts), f"Python: {versions}")
    yield from judged(_obstacles.disks(wanted, facts), f"disk: {room(wanted, facts)}")
    seconds = abs(facts["clock_seconds"])
    yield from judged(_obstacles.clock(facts), f"clock: {seconds:.0f} s from this machine's")
    if not is_created(wanted, seen):
        yield from judged(_obstacles.account(wanted, facts), f"user: {wanted.user} has a shell and a home directory")
    if wanted.bind:
        yield from judged(_obstacles.address(wanted, seen.system.facts or facts), holder(wanted, facts))


def holder(wanted: Wanted, facts: Facts) -> str:
    """Return who has the address, where no one has it who should not; only root sees who."""
    if facts.get("bind_is_free"):
        return f"bind: {wanted.bind} is free"
    who = "this project's" if facts.get("bind_is_own") else "in use, by this project or another"
    return f"bind: {wanted.bind} is {who}"


def installations(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Return what setup will install."""
    packages = facts["missing_packages"] if wanted.system and facts["apt"] else []
    procmon = ["procmon"] if wanted.app and not facts["procmon_installed"] else []
    if packages or procmon:
        yield Finding(f"programs: setup will install {', '.join([*packages, *procmon])}", is_right=None)


def room(wanted: Wanted, facts: Facts) -> str:
    """Return how much is free for the project."""
    disk = next(disk for disk in facts["disks"] if disk["path"] == wanted.path)
    inodes = "" if disk["free_inodes"] is None else f" and {disk['free_inodes']} inodes"
    return f"{disk['free_bytes'] / GIB:.1f} GiB{inodes} free for {wanted.path}"


def tree(wanted: Wanted, seen: Seen) -> Iterator[Finding]:
    """Return the findings about the project's directory and its repository."""
    obstacles = [*_obstacles.path(wanted, seen.system.facts, seen.own.facts)]
    if obstacles or (seen.system.facts or seen.own.facts)["path"]["nearest"] == wanted.path:
        yield from judged(obstacles, f"path: {wanted.path}")
    else:
        yield Finding(f"path: {wanted.path} does not exist yet. Setup creates it", is_right=None)
    if not seen.own.facts:
        return
    if seen.own.facts["git"]["access"] == "denied":
        denied = f"git: {wanted.user} may not read {hide_secrets(wanted.repo)}"
        if stage_of(seen.status) == NOT_SET_UP:
            yield Finding(f"{denied} yet. Setup makes a key, and names where to add it", is_right=None)
        else:
            yield Finding(f"{denied}. Run setup: it makes a key", is_right=False)
        return
    yield from judged(_obstacles.git(wanted, seen.own.facts), f"git: {hide_secrets(wanted.repo)} can be read")


def unseen(wanted: Wanted, seen: Seen) -> Iterator[Finding]:
    """Return what could not be looked at, because the project's user cannot log in."""
    repo = hide_secrets(wanted.repo)
    comes = is_created(wanted, seen) or _obstacles.comes_with_setup(wanted, seen.system, seen.own)
    if is_created(wanted, seen):
        # Root sees of the git server what a user sees who has no settings of their own.
        yield from (Finding(one.text(), is_right=False) for one in _obstacles.git(wanted, seen.system.facts))
    text = f"git: whether {wanted.user} can read {repo} is not checked"
    yield Finding(f"{text} yet. Setup asks, as soon as {wanted.user} can log in" if comes else text, is_right=None)
    if is_created(wanted, seen):
        yield Finding("live: not set up. Run setup", is_right=False)
    else:
        found = f"live: not known, because {wanted.user} cannot log in"
        yield Finding(f"{found} yet. Run setup" if comes else found, is_right=False if comes else None)


def live(wanted: Wanted, status: Facts) -> Iterator[Finding]:
    """Return the findings about what is live."""
    if not is_answer(status):
        yield Finding(f"live: not known ({status.get('msg') or 'no answer'})", is_right=False)
        return
    commit = status.get("commit")
    if commit:
        yield Finding(f"live: {commit[:COMMIT_CHARACTERS]} {clean(str(status.get('subject') or ''))}".rstrip())
    notes = status.get("notes") or []
    for note in notes:
        if note == NEVER_DEPLOYED and any(one.startswith(NOTHING_TO_DEPLOY) for one in notes):
            yield Finding(f"live: {note}", is_right=None)
        else:
            yield note_finding(wanted, note)


def note_finding(wanted: Wanted, note: str) -> Finding:
    """Return a note of the status with what to do; that there are newer commits is no fault."""
    if note.endswith(" behind"):
        return Finding(f"live: {note}", is_right=None)
    remedy = next((remedy for start, remedy in NOTE_REMEDIES.items() if note.startswith(start)), "")
    text = ". ".join(filter(None, [clean(note), remedy.format(name=wanted.name)]))
    return Finding(f"live: {text}", is_right=False)


def service(wanted: Wanted, facts: Facts, accept: Sequence[int], stage: str = "") -> Iterator[Finding]:
    """Return the findings about hooks, procmon and what answers, of a project that is at a stage."""
    if not facts:
        return
    hooks = facts["hooks"]
    names = ", ".join(hooks["variables"]) or "none"
    yield Finding(hooks["error"] or f"hooks: PATH is {hooks['path']}; variables: {names}", is_right=not hooks["error"])
    if not wanted.app:
        return
    state = facts["units"].get("service", {})
    # Where setup has not come to its end, the unit may run already.
    if is_off(state) or (stage == NOT_SET_UP and state.get("ActiveState") != "active"):
        yield from before_setup(wanted, facts, stage)
    else:
        yield from restart_file(wanted, facts["restart_file"])
        yield from units(wanted, state)
        yield from answer(wanted, facts["answer"], accept, stage)
    yield from front(wanted, facts["front"])


def is_off(state: Facts) -> bool:
    """Return whether a unit neither runs nor starts at boot: as before setup, or after a project was removed."""
    return state.get("ActiveState") == "inactive" and state.get("UnitFileState") != "enabled"


def before_setup(wanted: Wanted, facts: Facts, stage: str) -> Iterator[Finding]:
    """Return what setup and the first deploy will change. One finding alone needs a person: that setup has to run."""
    unit = f"unit: procmon@{wanted.name}.service"
    if stage == NOT_SET_UP:
        yield Finding(f"{unit} comes with setup" if wanted.systemd else "procmon: comes with setup", is_right=None)
    else:
        yield Finding(f"{unit} is not set up. Run setup", is_right=False)
    if not facts["restart_file"]["writable"]:
        yield Finding(f"restart file: {facts['restart_file']['path']} comes with setup", is_right=None)
    status = (facts["answer"] or {}).get("status")
    if status is None:
        yield Finding(f"answer: none on {wanted.bind} yet", is_right=None)
    else:
        found = f"answer: {status} on {wanted.bind}, of something else: this project is not set up"
        yield Finding(f"{found}. Free the address, or set `bind` to another one", is_right=False)


def restart_file(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Find a restart file that a deploy cannot touch."""
    if facts["writable"]:
        yield Finding(f"restart file: {facts['path']}")
    else:
        found = f"restart file: {wanted.user} cannot touch {facts['path']}"
        yield Finding(f"{found}. Let {wanted.user} own it and its directory", is_right=False)


def units(wanted: Wanted, state: Facts) -> Iterator[Finding]:
    """Find units that do not run, or would not at the next boot."""
    if not state:
        return
    unit = f"procmon@{wanted.name}.service"
    if state.get("ActiveState") != "active":
        found = f"unit: {unit} is {state.get('ActiveState')} ({state.get('SubState')})"
        yield Finding(f"{found}. Look at its log: journalctl -u {unit}", is_right=False)
    elif state.get("UnitFileState") != "enabled":
        yield Finding(f"unit: {unit} runs, but is not started at boot. Run setup", is_right=False)
    else:
        yield Finding(f"unit: {unit} runs, and is started at boot")


def answer(wanted: Wanted, facts: Facts, accept: Sequence[int], stage: str = "") -> Iterator[Finding]:
    """Find an app that does not answer as its heartbeat expects."""
    if not facts:
        return
    if stage and facts["status"] == NO_RELEASE_STATUS:
        found = f"answer: {NO_RELEASE_STATUS} on {wanted.bind}, of procmon itself: it waits for the first deploy"
        yield Finding(found, is_right=None)
        return
    if facts["status"] in accept:
        yield Finding(f"answer: {facts['status']} on {wanted.bind}")
    elif facts["status"] is None:
        found = f"answer: none on {wanted.bind} ({facts['error']})"
        yield Finding(f"{found}. Look at its log: journalctl -u procmon@{wanted.name}", is_right=False)
    else:
        expected = " or ".join(map(str, accept))
        found = f"answer: {facts['status']} on {wanted.bind}, not {expected}"
        yield Finding(f"{found}. Set heartbeat.path, heartbeat.host_header or heartbeat.accept", is_right=False)


def front(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Return what stands in front of the app."""
    if facts.get("files"):
        yield Finding(f"nginx: {', '.join(facts['files'])} passes to {wanted.bind}")
    elif facts.get("nginx"):
        yield Finding(f"nginx: no file that {wanted.user} can read names {wanted.bind}", is_right=None)


def report(findings: Mapping[str, Sequence[Finding]]) -> list[str]:
    """Return the lines of the report: a head per host with its findings, and at the end how many need a person."""
    marks = {True: "ok", False: "NO", None: "--"}
    lines: list[str] = []
    for host, found in findings.items():
        lines += [host, *(f"  {marks[one.is_right]}  {one.text}" for one in found)]
    count = sum(len(problems(found)) for found in findings.values())
    needs = "1 finding needs" if count == 1 else f"{count} findings need"
    return [*lines, *(["", f"{needs} you: see NO above."] if count else [])]


def problems(findings: Iterable[Finding]) -> list[str]:
    """Return the findings of one host that need a person."""
    return [one.text for one in findings if one.is_right is False]
