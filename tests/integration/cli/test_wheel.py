"""The wheel: what is in it, and that it works in an environment with nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.support.releases.upstream import GIT

# The first test that asks for the environment waits until it is made.
pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[3]
COLLECTION = "ansible_collections/onetouch/deploy"
SHIPPED = ("meta", "plugins", "roles", "playbooks")


def run(argv: Sequence[object], **environment: str) -> str:
    """Run a program with its own environment only, and return what it prints."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PIP_CONFIG_FILE") if name in os.environ}
    env = {**kept, "PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run([*map(str, argv)], env=env, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what git knows of this checkout, built as pip and pipx build it."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = run([ROOT / "tools/tree", folder / "tree"]).splitlines()[-1]
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, tree])
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path) -> Path:
    """A fresh environment with the wheel and what it depends on."""
    made = wheel.parent / "environment"
    run([sys.executable, "-m", "venv", made])
    run([made / "bin/python", "-m", "pip", "install", "--quiet", wheel])
    return made


def test_it_carries_the_collection_and_no_more(wheel: Path) -> None:
    """Every file below what ships, as git knows it, and the command; no test, no tool."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    listed = subprocess.run([GIT, "ls-files", "-z", *SHIPPED, "src"], cwd=ROOT, capture_output=True, check=True)
    tracked = {name for name in listed.stdout.decode().split("\0") if name}
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/")}
    shipped = {f"{COLLECTION}/{name}" for name in tracked if not name.startswith("src/")}
    files = {f"{COLLECTION}/{name}" for name in ("galaxy.yml", "README.md", "LICENSE")}
    assert names == package | shipped | files


def test_both_parts_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]


def test_it_works_in_an_environment_of_its_own(environment: Path, tmp_path: Path) -> None:
    """The command, Ansible with the collection, and a control repository that they deploy from."""
    programs = environment / "bin"
    assert "revert [N]" in run([programs / "deploy", "--help"])
    assert run([programs / "deploy", "--version"]).strip() == "0.2.0"
    listed = run(
        [programs / "ansible-playbook", "onetouch.deploy.status", "--list-tasks", "-i", "localhost,"],
        HOME=str(tmp_path),
    )
    assert "Show every project on every server" in listed
    assert "onetouch.deploy" in run([programs / "ansible-galaxy", "collection", "list"], HOME=str(tmp_path))
    control = tmp_path / "control"
    run([programs / "deploy", "init", control], HOME=str(tmp_path))
    upstream = tmp_path / "upstream"
    run([GIT, "init", "--quiet", "--initial-branch", "main", upstream])
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    run([GIT, "-C", upstream, *author, "commit", "--quiet", "--allow-empty", "--message", "one"])
    (control / "inventory/projects.yml").write_text(
        "plugin: onetouch.deploy.projects\n"
        f"projects: {{blog: {{connection: local, python: {programs}/python, repo: {upstream},"
        f" path: {tmp_path}/srv, ref: origin/main}}}}\n"
    )
    run([programs / "deploy", "-C", control, "blog"], HOME=str(tmp_path))
    assert run([programs / "deploy", "-C", control, "blog", "exec", "git", "log", "--format=%s"]) == "one\n"
    script = f"from onetouch_deploy import run; print(run('history', 'blog', config={str(control)!r}).ok)"
    assert run([programs / "python", "-c", script], HOME=str(tmp_path)) == "True\n"


SCRIPT = """
from onetouch_deploy import CommandError, Event, HookOutput, HostResult, Outcome, deploy, start


def show(event: Event) -> None:
    if isinstance(event, HookOutput):
        print(event.text.upper(), event.server)


def failed(outcome: Outcome) -> list[HostResult]:
    return [result for result in outcome.results if result.error and result.seconds["fetch"] > 1]


try:
    failed(deploy("blog", "v1.2", force=True, config="deploys", servers=["web1"], on_event=show).check())
except CommandError as error:
    print(error.code + 1)
with start("deploy", "blog", ref="v1.2") as run:
    for event in run:
        show(event)
print(run.wait(5.0).results[0].commits[0].sha)
"""
WRONG = """
from onetouch_deploy import deploy

deploy("blog", chek=True)
print(deploy("blog").results[0].comit)
"""


def check_types(environment: Path, script: Path) -> str:
    """Return what mypy finds in a script of a user of the wheel."""
    argv = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--cache-dir",
        script.parent / "cache",
    ]
    argv += ["--python-executable", environment / "bin/python", script]
    done = subprocess.run([*map(str, argv)], cwd=script.parent, env={}, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_it_is_typed(environment: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    assert check_types(environment, script) == "Success: no issues found in 1 source file\n"
    script.write_text(WRONG)
    found = check_types(environment, script)
    assert 'Unexpected keyword argument "chek" for "deploy"' in found
    assert '"HostResult" has no attribute "comit"' in found
