# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python environments, built by the real pip and the real uv from packages that the tests make themselves."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uv as uv_package
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import build as environment
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import index as settings
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import installer
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import (
    Environments,
    Interpreter,
    ask_interpreter,
    is_complete,
    key,
    link,
    plan_environment,
    remove,
    stale,
)
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.spec import Spec
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import Result, run_command

from tests.support.releases.packages import make_wheel
from tests.support.waiting import until

UV = uv_package.find_uv_bin()
COLLECTIONS = Path(environment.__file__).parents[7]
DEADLINE = 60
PYTHON = Interpreter("/usr/bin/python3.11", "3.11", "cpython-311 abi", "linux-x86_64")

Files = dict[str, str]
MakeRelease = Callable[[Files], Path]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two versions of `tiny`, and pip and uv set to look nowhere else."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    for version in ("1.0", "2.0"):
        make_wheel(directory, "tiny", version)
    look_only_at(str(directory), monkeypatch)
    return directory


def look_only_at(links: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ("PIP", "UV"):
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
        monkeypatch.setenv(f"{tool}_FIND_LINKS", links)


@pytest.fixture
def no_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH on which there is no uv."""
    kept = [entry for entry in os.environ["PATH"].split(os.pathsep) if not (Path(entry) / "uv").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(kept))


@pytest.fixture
def make_release(tmp_path: Path) -> MakeRelease:
    """Make release after release, each with the given files."""

    def make(files: Files) -> Path:
        release = tmp_path / "releases" / f"{len(list(tmp_path.glob('releases/*'))):012x}"
        for name, text in files.items():
            (release / name).parent.mkdir(parents=True, exist_ok=True)
            (release / name).write_text(text)
        return release

    return make


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    return Environments(tmp_path / "envs", ask_interpreter(sys.executable, run_command), run_command, UV)


@pytest.fixture
def by_pip(tmp_path: Path, no_uv: None) -> Environments:  # noqa: ARG001  the fixture changes the PATH
    return Environments(tmp_path / "envs", ask_interpreter(sys.executable, run_command), run_command)


def build(environments: Environments, release: Path) -> environment.Environment:
    spec = plan_environment(release)
    assert spec is not None
    return environments.ensure(spec, release)


def version_in(path: Path) -> str:
    """Ask the environment's own Python for the version of `tiny` in it."""
    result = run_command([str(path / "bin" / "python"), "-c", "import tiny; print(tiny.VERSION)"])
    assert result.rc == 0, result.err
    return result.out.strip()


def forbidden(
    argv: Sequence[str], cwd: str | None = None, env: Mapping[str, str] | None = None, silence: float | None = None
) -> Result:
    raise AssertionError(f"ran {argv} in {cwd} with {env} for {silence}")


# What a release asks for


@pytest.mark.parametrize(
    ("files", "lead", "names"),
    [
        ({"uv.lock": "", "pyproject.toml": "", "requirements.txt": ""}, "uv.lock", ["uv.lock", "pyproject.toml"]),
        ({"requirements.txt": "tiny", "pyproject.toml": ""}, "requirements.txt", ["requirements.txt"]),
        ({"uv.lock": "", "requirements.txt": ""}, "requirements.txt", ["requirements.txt"]),
        ({"pyproject.toml": '[project]\nname = "a"\ndependencies = [\n"b"]\n'}, "pyproject.toml", ["pyproject.toml"]),
        (
            {"requirements.txt": "-r deps/a.txt\n", "deps/a.txt": "--constraint=b.txt\n-ra.txt\nc", "deps/b.txt": ""},
            "requirements.txt",
            ["requirements.txt", "deps/a.txt", "deps/b.txt"],
        ),
        (
            {"requirements.txt": "\ufeff-r other.txt # note\n", "other.txt": "tiny \\\n  --hash=sha256:0"},
            "requirements.txt",
            ["requirements.txt", "other.txt"],
        ),
        ({"requirements.txt": "", "uv.toml": "a = 1"}, "requirements.txt", ["requirements.txt", "uv.toml"]),
        (
            {"requirements.txt": "", "pyproject.toml": "[tool.uv.pip]\na = 1"},
            "requirements.txt",
            ["requirements.txt", "pyproject.toml"],
        ),
        ({"requirements.txt": "# -r gone.txt\n-r https://example.com/r.txt"}, "requirements.txt", ["requirements.txt"]),
    ],
)
def test_the_deciding_files_are_found(make_release: MakeRelease, files: Files, lead: str, names: list[str]) -> None:
    spec = plan_environment(make_release(files))
    assert spec is not None
    assert (spec.lead, [name for name, _ in spec.files], spec.tied_to) == (lead, names, "")


@pytest.mark.parametrize(
    "files",
    [
        {"README": ""},
        {"uv.lock": ""},
        {"pyproject.toml": "[tool.ruff]\n"},
        {"pyproject.toml": '[project]\nname = "a"\ndependencies = [ ]\n'},
        {"pyproject.toml": '[project]\nname = "a"\n[tool.x]\ndependencies = ["b"]\n'},
    ],
)
def test_a_release_without_requirements_asks_for_no_environment(make_release: MakeRelease, files: Files) -> None:
    assert plan_environment(make_release(files)) is None


@pytest.mark.parametrize(
    ("line", "found"),
    [("-r ../../secret.txt", "outside of the release"), ("-c gone.txt", "is not there"), ("-r /etc/hosts", "outside")],
)
def test_an_include_must_be_in_the_release(make_release: MakeRelease, line: str, found: str) -> None:
    with pytest.raises(ReleaseError, match=found):
        plan_environment(make_release({"requirements.txt": line}))


@pytest.mark.parametrize(
    "line", ["-e .", ".", "./lib", "lib/tiny", "tiny @ file:///srv/tiny", "tiny-1.0.whl", "/srv/tiny"]
)
def test_a_requirement_inside_the_release_ties_the_environment_to_it(make_release: MakeRelease, line: str) -> None:
    """Another release's code would be served otherwise."""
    first, second = (make_release({"requirements.txt": line}) for _ in range(2))
    specs = plan_environment(first), plan_environment(second)
    assert [spec and spec.tied_to for spec in specs] == [first.name, second.name]


@pytest.mark.parametrize(
    "line", ["tiny>=1", "tiny[x]==1 # ./no", "tiny @ https://example.com/a.whl", "git+https://h/a/b"]
)
def test_any_other_requirement_leaves_the_environment_to_all_releases(make_release: MakeRelease, line: str) -> None:
    spec = plan_environment(make_release({"requirements.txt": line}))
    assert spec is not None
    assert spec.tied_to == ""


@pytest.mark.parametrize(
    ("source", "tied"), [('virtual = "."', False), ('editable = "."', False), ('editable = "lib"', True)]
)
def test_a_lock_with_a_package_of_the_release_ties_too(make_release: MakeRelease, source: str, tied: bool) -> None:
    """But the project itself is not installed, so it does not."""
    release = make_release({"uv.lock": f'[[package]]\nname = "a"\nsource = {{ {source} }}\n', "pyproject.toml": ""})
    spec = plan_environment(release)
    assert spec is not None
    assert bool(spec.tied_to) == tied


# What names an environment


@pytest.mark.parametrize(
    "other",
    [
        key(Spec("requirements.txt", (("requirements.txt", b"b"),)), PYTHON, {}),
        key(Spec("pyproject.toml", (("requirements.txt", b"a"),)), PYTHON, {}),
        key(Spec("requirements.txt", (("other.txt", b"a"),)), PYTHON, {}),
        key(Spec("requirements.txt", (("requirements.txt", b"a"),), "0123"), PYTHON, {}),
        key(Spec("requirements.txt", (("requirements.txt", b"a"),)), Interpreter("/p", "3.11", "t", "l"), {}),
        key(Spec("requirements.txt", (("requirements.txt", b"a"),)), PYTHON, {"PIP_INDEX_URL": "https://a.example"}),
        key(Spec("requirements.txt", (("requirements.txt", b"a"),)), PYTHON, {"UV_DEFAULT_INDEX": "https://a.example"}),
    ],
)
def test_all_that_decides_the_content_changes_the_key(other: str) -> None:
    mine = key(Spec("requirements.txt", (("requirements.txt", b"a"),)), PYTHON, {})
    assert mine != other
    assert len(mine) == len(other) == environment.KEY_LENGTH


TOOLS = """
[tool.ruff]
line-length = {line}
[tool.uv]
constraint-dependencies = [
  "tiny<{tiny}",
]
[[tool.uv.index]]
url = "https://{index}.example"
[tool.x]
y = {line}
"""


def test_only_what_concerns_uv_counts_in_a_pyproject_beside_requirements(make_release: MakeRelease) -> None:
    def named(**values: object) -> str:
        project = TOOLS.format(**{"line": 80, "tiny": 2, "index": "a", **values})
        spec = plan_environment(make_release({"requirements.txt": "tiny", "pyproject.toml": project}))
        assert spec is not None
        return key(spec, PYTHON, {})

    assert named() == named(line=100)
    assert len({named(), named(tiny=3), named(index="b")}) == 3


@pytest.mark.parametrize(
    ("file", "variables"),
    [
        ("home/.config/pip/pip.conf", {}),
        ("home/.pip/pip.conf", {}),
        ("home/.config/uv/uv.toml", {}),
        ("elsewhere/uv/uv.toml", {"XDG_CONFIG_HOME": "{}/elsewhere"}),
        ("a.conf", {"PIP_CONFIG_FILE": "{}/a.conf"}),
        ("b.txt", {"PIP_CONSTRAINT": "{0}/gone.txt {0}/b.txt"}),
        ("c.txt", {"UV_BUILD_CONSTRAINT": "{}/c.txt"}),
        ("d.txt", {"UV_OVERRIDE": "../d.txt"}),
    ],
)
def test_the_servers_own_settings_count_by_their_content(tmp_path: Path, file: str, variables: dict[str, str]) -> None:
    release = tmp_path / "release"
    release.mkdir()
    environ = {"HOME": f"{tmp_path}/home", **{name: text.format(tmp_path) for name, text in variables.items()}}
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)

    def named(text: str) -> str:
        path.write_text(text)
        told = settings.read_files(environ, release)
        return key(Spec("requirements.txt", ()), PYTHON, environ, told)

    words = [named(f"index-url = https://{who}.example") for who in ("me:old@a", "me:new@a", "b")]
    assert words[0] == words[1] != words[2]
    path.unlink()
    assert str(tmp_path) not in str(settings.read_files(environ, release))


