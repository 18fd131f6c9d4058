# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that the documents show: projects.yml, nginx, units of systemd, Python; and the messages that they quote.

Each is read by the program that it is for where that is installed, otherwise by the rules that stand in its function.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects import schema
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.file import read_source
from ansible_collections.onetouch.deploy.plugins.plugin_utils._projects.placement import place

from tests.support.documents import Block, blocks

ROOT = Path(__file__).parents[2]
PAGES = [Path("README.md"), *sorted(path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md"))]
ALL = [block for page in PAGES for block in blocks(ROOT, page)]
HEAD = "plugin: onetouch.deploy.projects\nservers: {web1: {host: 192.0.2.1}}\nprojects:\n"
NEEDED = {"host": "web1", "repo": "r", "path": "/srv/notes", "app": "a:b", "bind": "127.0.0.1:3001"}
NGINX, SYSTEMD = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"), shutil.which("systemd-analyze")
QUOTE = re.compile(r"`([^`]+)`")
# The texts of a reader's own programs, which are not ours to check.
OF_OTHERS = {
    *("deploy: command not found", "error: externally-managed-environment", "requires a different Python"),
    *(
        "does not support Ansible version",
        "ModuleNotFoundError",
        "502 Bad Gateway",
        "502",
        "503",
        "400",
        "http",
        "https",
    ),
    *("connect() failed (111", "connect() to unix:… failed (13", "upstream prematurely closed connection"),
    *("KeyError: 'SECRET_KEY'", "CSRF verification failed", "no such table", "database is locked"),
    *("TypeError: … missing 1 required positional argument", "(scope, receive, send)", "ansible-playbook", "deploy"),
    "RuntimeError: The session is unavailable because no secret key was set",
    *("Attempting to decrypt but no vault secrets found", "Key is already in use", "Failed to connect to bus"),
    *("No space left on device", "uv lock", "unknown plugin 'onetouch.deploy.projects'", "unknown plugin", "fetch"),
    *("projects.yml", "deploy.conf", "env_file", "exec", "become", "post_deploy", "KEY=0 # note", "0 # note", "NO"),
    "KEY=value",
    "pre_deploy",
    "test",
}


def of(language: str) -> list[Block]:
    """Return the blocks of a language."""
    return [block for block in ALL if block.language == language]


def projects_yml(text: str) -> str | None:
    """Return a whole projects.yml that contains an example: a file, a project, or some keys of one. None for others."""
    if text.startswith("plugin:"):
        return text
    if text.startswith("    "):
        return completed(f"  notes:\n{text}", NEEDED)
    return completed(text, {key: NEEDED[key] for key in ("repo", "path")}) if text.startswith("  ") else None


def completed(project: str, needed: dict[str, str]) -> str:
    """Return a projects.yml with one project, to which the keys are added that it lacks of those that it needs."""
    given = set(re.findall(r"^    (\w+):", project, re.MULTILINE))
    missing = {key: value for key, value in needed.items() if key not in given}
    return HEAD + project + (textwrap.indent(yaml.safe_dump(missing), " " * 4) if missing else "")


def problems_of(text: str, folder: Path) -> str:
    """Return what the reader of the inventory plugin finds wrong in a projects.yml."""
    file = folder / "projects.yml"
    file.write_text(text)
    shutil.copy(ROOT / "docs/examples/deploy.conf", folder)
    try:
        place(read_source(DataLoader(), str(file)))  # type: ignore[no-untyped-call]
    except Exception as error:
        return str(error)
    return ""


def test_every_example_of_projects_yml_is_read_without_an_error(tmp_path: Path) -> None:
    """By the reader of the inventory plugin; a part of a project by the keys around it that it needs."""
    found = [(block, text) for block in of("yaml") if (text := projects_yml(block.text))]
    assert len(found) > 20
    problems = [f"{block}: {problem}" for block, text in found if (problem := problems_of(text, tmp_path))]
    assert not problems, "\n".join(problems)


def test_a_wrong_key_in_an_example_is_found(tmp_path: Path) -> None:
    assert "wrokers" in problems_of(projects_yml("    wrokers: 2\n") or "", tmp_path)
    assert "wrokers" in problems_of(projects_yml("  blog:\n    host: web1\n    wrokers: 2\n") or "", tmp_path)


def test_other_yaml_is_yaml_and_names_what_there_is() -> None:
    """Host variables are those of the keys, and playbooks of ours exist."""
    keys = {f"project_{key}" for key in schema.known("project")} | {"project_known_hosts"}
    for block in of("yaml"):
        if projects_yml(block.text) is None:
            found = yaml.safe_load(block.text)
            names = {name for name in found if name.startswith("project_")} if isinstance(found, dict) else set()
            assert names <= keys, block
            for playbook in re.findall(r"import_playbook: onetouch\.deploy\.(\w+)", block.text):
                assert (ROOT / f"playbooks/{playbook}.yml").exists(), block


def nginx_error(text: str, folder: Path) -> str:
    """Return what nginx finds wrong; where it is not installed, whether a statement or a block is left open."""
    if not NGINX:
        open_lines = [
            line for line in re.sub(r"#.*", "", text).splitlines() if line.strip() and line.rstrip()[-1] not in ";{}"
        ]
        return "" if text.count("{") == text.count("}") and not open_lines else f"left open: {open_lines}"
    own = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    inner = text if re.search(r"^(server|upstream|map) ", text, re.MULTILINE) else f"server {{ {text} }}"
    plain = re.sub(r"listen 443 ssl;|ssl_certificate\w* .*;", "", inner)
    (folder / "nginx.conf").write_text(f"pid {folder}/pid;\nevents {{}}\nhttp {{ access_log off; {own}\n{plain}\n}}\n")
    argv = [NGINX, "-t", "-q", "-e", str(folder / "errors"), "-c", str(folder / "nginx.conf")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def test_nginx_blocks_are_closed_and_nginx_reads_them_where_it_is_installed(tmp_path: Path) -> None:
    """Without TLS: its certificates are on no other machine."""
    files = [path.read_text() for path in (ROOT / "docs/examples").glob("nginx*.conf")]
    problems = [
        error for text in [*(block.text for block in of("nginx")), *files] if (error := nginx_error(text, tmp_path))
    ]
    assert not problems, "\n".join(problems)
    assert nginx_error("server {\n    listen 80\n}\n", tmp_path)


def unit_errors(text: str, folder: Path, name: str) -> str:
    """Return what systemd finds wrong in a unit whose programs are not here; without systemd, unknown sections."""
    if not SYSTEMD:
        known = {"Unit", "Service", "Timer", "Install"}
        return str({*re.findall(r"^\[(\w+)\]", text, re.MULTILINE)} - known or "")
    (folder / name).write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    (folder / "job.service").write_text("[Service]\nExecStart=/bin/true\n")
    done = subprocess.run([SYSTEMD, "verify", str(folder / name)], capture_output=True, text=True, check=False)
    return "".join(line for line in done.stderr.splitlines(keepends=True) if name in line)


def test_systemd_finds_nothing_wrong_in_units(tmp_path: Path) -> None:
    units = [block for block in of("ini") if block.text.startswith("[Unit]")]
    assert units
    kinds = {block: "job.timer" if "[Timer]" in block.text else "unit.service" for block in units}
    problems = [
        f"{block}: {error}" for block, kind in kinds.items() if (error := unit_errors(block.text, tmp_path, kind))
    ]
    assert not problems, "\n".join(problems)
    assert unit_errors("[Unit]\n[Servce]\nExecStart=/bin/true\n", tmp_path, "wrong.service")


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(textwrap.dedent(block.text), str(block), "exec", dont_inherit=True)


def quoted() -> Iterator[tuple[Path, str]]:
    """Yield what the first column of each table `you see` quotes."""
    for page in PAGES:
        text = (ROOT / page).read_text()
        for table in re.findall(r"^\| you see \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
            for row in table.splitlines():
                yield from ((page, quote) for quote in QUOTE.findall(row.split(" | ")[0]))


def texts_of_the_product() -> str:
    """Return every text in the product's Python code, one per line, with blanks as one."""
    places = ("plugins", "src", "roles/supervisor/files/procmon/src")
    trees = [ast.parse(path.read_text()) for place in places for path in (ROOT / place).rglob("*.py")]
    found = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return "\n".join(" ".join(text.split()) for text in found if isinstance(text, str))


def test_quoted_messages_are_messages_of_the_product() -> None:
    """By three neighbouring words of each, or by all of a shorter one: names stand between the others."""
    texts = texts_of_the_product()
    unknown = [f"{page}: {quote}" for page, quote in quoted() if quote not in OF_OTHERS and not is_in(quote, texts)]
    assert not unknown, "\n".join(unknown)


def is_in(quote: str, texts: str) -> bool:
    """Return whether three neighbouring words of a quote, or all of a shorter part, stand in a text."""
    words = re.sub(r"[…:.]", " ", quote).split()
    runs = {" ".join(words[start : start + 3]) for start in range(max(1, len(words) - 2))}
    return any(run in re.sub(r"[…:.]", " ", texts) for run in runs)
