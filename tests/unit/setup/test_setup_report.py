"""What setup prints at its end."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._setup_report import (
    GENERIC,
    Outcome,
    key_page,
    outcome_of,
    ready_lines,
    waiting_lines,
)


def test_a_project_that_is_ready_everywhere_is_one_line_with_the_next_command() -> None:
    ready = [Outcome("blog", "web1"), Outcome("blog", "web2"), Outcome("blog", "web3"), Outcome("shop", "web1")]
    assert ready_lines(ready) == [
        "blog is ready on web1, web2 and web3; next: ansible-playbook deploy.yml -e project=blog",
        "shop is ready on web1; next: ansible-playbook deploy.yml -e project=shop",
    ]
    assert waiting_lines(ready) == []


def test_a_project_without_a_commit_to_deploy_names_what_it_lacks() -> None:
    why = "no ref was given and the repository has no tag. Set ref, such as origin/main, or tag a commit"
    assert ready_lines([Outcome("shop", "web1", ref_problem=why), Outcome("shop", "web2")]) == [
        f"shop is ready on web1 and web2, but there is nothing to deploy yet: {why}"
    ]


def test_a_project_at_another_address_names_what_is_in_front() -> None:
    moved = [Outcome("blog", server, bind="127.0.0.1:3012", former_bind="127.0.0.1:3011") for server in ("a", "b")]
    assert ready_lines(moved)[1:] == [
        "blog listens on 127.0.0.1:3012 now, and no longer on 127.0.0.1:3011. What is in front of it, such as nginx, "
        "must pass to 127.0.0.1:3012"
    ]


def test_a_project_that_waits_for_a_key_shows_it_with_what_to_do() -> None:
    repo = "git@github.com:you/blog.git"
    outcomes = [Outcome("blog", "web1"), Outcome("blog", "web2", "deploy", repo, "ssh-ed25519 AAAA blog@web2")]
    assert ready_lines(outcomes) == ["blog is ready on web1"]
    assert ready_lines(outcomes[1:]) == []
    heading, key = waiting_lines(outcomes)
    assert heading == (
        "blog on web2: the git server does not let deploy read git@github.com:you/blog.git yet. Check `repo`, and add "
        "this key there, at https://github.com/you/blog/settings/keys (Settings > Deploy keys); read access is enough. "
        "Then run: ansible-playbook setup.yml -e project=blog"
    )
    assert key == "    ssh-ed25519 AAAA blog@web2"


@pytest.mark.parametrize(
    ("repo", "page"),
    [
        ("git@github.com-blog:you/blog.git", "https://github.com/you/blog/settings/keys"),
        ("ssh://git@ssh.github.com:443/you/blog.git", "https://github.com/you/blog/settings/keys"),
        ("git@gitlab.com:group/sub/blog.git", "https://gitlab.com/group/sub/blog/-/settings/repository"),
        ("git@gitlab.example.org:you/blog", "https://gitlab.example.org/you/blog/-/settings/repository"),
        ("git@bitbucket.org:you/blog.git", "https://bitbucket.org/you/blog/admin/access-keys/"),
        ("git@codeberg.org:you/blog.git", "https://codeberg.org/you/blog/settings/keys"),
        ("ssh://git@git.example.org:2222/you/blog.git", GENERIC),
        ("/srv/git/blog", GENERIC),
    ],
)
def test_the_page_that_takes_a_deploy_key_is_named(repo: str, page: str) -> None:
    assert page in key_page(repo)


def test_the_outcome_of_a_host_is_read_from_what_its_tasks_have_registered() -> None:
    about = {"user": "deploy", "repo": "git@x:y"}
    registered = {"project_obstacles": {"about": about}, "project_git_access": {"waits_for": "ssh-ed25519 AAAA"}}
    assert outcome_of("blog@web1", {**registered, "project_name": "blog", "project_server": "web1"}) == Outcome(
        "blog", "web1", "deploy", "git@x:y", "ssh-ed25519 AAAA"
    )
    changed = {
        "project_obstacles": {"about": {**about, "bind": "127.0.0.1:2"}},
        "project_result": {"ref_problem": "no tag"},
        "supervisor_configured": {"former_bind": "127.0.0.1:1"},
    }
    found = outcome_of("blog@web1", changed)
    assert (found.ref_problem, found.bind, found.former_bind) == ("no tag", "127.0.0.1:2", "127.0.0.1:1")
    same = outcome_of("blog@web1", {**changed, "supervisor_configured": {"former_bind": "127.0.0.1:2"}})
    assert (same.bind, same.former_bind) == ("", "")
    assert outcome_of("blog@web1", {}) == Outcome("blog", "web1")
    assert outcome_of("web1", {"project_name": "blog"}) == Outcome("blog", "web1")