def test_a_new_password_of_the_index_does_not_change_the_key() -> None:
    spec = Spec("requirements.txt", (("requirements.txt", b"a"),))
    keys = {key(spec, PYTHON, {"PIP_INDEX_URL": f"https://me:{word}@a.example/simple"}) for word in ("old", "new")}
    assert len(keys) == 1


def test_settings_that_do_not_decide_the_content_do_not_change_the_key() -> None:
    spec = Spec("requirements.txt", (("requirements.txt", b"a"),))
    assert key(spec, PYTHON, {"PIP_CERT": "/a", "UV_CACHE_DIR": "/b", "HOME": "/c"}) == key(spec, PYTHON, {})


# Building


@pytest.mark.parametrize("tool", ["environments", "by_pip"])
@pytest.mark.usefixtures("wheels")
def test_an_environment_is_built_once_and_found_again(
    request: pytest.FixtureRequest, make_release: MakeRelease, tool: str
) -> None:
    environments: Environments = request.getfixturevalue(tool)
    first = build(environments, make_release({"requirements.txt": "tiny==1.0\n"}))
    assert first.built
    assert version_in(first.path) == "1.0"
    assert list(first.path.glob("lib/*/site-packages/__pycache__/tiny.*.pyc")), "byte code is compiled while building"

    idle = Environments(environments.path, environments.interpreter, forbidden, environments.uv)
    again = build(idle, make_release({"requirements.txt": "tiny==1.0\n", "code.py": "changed"}))
    assert (again.built, again.path) == (False, first.path)

    other = build(environments, make_release({"requirements.txt": "tiny==2.0\n"}))
    assert other.built
    assert (version_in(other.path), version_in(first.path)) == ("2.0", "1.0")


