"""What setup says of settings that cannot work: which one, what was found, and what to do; before anything is made."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.playbooks.conftest import Laptop, Servers, Upstream
from tests.support.package_index import Index, package_index
from tests.support.releases.packages import make_wheel
from tests.support.sshd import Sshd

UV = f"""#!{sys.executable}
# Installs what it is given from an archive, and the packages that it needs from the environment of the tests.
import subprocess, sys, tarfile
from pathlib import Path
venv = Path(sys.argv[-1]) if sys.argv[1] == "venv" else Path(sys.argv[sys.argv.index("--python") + 1]).parents[1]
if sys.argv[1] == "venv":
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
else:
    tarfile.open(sys.argv[-1]).extractall(venv)
    paths = [str(venv / "procmon/src"), *(one for one in sys.path if one.endswith("site-packages"))]
    next(venv.glob("lib/*/site-packages")).joinpath("procmon.pth").write_text("\\n".join(paths))
    program = venv / "bin/procmon"
    program.write_text(f"#!{{venv}}/bin/python\\nimport sys\\nfrom procmon.cli import main\\nsys.exit(main())\\n")
    program.chmod(0o755)
"""
SERVED = {"app": "main:app", "bind": "127.0.0.1:3001"}


def without_systemd(home: Path) -> dict[str, str]:
    """The variables by which setup installs procmon in a directory, and starts nothing."""
    places = {"supervisor_config_dir": str(home / "etc"), "supervisor_state_dir": str(home / "state")}
    return {"supervisor_systemd": "false", "supervisor_home": str(home), "supervisor_python": sys.executable, **places}


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("project_path", "srv", "blog@localhost: path must be absolute, not 'srv'"),
        ("project_repo", "", "blog@localhost: repo must not be empty"),
        (
            "project_repo",
            "ext::touch",
            "blog@localhost: repo must be an ssh or https address, or a path, not 'ext::touch'",
        ),
        ("project_strategy", "inplace", "value of project_strategy must be one of: releases, in_place, got: inplace"),
    ],
)
def test_a_setting_that_cannot_work_is_named(
    laptop: Laptop, upstream: Upstream, variable: str, value: str, says: str
) -> None:
    laptop.project("blog", upstream.path)
    done = laptop.run("playbooks/setup.yml", extra={"project": "blog", variable: value})
    assert done.code != 0
    assert says in " ".join(done.output.split())
    assert not (laptop.folder / "srv").exists()


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("supervisor_app", "main.py", """blog: app = 'main.py': must be "module:attribute". """),
        ("supervisor_bind", "3001", """blog: bind = '3001': must be "host:port", """),
        ("supervisor_workers", "0", "blog: workers = 0: must be a number from 1 to 512"),
        ("supervisor_uvicorn", {"backlog": 5}, "blog: uvicorn.backlog is not allowed: "),
    ],
)
def test_a_setting_of_procmon_that_cannot_work_is_named(
    installing: Laptop, upstream: Upstream, variable: str, value: object, says: str
) -> None:
    """By procmon itself, before anything is written that would start or configure it."""
    installing.project("blog", upstream.path, **SERVED)
    home = installing.folder / "procmon"
    setting = json.dumps({variable: value})
    done = installing.run("playbooks/setup.yml", "-e", setting, extra={"project": "blog", **without_systemd(home)})
    assert done.code != 0
    assert says in " ".join(done.output.split()) + " "
    assert not (home / "etc").exists()
    assert not (home / "current").exists()


@pytest.mark.parametrize(
    ("python", "says"),
    [
        ("/nowhere/python", "needs Python 3.10 or newer, and '/nowhere/python' cannot be run there"),
        ("old", "is 3.8. Install Python 3.10 or newer on the server and name it"),
    ],
)
def test_a_python_that_cannot_run_procmon_is_named(
    laptop: Laptop, upstream: Upstream, old_python: Path, python: str, says: str
) -> None:
    laptop.project("blog", upstream.path, **SERVED)
    home = laptop.folder / "procmon"
    ours = without_systemd(home) | {"supervisor_python": str(old_python) if python == "old" else python}
    done = laptop.run("playbooks/setup.yml", extra={"project": "blog", **ours})
    assert done.code != 0
    assert says in " ".join(done.output.split())
    assert not home.exists()


def test_root_does_not_run_the_app(laptop: Laptop, upstream: Upstream) -> None:
    """And it says what to do where only root can log in."""
    laptop.project("blog", upstream.path)
    done = laptop.run(
        "playbooks/setup.yml", extra={"project": "blog", "project_system": "true", "project_user": "root"}
    )
    assert done.code != 0
    assert "set `admin: root`, and `user` to a name that setup creates" in " ".join(done.output.split())


@pytest.mark.parametrize("playbook", ["setup", "deploy", "status"])
def test_a_python_that_is_too_old_for_the_modules_is_named(
    laptop: Laptop, upstream: Upstream, old_python: Path, playbook: str
) -> None:
    """Setup checks it before it changes anything; the modules do without it, too."""
    path = laptop.project("blog", upstream.path, python=str(old_python))
    done = laptop.run(f"playbooks/{playbook}.yml", extra={"project": "blog"})
    text = " ".join(done.output.split())
    assert re.search(r"/\S+( on blog@localhost)? is Python 3\.8, but .* needs? Python 3\.9 or newer", text)
    assert not path.exists()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index that has a uv, and nothing else."""
    (tmp_path / "simple/uv").mkdir(parents=True)
    make_wheel(tmp_path / "simple/uv", "uv", "9.0")
    with package_index(tmp_path) as server:
        yield server


