# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which environment a release asks for, and what names it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment import build, server_settings
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import key
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.spec import Spec, plan_environment
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.toml import PARSE, dump, toml_reader
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.system.run import run_command

from tests.support.releases.environments import PYTHON, Files, plan, read_toml

ENVS = Path("/srv/blog/envs")
REQUIREMENTS = Spec("requirements.txt", (("requirements.txt", b"a"),))


def release_of(path: Path, files: Files, name: str = "0123") -> Path:
    release = path / name
    for file, content in files.items():
        (release / file).parent.mkdir(parents=True, exist_ok=True)
        (release / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return release


@pytest.mark.parametrize(
    ("files", "lead", "names"),
    [
        ({"uv.lock": "", "pyproject.toml": "", "requirements.txt": ""}, "uv.lock", ["uv.lock", "pyproject.toml"]),
        ({"requirements.txt": "tiny", "pyproject.toml": ""}, "requirements.txt", ["requirements.txt"]),
        ({"uv.lock": "", "requirements.txt": ""}, "requirements.txt", ["requirements.txt"]),
        (
            {"requirements.txt": "-r deps/a.txt\n", "deps/a.txt": "--constraint=b.txt\n-ra.txt\nc", "deps/b.txt": ""},
            "requirements.txt",
            ["requirements.txt", "deps/a.txt", "deps/b.txt"],
        ),
        ({"requirements.txt": "", "uv.toml": "a = 1"}, "requirements.txt", ["requirements.txt", "uv.toml"]),
        (
            {"requirements.txt": "", "pyproject.toml": "[tool.uv.pip]\na = 1"},
            "requirements.txt",
            ["requirements.txt", "pyproject.toml"],
        ),
        ({"requirements.txt": "# -r gone.txt\n-r https://example.com/r.txt"}, "requirements.txt", ["requirements.txt"]),
        (
            {"requirements.txt": "tiny", "pyproject.toml": "[project\n"},
            "requirements.txt",
            ["requirements.txt", "pyproject.toml"],
        ),
    ],
)
def test_the_deciding_files_are_found(tmp_path: Path, files: Files, lead: str, names: list[str]) -> None:
    spec = plan(release_of(tmp_path, files))
    assert (spec.lead, [name for name, _ in spec.files], spec.tied_to) == (lead, names, "")


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nname = "a"\ndependencies = [\n"tiny"]\n',
        '[project]\r\nname = "a"\r\ndependencies = ["tiny"]\r\n',
        '\ufeff[project]\nname = "a"\ndependencies = ["tiny"]\n',
        '[ project ]  # [tool]\n\tname = "a"\n\tdependencies = ["tiny"]',
        '["project"]\nname = "a"\n"dependencies" = ["tiny"]',
        'project.name = "a"\nproject.dependencies = ["tiny"]',
        'project = {name = "a", dependencies = ["tiny"]}',
        '[project]\nreadme = """\n[tool.x]\ndependencies = []\n"""\ndependencies = [ # none ]\n  "tiny", # ]\n]',
        '[tool.x]\ny = "[project]"\n[project]\nname = "a"\nkeywords = ["[tool]"]\ndependencies = [\'tiny\']',
    ],
)
def test_a_pyproject_is_read_as_toml(tmp_path: Path, text: str) -> None:
    spec = plan(release_of(tmp_path, {"pyproject.toml": text}))
    assert (spec.lead, spec.dependencies) == ("pyproject.toml", ("tiny",))


@pytest.mark.parametrize(
    "files",
    [
        {"README": ""},
        {"uv.lock": ""},
        {"pyproject.toml": "[tool.ruff]\n"},
        {"pyproject.toml": '[project]\nname = "a"\ndependencies = [ ]\n'},
        {"pyproject.toml": '[project]\nname = "a"\n[tool.x]\ndependencies = ["b"]\n'},
        {"pyproject.toml": '[project]\nname = "a"\ndescription = """\ndependencies = ["b"]\n"""\n'},
        {"pyproject.toml": "project = 1"},
    ],
)
def test_a_release_without_requirements_asks_for_no_environment(tmp_path: Path, files: Files) -> None:
    assert plan_environment(release_of(tmp_path, files), read_toml) is None


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"pyproject.toml": "[project]\ndependencies = [\n"}, "pyproject.toml is not valid TOML: Invalid value"),
        ({"pyproject.toml": "[project]\nname = 'caf\xe9'".encode("latin-1")}, "pyproject.toml .* not UTF-8 .byte 21"),
        ({"pyproject.toml": "[project]".encode("utf-16")}, "pyproject.toml .* not UTF-8"),
        ({"pyproject.toml": 'project.dependencies = "tiny"'}, "dependencies in pyproject.toml are not a list"),
        ({"pyproject.toml": "", "uv.lock": "<<<<<<< HEAD\n"}, "uv.lock is not valid TOML"),
    ],
)
def test_what_cannot_be_read_is_an_error(tmp_path: Path, files: Files, found: str) -> None:
    with pytest.raises(ReleaseError, match=found):
        plan_environment(release_of(tmp_path, files), read_toml)