@pytest.mark.parametrize("tool", ["environments", "by_pip"])
@pytest.mark.usefixtures("wheels")
def test_dependencies_of_a_pyproject_are_installed_without_the_project(
    request: pytest.FixtureRequest, make_release: MakeRelease, tool: str
) -> None:
    release = make_release({"pyproject.toml": '[project]\nname = "blog"\nversion = "1"\ndependencies = ["tiny<2"]\n'})
    built = build(request.getfixturevalue(tool), release)
    assert version_in(built.path) == "1.0"
    assert not list(built.path.glob("lib/*/site-packages/blog*"))


@pytest.mark.usefixtures("wheels")
def test_a_lock_is_followed(make_release: MakeRelease, environments: Environments) -> None:
    """The version of the day of the lock stays, though the requirement would allow a newer one."""
    project = '[project]\nname = "blog"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["{}"]\n'
    release = make_release({"pyproject.toml": project.format("tiny<2")})
    locked = run_command([UV, "lock", "--python", sys.executable], str(release))
    assert locked.rc == 0, locked.err
    (release / "pyproject.toml").write_text(project.format("tiny"))
    before = sorted(path.name for path in release.iterdir())

    built = build(environments, release)
    assert version_in(built.path) == "1.0"
    assert sorted(path.name for path in release.iterdir()) == before, "a release is not written to"


