# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What setup prints at its end: which projects are ready, which wait for a deploy key, and what to do next.

Pure. Private to this collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.redaction import hide_secrets
from ansible_collections.onetouch.deploy.plugins.module_utils._setup.host_keys import parse_address
from ansible_collections.onetouch.deploy.plugins.plugin_utils._typed import typed

GENERIC = "in the settings of the repository, where it lists deploy keys (or access keys)"
# By the name of the git server, or its first word; {path} is the path of the repository.
PAGES = {
    "github": "at https://{host}/{path}/settings/keys (Settings > Deploy keys)",
    "gitlab": "at https://{host}/{path}/-/settings/repository (Settings > Repository > Deploy keys)",
    "bitbucket": "at https://{host}/{path}/admin/access-keys/ (Repository settings > Access keys)",
    "codeberg": "at https://{host}/{path}/settings/keys (Settings > Deploy Keys)",
    "gitea": "at https://{host}/{path}/settings/keys (Settings > Deploy Keys)",
    "forgejo": "at https://{host}/{path}/settings/keys (Settings > Deploy Keys)",
}
HOST_ALIAS = re.compile(r"^(?:ssh\.|altssh\.)?(?P<host>[^-]+\.(?:com|org))(?:-.*)?$")


@dataclass(frozen=True)
class Outcome:
    """How setup ended for a project on one server. `key` is the public key that the git server has to accept first.

    `ref_problem` is why a deploy would find no commit; `bind` and `former_bind` are set where the address has changed.
    """

    project: str
    server: str
    user: str = ""
    repo: str = ""
    key: str = ""
    ref_problem: str = ""
    bind: str = ""
    former_bind: str = ""

    def heading(self) -> str:
        """Return what is missing, and what to do."""
        again, repo = typed("setup", self.project), hide_secrets(self.repo)
        return (
            f"{self.project} on {self.server}: the git server does not let {self.user} read {repo} yet. Check "
            f"`repo`, and add this key there, {key_page(self.repo)}; read access is enough. Then run: {again}"
        )


def key_page(repo: str) -> str:
    """Return where the host of a repository takes a deploy key."""
    address = parse_address(repo)
    if address is None:
        return GENERIC
    alias = HOST_ALIAS.match(address.host)
    host = alias["host"] if alias else address.host
    page = next((page for word, page in PAGES.items() if host.startswith((f"{word}.", f"{word}-"))), GENERIC)
    return page.format(host=host, path=repository_path(repo))


def repository_path(repo: str) -> str:
    """Return the path of a repository on its server, as in its web address."""
    path = repo.partition("://")[2].partition("/")[2] if "://" in repo else repo.rpartition(":")[2]
    return path.strip("/").removesuffix(".git")


def ready_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """Return a line for each project that is ready, with the command that comes next or what that still lacks.

    Where the address has changed, a line more names what that takes.
    """
    projects: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        projects.setdefault(outcome.project, []).append(outcome)
    return [line for project, found in projects.items() for line in _project_lines(project, found)]


def _project_lines(project: str, outcomes: Sequence[Outcome]) -> list[str]:
    ready = [outcome for outcome in outcomes if not outcome.key]
    if not ready:
        return []
    lines = [f"{project} is ready on {listed([one.server for one in ready])}{_next(project, outcomes)}"]
    return [*lines, *dict.fromkeys(_moved(one) for one in ready if one.former_bind)]


def _next(project: str, outcomes: Sequence[Outcome]) -> str:
    """Return the end of the line: the next command where it would work on all servers."""
    problem = next((one.ref_problem for one in outcomes if one.ref_problem), "")
    if problem:
        return f", but there is nothing to deploy yet: {problem}"
    return "" if any(one.key for one in outcomes) else f"; next: {typed('deploy', project)}"


def _moved(one: Outcome) -> str:
    """Return what a change of the address takes elsewhere."""
    what = f"{one.project} listens on {one.bind} now, and no longer on {one.former_bind}"
    return f"{what}. What is in front of it, such as nginx, must pass to {one.bind}"


def listed(names: list[str]) -> str:
    """Return names as people list them."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def waiting_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """Return what has to be done for the projects that wait for a key, with the key on a line of its own."""
    return [line for outcome in outcomes if outcome.key for line in (outcome.heading(), f"    {outcome.key}")]


def outcome_of(host: str, variables: Mapping[str, Any]) -> Outcome:
    """Return the outcome of an inventory host from what its tasks have registered."""
    project, _at, server = host.partition("@")
    name, place = variables.get("project_name", project), variables.get("project_server", server or host)
    access = variables.get("project_git_access") or {}
    wanted = (variables.get("project_obstacles") or {}).get("about", {})
    problem = (variables.get("project_result") or {}).get("ref_problem", "")
    configured, bind = variables.get("supervisor_configured") or {}, wanted.get("bind", "")
    former = configured.get("former_bind") or ""
    binds = (bind, former) if former not in ("", bind) else ("", "")
    return Outcome(
        name, place, wanted.get("user", ""), wanted.get("repo", ""), access.get("waits_for", ""), problem, *binds
    )
