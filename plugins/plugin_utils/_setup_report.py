# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What setup prints at its end: which projects are ready, which wait for a deploy key, and what to do next.

Pure. Private to this collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
    """How setup ended for a project on one server. `key` is the public key that the git server has to accept first."""

    project: str
    server: str
    user: str = ""
    repo: str = ""
    key: str = ""

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
    """Return one line for each project that is ready on all of its servers, with the command that comes next."""
    servers: dict[str, list[str]] = {}
    found = [*outcomes]
    waiting = {outcome.project for outcome in found if outcome.key}
    for outcome in found:
        if not outcome.key:
            servers.setdefault(outcome.project, []).append(outcome.server)
    return [f"{project} is ready on {listed(names)}{_next(project, waiting)}" for project, names in servers.items()]


def _next(project: str, waiting: set[str]) -> str:
    return "" if project in waiting else f"; next: {typed('deploy', project)}"


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
    return Outcome(name, place, wanted.get("user", ""), wanted.get("repo", ""), access.get("waits_for", ""))