@pytest.mark.parametrize("tool", ["environments", "by_pip"])
@pytest.mark.usefixtures("wheels")
def test_a_broken_requirement_leaves_nothing_and_says_what_to_do(
    request: pytest.FixtureRequest, make_release: MakeRelease, tool: str
) -> None:
    environments: Environments = request.getfixturevalue(tool)
    with pytest.raises(ReleaseError, match="cannot be built") as failure:
        build(environments, make_release({"requirements.txt": "tiny==3.0\n"}))
    assert "tiny==3.0" in failure.value.detail
    assert "mend the requirements" in failure.value.hint
    assert [path for path in environments.path.iterdir() if not path.name.startswith(".")] == []


@pytest.fixture
def dead_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An index behind a port that refuses: it is bound, and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/simple"
        for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX"):
            monkeypatch.delenv(name, raising=False)
        settings = {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url, "PIP_RETRIES": "1", "UV_HTTP_RETRIES": "0"}
        for name, value in {**settings, "NO_PROXY": "127.0.0.1", "PIP_CONFIG_FILE": os.devnull}.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.parametrize("tool", ["environments", "by_pip"])
@pytest.mark.usefixtures("dead_index")
def test_an_index_out_of_reach_is_told_from_a_missing_package(
    request: pytest.FixtureRequest, make_release: MakeRelease, tool: str
) -> None:
    with pytest.raises(ReleaseError) as failure:
        build(request.getfixturevalue(tool), make_release({"requirements.txt": "tiny\n"}))
    assert "reaches its package index" in failure.value.hint, failure.value.detail


