# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users read when an installation fails: the true cause, and what they can do about it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.environment.build import Environments
from ansible_collections.onetouch.deploy.plugins.module_utils._releases.errors import ReleaseError

from tests.support.package_index import open_index
from tests.support.ports import free_port
from tests.support.releases.environments import Files, MakeRelease, build, made_by
from tests.support.releases.packages import Traits, make_sdist, make_wheel


def failure_of(environments: Environments, release: Path) -> ReleaseError:
    with pytest.raises(ReleaseError) as failure:
        build(environments, release)
    assert [path.name for path in environments.path.iterdir() if not path.name.startswith(".")] == []
    return failure.value


def hint_of(environments: Environments, release: Path) -> str:
    failure = failure_of(environments, release)
    return f"{failure.hint}\n{failure.detail}"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ((401, ""), "put the user and the password into `index`"),
        ((403, ""), "the package index refuses access"),
        ((404, ""), "correct the requirements, or the index: it has no such package or version"),
        ((500, ""), "the package index itself failed"),
        ((503, ""), "the package index itself failed"),
        ((302, "/simple/tiny/"), "redirects without end"),
        ((302, "http://127.0.0.1:{port}/simple/tiny/"), "check that this server reaches its package index"),
    ],
)
def test_an_index_that_refuses(
    tmp_path: Path, make_release: MakeRelease, tool: str, answer: tuple[int, str], hint: str
) -> None:
    status, location = answer
    with open_index(tmp_path, status, location.format(port=free_port())) as index:
        environments = made_by(tool, tmp_path / "envs", index.address)
        assert hint in hint_of(environments, make_release({"requirements.txt": "tiny\n"}))


def make_certificate(directory: Path, days: int) -> Path:
    """Sign a certificate for this machine by itself; it has expired where `days` is negative."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    subject = ["-addext", "subjectAltName=IP:127.0.0.1", "-days", str(days)]
    subprocess.run([*request, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both = directory / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return both


def test_a_certificate_that_is_not_trusted(tmp_path: Path, make_release: MakeRelease, tool: str) -> None:
    with open_index(tmp_path, certificate=make_certificate(tmp_path, 2)) as index:
        environments = made_by(tool, tmp_path / "envs", index.address)
        hint = hint_of(environments, make_release({"requirements.txt": "tiny\n"}))
    assert "let this server trust the certificate of the package index" in hint


def test_http_where_https_is_expected(tmp_path: Path, make_release: MakeRelease, tool: str) -> None:
    with open_index(tmp_path) as index:
        environments = made_by(tool, tmp_path / "envs", index.address.replace("http:", "https:"))
        assert "does not speak https" in hint_of(environments, make_release({"requirements.txt": "tiny\n"}))


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}/simple", "https://nonexistent.invalid/simple"], ids=["port", "name"]
)
def test_an_index_out_of_reach_is_not_a_missing_package(
    tmp_path: Path, make_release: MakeRelease, tool: str, address: str
) -> None:
    environments = made_by(tool, tmp_path / "envs", address.format(port=free_port()))
    hint = hint_of(environments, make_release({"requirements.txt": "tiny\n"}))
    assert "check that this server reaches its package index" in hint


def test_pip_ignores_an_index_over_http(tmp_path: Path, make_release: MakeRelease) -> None:
    environments = made_by("pip", tmp_path / "envs", "http://nonexistent.invalid/simple")
    hint = hint_of(environments, make_release({"requirements.txt": "tiny\n"}))
    assert "use https, or name the host as `trusted-host` in pip.conf" in hint


@pytest.mark.parametrize(
    ("requirement", "hint"),
    [
        ("tiny==3.0", "correct the requirements, or the index: it has no such package or version"),
        ("nonsuch", "correct the requirements, or the index: it has no such package or version"),
        ("tiny==1.0 --hash=sha256:" + "0" * 64, "the index has other files than those that were locked"),
        ("--require-hashes\ntiny", "give every requirement a version and a hash"),
        ("tiny>=1,,<", "correct the requirements: the output shows the line"),
        ("modern", "a package does not support Python 3.11: set `python`"),
        ("foreign", "has no wheel for this server and Python 3.11"),
        ("broken", "a package could not be built"),
        ("git+file:///nonexistent/repository", "a requirement comes from a git repository"),
    ],
)
def test_a_requirement_that_cannot_be_met(
    make_release: MakeRelease, wheels: Path, environments: Environments, requirement: str, hint: str
) -> None:
    make_wheel(wheels, "modern", "1.0", traits=Traits(python=">=3.99"))
    make_wheel(wheels, "foreign", "1.0", traits=Traits(tag="cp38-cp38-win32"))
    make_sdist(wheels, "broken", "1.0", built_by="tiny")
    assert hint in hint_of(environments, make_release({"requirements.txt": f"{requirement}\n"}))


def test_the_python_that_a_release_requires_is_looked_at_first(
    make_release: MakeRelease, environments: Environments
) -> None:
    """Whatever decides what is installed."""
    project = '[project]\nname = "a"\nversion = "1"\nrequires-python = "{}"\ndependencies = ["tiny"]\n'
    others: list[Files] = [{}, {"requirements.txt": "tiny"}, {"uv.lock": "version = 1"}]
    for files in others:
        failure = failure_of(environments, make_release({"pyproject.toml": project.format(">=3.99"), **files}))
        assert failure.msg == (
            f"this release requires Python >=3.99, and {environments.interpreter.path} is Python"
            f" {environments.interpreter.full_version}"
        )
        assert failure.hint.startswith("set `python` to an interpreter that is allowed")
    failure = failure_of(environments, make_release({"pyproject.toml": project.format("^3.9")}))
    assert failure.msg == "requires-python in pyproject.toml cannot be read: '^3.9' is not a version specifier"


def test_without_venv_the_package_to_install_is_named(
    tmp_path: Path, make_release: MakeRelease, by_pip: Environments
) -> None:
    """Debian splits it off from Python; an interpreter that fails like Debian's takes the place of the real one."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$2" = venv ] && echo "The virtual environment was not created successfully because ensurepip is'
        f' not available." && exit 1\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    debian = replace(by_pip, interpreter=replace(by_pip.interpreter, path=str(python)))
    failure = failure_of(debian, make_release({"requirements.txt": "tiny\n"}))
    assert failure.hint == "install the package python3.11-venv (Debian, Ubuntu), or uv"