def test_all_that_setup_installs_comes_from_the_index_of_the_project(
    laptop: Laptop, upstream: Upstream, index: Index
) -> None:
    """uv is there, what procmon needs is not. Only the index gets the password."""
    path = laptop.project("blog", upstream.path, **SERVED, index=index.address)
    bare = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PIP_CONFIG_FILE": "/dev/null", "NO_PROXY": "127.0.0.1"}
    kept = {name: value for name, value in laptop.environment.items() if not name.startswith(("PIP_", "UV_"))}
    laptop.environment = {**kept, **bare}
    ours = without_systemd(laptop.folder / "procmon") | {"project_python": sys.executable}
    done = laptop.run("playbooks/setup.yml", "-vvv", extra={"project": "blog", **ours})
    assert done.code != 0
    text = " ".join(done.output.split())
    assert "blog: procmon could not be installed: " in text
    assert "No matching distribution found for flit_core" in text
    assert list((path / "envs/.uv").glob("lib/*/site-packages/uv.py")) != []
    assert {"/simple/uv/", "/simple/flit-core/"} <= index.asked
    assert index.leaked == set()
    assert index.password not in done.output


@pytest.fixture
def installing(laptop: Laptop, tmp_path: Path) -> Laptop:
    """A laptop whose setup installs procmon without a package index."""
    uv = tmp_path / "bin/uv"
    uv.parent.mkdir()
    uv.write_text(UV)
    uv.chmod(uv.stat().st_mode | stat.S_IXUSR)
    laptop.environment["PATH"] = f"{uv.parent}{os.pathsep}{laptop.environment['PATH']}"
    return laptop


def test_an_installed_procmon_reports_its_build_and_is_built_again_when_its_python_is_gone(
    installing: Laptop, upstream: Upstream
) -> None:
    """As after an upgrade of the server's system."""
    installing.project("blog", upstream.path, **SERVED)
    home = installing.folder / "procmon"
    ours = without_systemd(home)
    done = installing.run("playbooks/setup.yml", extra={"project": "blog", **ours})
    assert done.code == 0, done.output
    build = (home / "current/build").read_text()
    program = home / "current/venv/bin/procmon"
    version = subprocess.check_output([program, "--version"], text=True)
    assert version.strip().endswith(f"({build})")
    assert (home / "current").readlink() == Path(build)
    again = installing.run("playbooks/setup.yml", extra={"project": "blog", **ours})
    assert set(again.changed.values()) == {0}, again.output
    gone = home / "current/venv/bin/python"
    gone.unlink()
    gone.symlink_to("/usr/bin/python3.8-that-was-upgraded")
    # As a variable: a change of the address in the same run.
    moved = {"project_bind": "127.0.0.1:3002", **ours}
    repaired = installing.run("playbooks/setup.yml", extra={"project": "blog", **moved})
    assert repaired.code == 0, repaired.output
    assert subprocess.check_output([program, "--version"], text=True) == version
    assert "blog listens on 127.0.0.1:3002 now, and no longer on 127.0.0.1:3001. What is in front" in repaired.output


def test_a_project_without_anything_to_deploy_is_ready_with_what_it_lacks(laptop: Laptop, upstream: Upstream) -> None:
    upstream.git("tag", "-d", "one")
    laptop.servers("web1", upstream, project_ref="")
    done = laptop.run("playbooks/setup.yml", extra={"project": "blog"})
    lacks = "no ref was given and the repository has no tag. Set ref, such as origin/main, or tag a commit"
    assert f"blog is ready on web1, but there is nothing to deploy yet: {lacks}" in done.output
    looked = laptop.run("playbooks/doctor.yml", extra={"project": "blog"})
    assert f"NO  live: nothing to deploy, by what was fetched last: {lacks}" in looked.output


def test_a_second_setup_takes_few_remote_executions_and_names_the_next_command(
    laptop: Laptop, sshd: Sshd, upstream: Upstream
) -> None:
    """As sshd counts them: what to do is found in one for each login, and done only where something differs."""
    place = Servers(laptop, sshd, upstream)
    programs = sshd.server.home / "account/bin"
    programs.mkdir()
    (programs / "uv").write_text(UV)
    (programs / "uv").chmod(0o755)
    place.project("blog", "web1", project_app="main:app", project_bind="127.0.0.1:3001")
    ours = without_systemd(laptop.folder / "procmon")
    first = place.setup(project="blog", **ours)
    assert first.code == 0, first.output
    before = sshd.counts()
    again = place.setup(project="blog", **ours)
    counted = sshd.counts().since(before)
    assert (again.code, again.changed["blog@web1"]) == (0, 0), again.output
    assert counted.executions <= 7
    last = [line for line in again.output.partition("PLAY RECAP")[0].splitlines() if line and "[" not in line]
    assert last[-1] == "blog is ready on web1; next: ansible-playbook deploy.yml -e project=blog"