def test_the_interpreter_reads_toml_where_this_python_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Python 3.9 and 3.10: with the parser that pip brings, here the one of the oldest Python that has none."""
    monkeypatch.setitem(sys.modules, "tomllib", None)
    read = toml_reader(sys.executable, run_command)
    text = "\ufeff[project]\r\ndependencies = ['tiny']\r\nday = 2026-01-01"
    good = release_of(tmp_path, {"pyproject.toml": text})
    assert read(good / "pyproject.toml")["project"]["dependencies"] == ["tiny"]
    bad = release_of(tmp_path, {"pyproject.toml": "[project"}, "4567")
    with pytest.raises(ReleaseError, match=r"pyproject.toml is not valid TOML: Expected"):
        read(bad / "pyproject.toml")


@pytest.mark.parametrize("parser", ["pip._vendor.tomli", "tomllib"])
def test_each_parser_reads_the_same(tmp_path: Path, parser: str) -> None:
    release = release_of(tmp_path, {"pyproject.toml": "[project]\r\ndependencies = ['tiny']\r\n"})
    script = PARSE.replace('("tomllib", "tomli", "pip._vendor.tomli", "pip._vendor.toml")', f'("{parser}",)')
    assert script != PARSE
    command = [sys.executable, "-I", "-c", script, str(release / "pyproject.toml")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == '{"data": {"project": {"dependencies": ["tiny"]}}}'


PYTHON_WITHOUT_PARSER = f"""#!{sys.executable}
import sys
sys.modules.update(dict.fromkeys(("tomllib", "tomli", "pip")))
_isolated, _command, script, *sys.argv[1:] = sys.argv[1:]
exec(script)
"""


def test_an_interpreter_without_a_parser_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomllib", None)
    python = tmp_path / "python"
    python.write_text(PYTHON_WITHOUT_PARSER)
    python.chmod(0o755)
    release = release_of(tmp_path, {"pyproject.toml": "a = 1"})
    with pytest.raises(ReleaseError, match=rf"{python} has no parser for TOML\. Set .python. to Python 3\.11"):
        toml_reader(str(python), run_command)(release / "pyproject.toml")


def test_what_is_written_as_toml_is_read_back(tmp_path: Path) -> None:
    data = {"a-b": [1, {"c.d": True}, 'x"\n\\\U0001f600\x7f'], "e": {"f": {}, "g": []}, "h": 1.5}
    (tmp_path / "a.toml").write_text(dump(data), encoding="utf-8")
    assert read_toml(tmp_path / "a.toml") == data


@pytest.mark.parametrize(
    "line", ["-e .", ".", "./lib", "lib/tiny", "tiny @ file:///srv/tiny", "tiny-1.0.whl", "/srv/tiny"]
)
def test_a_requirement_inside_the_release_ties_the_environment_to_it(tmp_path: Path, line: str) -> None:
    """Another release's code would be served otherwise."""
    releases = [release_of(tmp_path, {"requirements.txt": line}, name) for name in ("01", "23")]
    assert [plan(release).tied_to for release in releases] == ["01", "23"]


@pytest.mark.parametrize(
    "line", ["tiny>=1", "tiny[x]==1 # ./no", "tiny @ https://example.com/a.whl", "git+https://h/a/b"]
)
def test_any_other_requirement_leaves_the_environment_to_all_releases(tmp_path: Path, line: str) -> None:
    assert plan(release_of(tmp_path, {"requirements.txt": line})).tied_to == ""


