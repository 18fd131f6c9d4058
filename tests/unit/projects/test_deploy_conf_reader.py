# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The original form: files that work there mean the same here, and its traps are named instead of sprung."""

from __future__ import annotations

import pytest
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.deploy_conf_reader import read_deploy_conf

ORIGINAL = """\
# two projects, one server
[stage2]
user deployer
host www.example.com
path /srv/stage2
repo git@git.example.com:me/app.git

[stage]
key  keys/cactus
forward-agent yes
needs_tty no
user www-data
host www.example.com
port 2222
repo git@git.example.com:me/app.git
path /srv/stage
ref origin/master
pre-deploy ./bin/check && echo "all # well"
post-deploy ./bin/deploy
test ./bin/test
"""


def only(text: str) -> dict[str, object]:
    """Read a file of one section without problems."""
    source = read_deploy_conf(text, "deploy.conf")
    assert source.problems == []
    (section,) = source.projects
    return dict(section.values)


def complaints(text: str) -> list[str]:
    return [str(problem) for problem in read_deploy_conf(text, "deploy.conf").problems]


def test_the_original_file_is_read_as_it_stands() -> None:
    source = read_deploy_conf(ORIGINAL, "deploy.conf")
    assert source.problems == []
    assert [(section.name, section.line) for section in source.projects] == [("stage2", 2), ("stage", 8)]
    assert source.projects[1].values == {
        "key": "keys/cactus",
        "forward_agent": True,
        "needs_tty": False,
        "user": "www-data",
        "host": "www.example.com",
        "port": 2222,
        "repo": "git@git.example.com:me/app.git",
        "path": "/srv/stage",
        "ref": "origin/master",
        "pre_deploy": './bin/check && echo "all # well"',
        "post_deploy": "./bin/deploy",
        "test": "./bin/test",
    }
    assert source.projects[1].line_of("port") == 14


def test_a_short_section_takes_nothing_from_the_next() -> None:
    """The original reads on for 20 lines: the port of `stage` would be that of `stage2`, too."""
    short = read_deploy_conf(ORIGINAL, "deploy.conf").projects[0]
    assert sorted(short.values) == ["host", "path", "repo", "user"]


def test_a_long_section_is_read_to_its_end() -> None:
    """The original stops looking after 20 lines."""
    assert only("[a]\n" + "# padding\n" * 30 + "port 22\n") == {"port": 22}


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("key  keys/cactus", {"key": "keys/cactus"}),
        ("key\tkeys/cactus", {"key": "keys/cactus"}),
        ("key keys/cactus  ", {"key": "keys/cactus"}),
        ("user u\r", {"user": "u"}),
        ("hosts web1  web2", {"hosts": ["web1", "web2"]}),
        ("shared_paths public/system media", {"shared_paths": ["public/system", "media"]}),
        ("forward-agent on", {"forward_agent": True}),
        ("forward-agent False", {"forward_agent": False}),
        ("forward_agent yes", {"forward_agent": True}),
        ("workers 4", {"workers": 4}),
        ("reload_timeout 2.5", {"reload_timeout": 2.5}),
        ("heartbeat.path /up", {"heartbeat": {"path": "/up"}}),
        ("uvicorn.limit_concurrency 100", {"uvicorn": {"limit_concurrency": 100}}),
        ("uvicorn.proxy_headers no", {"uvicorn": {"proxy_headers": False}}),
        ("uvicorn.ws none", {"uvicorn": {"ws": "none"}}),
        ("heartbeat.accept 200 204", {"heartbeat": {"accept": [200, 204]}}),
        ("env.DEBUG 1", {"env": {"DEBUG": "1"}}),
        ("env.GREETING good morning", {"env": {"GREETING": "good morning"}}),
        ("post-deploy a  b", {"post_deploy": "a  b"}),
    ],
)
def test_a_line_is_a_key_and_its_value(line: str, values: dict[str, object]) -> None:
    assert only(f"[a]\n{line}\n") == values


@pytest.mark.parametrize("text", ["[a]\r\nuser u\r\n", "\ufeff[a]\nuser u\n", "[a]  \n\n   # note\nuser u"])
def test_line_ends_blank_lines_and_comments_do_not_matter(text: str) -> None:
    assert only(text) == {"user": "u"}


def test_a_dotted_table_collects_its_keys() -> None:
    assert only("[a]\nreload.surge one\nreload.idle_grace 5\n") == {"reload": {"surge": "one", "idle_grace": 5}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user u\n[a]\n", "deploy.conf:1: 'user' comes before the first [section]"),
        ("\n# nothing\n", "deploy.conf:1: no [section] found: each project starts with one"),
        ("[a]\n[b\n", "deploy.conf:2: project a: must be a [section], not '[b'"),
        ("[a] # main\n", "deploy.conf:1: must be a [section], not '[a] # main'"),
        ("[a]\n[b]\n[a]\n", "deploy.conf:3: project a: duplicate section [a] (first on line 1)"),
        ("[a]\nhst x\n", "deploy.conf:2: project a: unknown key 'hst'; did you mean 'host'?"),
        ("[a]\nhostname x\n", "deploy.conf:2: project a: unknown key 'hostname'; did you mean 'host'?"),
        ("[a]\npost-deplo x\n", "deploy.conf:2: project a: unknown key 'post-deplo'; did you mean 'post-deploy'?"),
        ("[a]\nheartbeat.pth /\n", "deploy.conf:2: project a: unknown key 'heartbeat.pth'; did you mean 'path'?"),
        (
            "[a]\nworker.preload yes\n",
            "deploy.conf:2: project a: 'worker.preload' was removed: workers always import the app themselves. "
            "Delete the key",
        ),
        ("[a]\nenv A=1\n", "deploy.conf:2: project a: 'env' needs a name and a value: env.NAME value"),
        ("[a]\nenv. 1\n", "deploy.conf:2: project a: 'env' needs a name and a value: env.NAME value"),
        ("[a]\nport\n", "deploy.conf:2: project a: 'port' has no value. Add one, or remove the line"),
        (
            "[a]\nuser u # main\n",
            "deploy.conf:2: project a: 'user': the comment would be part of the value. Move it to a line of its own",
        ),
        (
            "[a]\nref x\n\nref y\n",
            "deploy.conf:4: project a: duplicate key 'ref' (first on line 2; the original script used that one)",
        ),
        (
            "[a]\n  port 22\n",
            "deploy.conf:2: project a: 'port 22' is indented, and the original script skips it. "
            "Remove the indent, or put # before it",
        ),
    ],
)
def test_a_bad_line_is_reported_with_its_number(text: str, expected: str) -> None:
    assert complaints(text) == [expected]


def test_all_bad_lines_are_reported_at_once() -> None:
    assert [text.split(":")[1] for text in complaints("[a]\nhst x\nuser u\nprt 1\n[b]\n[b]\n")] == ["2", "4", "6"]