@pytest.mark.usefixtures("no_uv", "wheels")
def test_without_venv_the_package_to_install_is_named(
    tmp_path: Path, make_release: MakeRelease, by_pip: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian splits it off from Python; a module that fails like Debian's takes the place of the real one."""
    (tmp_path / "venv.py").write_text("raise SystemExit('ensurepip is not available')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ReleaseError) as failure:
        build(by_pip, make_release({"requirements.txt": "tiny\n"}))
    assert f"python{by_pip.interpreter.version}-venv" in failure.value.hint


def test_uv_is_installed_beside_the_environments_where_a_lock_needs_it(
    tmp_path: Path, wheels: Path, make_release: MakeRelease, by_pip: Environments
) -> None:
    """Its wheel here holds a program that does what `uv sync` does to the eye: it makes the environment."""
    script = f'#!/bin/sh\nexec {sys.executable} -m venv --without-pip "$UV_PROJECT_ENVIRONMENT"\n'
    make_wheel(wheels, "uv", "9.0")
    with zipfile.ZipFile(wheels / "uv-9.0-py3-none-any.whl", "a") as wheel:
        entry = zipfile.ZipInfo("uv-9.0.data/scripts/uv")
        entry.external_attr = 0o100755 << 16
        wheel.writestr(entry, script)
    built = build(by_pip, make_release({"uv.lock": "", "pyproject.toml": ""}))
    assert is_complete(tmp_path / "envs" / ".uv")
    assert is_complete(built.path)


@pytest.mark.usefixtures("wheels")
def test_uv_is_found_beside_the_environments(make_release: MakeRelease, by_pip: Environments) -> None:
    """Setup puts it there."""
    program = by_pip.path / ".uv" / "bin" / "uv"
    program.parent.mkdir(parents=True)
    program.symlink_to(UV)
    assert built_by_uv(build(by_pip, make_release({"requirements.txt": "tiny\n"})))


@pytest.mark.usefixtures("wheels")
def test_a_half_installed_uv_is_not_used(make_release: MakeRelease, by_pip: Environments) -> None:
    program = by_pip.path / ".uv" / "bin" / "uv"
    program.parent.mkdir(parents=True)
    program.write_bytes(Path(UV).read_bytes()[:4096])
    program.chmod(0o755)
    assert not built_by_uv(build(by_pip, make_release({"requirements.txt": "tiny\n"})))


def built_by_uv(built: environment.Environment) -> bool:
    """Ask the environment who made it: uv leaves its version."""
    return "\nuv = " in (built.path / "pyvenv.cfg").read_text()


class Gate(SimpleHTTPRequestHandler):
    """Serves a directory once the gate is open, and tells when somebody stands before it."""

    asked: threading.Event
    opened: threading.Event

    def do_GET(self) -> None:
        self.asked.set()
        self.opened.wait(DEADLINE)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def gate(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Gate]]:
    """An index on this machine that does not answer before it is told to."""

    class Fresh(Gate):
        asked = threading.Event()
        opened = threading.Event()

    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Fresh(*args, directory=str(wheels)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    look_only_at(f"http://127.0.0.1:{server.server_port}/", monkeypatch)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield Fresh
    Fresh.opened.set()
    server.shutdown()
    thread.join()
    server.server_close()


BUILDER = """
import sys
from pathlib import Path
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import *
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command
envs, release, python, uv = sys.argv[1:]
spec = plan_environment(Path(release))
Environments(Path(envs), ask_interpreter(python, run_command), run_command, uv).ensure(spec, Path(release))
"""


def test_a_killed_build_does_not_count_and_is_made_again(
    make_release: MakeRelease, environments: Environments, gate: type[Gate]
) -> None:
    release = make_release({"requirements.txt": "tiny==1.0\n"})
    argv = [sys.executable, "-c", BUILDER, str(environments.path), str(release), sys.executable, UV]
    builder = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(COLLECTIONS)}, start_new_session=True)
    assert gate.asked.wait(DEADLINE), "uv asked the index"
    os.killpg(builder.pid, signal.SIGKILL)
    builder.wait()
    (left,) = [path for path in environments.path.iterdir() if not path.name.startswith(".")]
    assert (left / "bin").is_dir()
    assert not is_complete(left)

    gate.opened.set()
    built = build(environments, release)
    assert (built.built, built.path) == (True, left)
    assert version_in(left) == "1.0"


def waiters(lock: Path) -> int:
    """Count who waits for a lock on the file `lock`; the kernel marks them with an arrow."""
    inode = str(lock.stat().st_ino)
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("->" in line and line.split()[6].endswith(f":{inode}") for line in lines)


def test_of_two_that_want_one_environment_the_second_waits(
    make_release: MakeRelease, environments: Environments, gate: type[Gate]
) -> None:
    release = make_release({"requirements.txt": "tiny==1.0\n"})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(build, environments, release)
        assert gate.asked.wait(DEADLINE), "the first one builds"
        second = pool.submit(build, environments, release)
        until(lambda: waiters(environments.path / ".lock") == 1, "the second one waits", DEADLINE)
        gate.opened.set()
        assert (first.result().built, second.result().built) == (True, False)
    assert version_in(first.result().path) == "1.0"