def test_a_killed_installer_is_named_as_such(tmp_path: Path, make_release: MakeRelease) -> None:
    killed = tmp_path / "uv"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    environments = replace(made_by("uv", tmp_path / "envs", "/srv/wheels"), uv=str(killed))
    failure = failure_of(environments, make_release({"requirements.txt": "tiny\n"}))
    assert "was killed by signal 9" in failure.msg
    assert "as when memory runs out" in failure.hint


@contextmanager
def small_file_system(path: Path, *options: str) -> Iterator[None]:
    path.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", path], check=True)


def test_a_full_disk(tmp_path: Path, make_release: MakeRelease, wheels: Path, tool: str) -> None:
    make_wheel(wheels, "large", "1.0", ballast=30_000_000)
    with small_file_system(tmp_path / "envs", "size=28m"):
        environments = made_by(tool, tmp_path / "envs", wheels)
        hint = hint_of(environments, make_release({"requirements.txt": "large\n"}))
    assert "free some disk space" in hint


def test_a_read_only_cache(
    tmp_path: Path, make_release: MakeRelease, environments: Environments, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip goes on without its cache."""
    with small_file_system(tmp_path / "cache", "size=1m", "ro"):
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
        if tool == "uv":
            hint = hint_of(environments, make_release({"requirements.txt": "tiny\n"}))
            assert "mount the file system writable" in hint
            return
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
        assert build(environments, make_release({"requirements.txt": "tiny\n"})).built


def test_a_package_that_needs_a_compiler_that_is_missing(
    tmp_path: Path, make_release: MakeRelease, wheels: Path, environments: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a build backend that calls the compiler as others do."""
    make_wheel(wheels, "backend", "1.0", traits=Traits(code=BACKEND))
    make_sdist(wheels, "compiled", "1.0", built_by="backend")
    (tmp_path / "bin").mkdir()
    for program in ("sync", "sh"):
        (tmp_path / "bin" / program).symlink_to(f"/bin/{program}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    hint = hint_of(environments, make_release({"requirements.txt": "compiled\n"}))
    assert "install a compiler and the headers (Debian, Ubuntu: build-essential and python3.11-dev)" in hint
    assert os.environ["PATH"] == str(tmp_path / "bin")


BACKEND = """
import subprocess

def build_wheel(*arguments, **settings):
    subprocess.run(["gcc", "-c", "a.c"], check=True)

def get_requires_for_build_wheel(*arguments):
    return []
"""