@pytest.mark.parametrize(
    ("sources", "tied"),
    [
        ("", False),
        ('[tool.uv.sources]\ntiny = {index = "x"}', False),
        ('[tool.uv.sources]\ntiny = { path = "lib" }', True),
        ("[tool.uv.sources.tiny]\nworkspace = true", True),
        ('[[tool.uv.sources.tiny]]\nmarker = "a"\npath = "lib"', True),
        ('[tool.other]\nx = {path = "lib"}', False),
    ],
)
def test_a_project_with_a_package_of_the_release_ties_too(tmp_path: Path, sources: str, tied: bool) -> None:
    text = f'[project]\nname = "a"\ndependencies = ["tiny"]\n{sources}\n'
    assert bool(plan(release_of(tmp_path, {"pyproject.toml": text})).tied_to) == tied


@pytest.mark.parametrize(
    ("source", "tied"),
    [
        ('source = { virtual = "." }', False),
        ('source = { editable = "." }', False),
        ('source = { editable = "lib" }', True),
        ("source.directory = 'lib'\r", True),
    ],
)
def test_a_lock_with_a_package_of_the_release_ties_too(tmp_path: Path, source: str, tied: bool) -> None:
    """But the project itself is not installed, so it does not."""
    files: Files = {"uv.lock": f'[[package]]\nname = "a"\n{source}\n', "pyproject.toml": ""}
    assert bool(plan(release_of(tmp_path, files)).tied_to) == tied


# What names an environment


def named(spec: Spec = REQUIREMENTS, place: Path = ENVS, **variables: str) -> str:
    return key(spec, PYTHON, place, variables, {})


@pytest.mark.parametrize(
    "other",
    [
        named(replace(REQUIREMENTS, files=(("requirements.txt", b"b"),))),
        named(replace(REQUIREMENTS, lead="pyproject.toml")),
        named(replace(REQUIREMENTS, files=(("other.txt", b"a"),))),
        named(replace(REQUIREMENTS, tied_to="0123")),
        named(place=Path("/srv/moved/envs")),
        named(PIP_INDEX_URL="https://a.example"),
        named(UV_DEFAULT_INDEX="https://a.example"),
        key(REQUIREMENTS, replace(PYTHON, path="/p"), ENVS, {}, {}),
        key(REQUIREMENTS, replace(PYTHON, version="3.12"), ENVS, {}, {}),
        key(REQUIREMENTS, replace(PYTHON, tag="t"), ENVS, {}, {}),
        key(REQUIREMENTS, replace(PYTHON, platform="linux-aarch64"), ENVS, {}, {}),
    ],
)
def test_all_that_decides_the_content_changes_the_key(other: str) -> None:
    assert named() != other
    assert len(named()) == len(other) == build.KEY_CHARACTERS


def test_a_security_update_of_python_does_not_change_the_key() -> None:
    """A revert after it must not need the network."""
    assert key(REQUIREMENTS, replace(PYTHON, full_version="3.11.99"), ENVS, {}, {}) == named()


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


def test_only_what_concerns_uv_counts_in_a_pyproject_beside_requirements(tmp_path: Path) -> None:
    def with_values(**values: object) -> str:
        project = TOOLS.format(**{"line": 80, "tiny": 2, "index": "a", **values})
        return named(plan(release_of(tmp_path, {"requirements.txt": "tiny", "pyproject.toml": project})))

    assert with_values() == with_values(line=100)
    assert len({with_values(), with_values(tiny=3), with_values(index="b")}) == 3


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
    release = release_of(tmp_path, {"README": ""})
    environ = {"HOME": f"{tmp_path}/home", **{name: text.format(tmp_path) for name, text in variables.items()}}
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)

    def with_text(text: str) -> str:
        path.write_text(text)
        return key(REQUIREMENTS, PYTHON, ENVS, environ, server_settings.digests(environ, release))

    words = [with_text(f"index-url = https://{who}.example") for who in ("me:old@a", "me:new@a", "b")]
    assert words[0] == words[1] != words[2]
    path.unlink()
    assert str(tmp_path) not in str(server_settings.digests(environ, release))


def test_a_new_password_of_the_index_does_not_change_the_key() -> None:
    assert len({named(PIP_INDEX_URL=f"https://me:{word}@a.example/simple") for word in ("old", "new")}) == 1


def test_settings_that_do_not_decide_the_content_do_not_change_the_key() -> None:
    assert named(PIP_CERT="/a", UV_CACHE_DIR="/b", HOME="/c") == named()