@pytest.mark.usefixtures("wheels")
def test_an_environment_whose_python_was_removed_is_made_again(
    make_release: MakeRelease, environments: Environments
) -> None:
    release = make_release({"requirements.txt": "tiny==1.0\n"})
    first = build(environments, release)
    python = first.path / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.8")
    assert build(environments, release).built
    assert version_in(first.path) == "1.0"


@pytest.mark.usefixtures("wheels")
def test_an_environment_that_was_moved_is_made_again(make_release: MakeRelease, environments: Environments) -> None:
    """Its programs name the place that it was built for. By which way the place is reached does not count."""
    release = make_release({"requirements.txt": "tiny==1.0\n"})
    first = build(environments, release)
    other = environments.path.with_name("other")
    environments.path.rename(other)
    moved = replace(environments, path=other)
    assert build(moved, release).built
    environments.path.symlink_to(other)
    assert not build(environments, release).built
    (first.path / ".complete").write_text("")
    assert not build(environments, release).built, "0.1.0 did not record the place"


def test_an_interpreter_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="/nonexistent/python"):
        ask_interpreter("/nonexistent/python", run_command)
    with pytest.raises(ReleaseError, match=str(shutil.which("false"))):
        ask_interpreter(str(shutil.which("false")), run_command)
    assert list(tmp_path.iterdir()) == []


def test_an_interpreter_inside_an_environment_answers_for_its_base(tmp_path: Path) -> None:
    """Or the environments of a laptop's virtual environment would end with it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    inner = ask_interpreter(str(tmp_path / "v" / "bin" / "python"), run_command)
    assert inner == ask_interpreter(sys.executable, run_command)
    assert not inner.path.startswith(str(tmp_path))


# Links and pruning


def test_the_link_is_relative_and_set_once(make_release: MakeRelease, tmp_path: Path) -> None:
    """A tree that is moved as a whole keeps working links."""
    release = make_release({"README": ""})
    env = tmp_path / "envs" / "0123456789ab"
    assert link(release, env) is True
    assert (release / ".venv").readlink() == Path("../../envs/0123456789ab")
    assert link(release, env) is False
    assert link(release, env.with_name("ba9876543210")) is True
    assert sorted(path.name for path in release.iterdir()) == [".venv", "README"]


def test_a_repository_with_a_venv_of_its_own_is_refused(make_release: MakeRelease, tmp_path: Path) -> None:
    release = make_release({".venv/pyvenv.cfg": ""})
    with pytest.raises(ReleaseError, match=r"\.venv"):
        link(release, tmp_path / "envs" / "0123456789ab")
    assert (release / ".venv" / "pyvenv.cfg").exists()


@pytest.mark.usefixtures("wheels")
def test_a_removed_environment_is_gone(make_release: MakeRelease, environments: Environments) -> None:
    built = build(environments, make_release({"requirements.txt": "tiny\n"}))
    remove(built.path)
    assert not built.path.exists()
    remove(built.path)


def test_only_environments_without_a_release_are_stale() -> None:
    envs = ["0" * 12, "a" * 12, "b" * 12, ".uv", ".cache", ".lock", "notes"]
    assert stale(envs, ["../../envs/" + "a" * 12, "../envs/gone"]) == ["0" * 12, "b" * 12]


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("The virtual environment was not created because ensurepip is not available.", "python3.11-venv"),
        ("/usr/bin/python3: No module named venv", "python3.11-venv"),
        ("OSError: [Errno 28] No space left on device", "free some space"),
        ("Temporary failure in name resolution", "reaches its package index"),
        ("error: command '/usr/bin/gcc' failed with exit code 1", "compiled"),
        ("ERROR: No matching distribution found for tiny==3.0", "mend the requirements"),
        ("Because tiny was not found in the package registry", "mend the requirements"),
        ("something new", "see what the output asks for"),
    ],
)
def test_a_failed_build_gets_a_hint(output: str, hint: str) -> None:
    assert hint in installer.hint_for(output, PYTHON)
