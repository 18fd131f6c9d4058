"""What cannot be meant is refused before any server is asked: unknown variables, and inventories without projects."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import GIT, ROOT, Done, Laptop, Upstream


def run(laptop: Laptop, *arguments: str, cwd: Path, **environment: str) -> Done:
    """Run ansible-playbook as typed, with the installed collection and without an inventory that is not named."""
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), *arguments, "-e", "project_system=false"]
    installed = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    done = subprocess.run(
        argv,
        cwd=cwd,
        env={**laptop.environment, **installed, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout + done.stderr, {})


def message(done: Done) -> str:
    """The error that the command ends with, which is the only one and stands alone."""
    assert done.code != 0, done.output
    assert "PLAY [" not in done.output
    before, _mark, error = done.output.rpartition("[ERROR]: ")
    assert len(error.splitlines()) == 1
    assert "[ERROR]: Task" not in before
    return error


@pytest.mark.parametrize(
    ("playbook", "given", "says"),
    [
        ("deploy", {"refs": "v7"}, "Unknown variable given with -e: refs. Did you mean ref?"),
        ("revert", {"step": "3"}, "Unknown variable given with -e: step. Did you mean steps?"),
        ("deploy", {"project_keeep": "3"}, "Unknown variable given with -e: project_keeep. Did you mean project_keep?"),
        ("deploy", {"to": "one"}, "Unknown variable given with -e: to. to is a variable of revert."),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known_one(
    laptop: Laptop, upstream: Upstream, playbook: str, given: dict[str, str], says: str
) -> None:
    path = laptop.project("blog", upstream.path)
    done = laptop.run(f"playbooks/{playbook}.yml", extra={"project": "blog", **given})
    assert says in message(done)
    assert not path.exists()


def test_a_limit_does_not_skip_the_check_nor_the_table(laptop: Laptop, upstream: Upstream) -> None:
    """It leaves out the host `localhost`, on which both would run."""
    paths = laptop.servers("a b", upstream)
    done = laptop.run("playbooks/deploy.yml", "--limit", "blog@b", extra={"project": "blog", "refs": "v7"})
    assert "Unknown variable given with -e: refs. Did you mean ref?" in message(done)
    assert not paths["b"].exists()
    done = laptop.run("playbooks/status.yml", "--limit", "blog@b")
    assert "msg: not set up" in done.output
    assert done.code == 2, done.output
    assert [line.split()[:2] for line in done.output.splitlines() if line.startswith("blog ")] == [["blog", "b"]]


def test_variables_that_the_inventory_uses_or_lists_are_accepted(laptop: Laptop, upstream: Upstream) -> None:
    """So are host variables, and those that an automation controller adds."""
    upstream.commit("two")
    path = laptop.project("blog", upstream.path, ref="{{ version }}")
    given = {"version": "one", "mine": "x", "project_keep": "3", "awx_job_id": "7", "project_own_variables": "mine"}
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog", **given})
    assert done.code == 0, done.output
    assert (path / "current/page").read_text() == "one"


def test_a_variable_of_the_commands_in_the_inventory_is_refused(laptop: Laptop, upstream: Upstream) -> None:
    """It would apply to every run."""
    laptop.servers("a", upstream, force="true")
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert "The inventory sets force for blog@a, which deploy takes from -e only" in message(done)
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog", "force": "false"})
    assert done.code == 0, done.output


def test_a_variable_of_the_commands_in_the_files_of_groups_is_refused_on_its_host(
    laptop: Laptop, upstream: Upstream
) -> None:
    """Where names alone show the hosts, the inventory is not read before the play begins."""
    path = laptop.project("blog", upstream.path)
    (laptop.folder / "group_vars").mkdir()
    (laptop.folder / "group_vars/all.yml").write_text("force: true\n")
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code != 0
    assert "The inventory sets force for blog@localhost, which deploy takes from -e only" in done.output
    assert not path.exists()


def test_config_takes_one_value(laptop: Laptop, upstream: Upstream) -> None:
    path = laptop.project("blog", upstream.path)
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog", "config": "drop"})
    assert done.code != 0
    assert "config is 'drop'. Its only value is keep." in done.output
    assert not path.exists()


def test_the_first_error_of_an_inventory_is_repeated_last(laptop: Laptop, upstream: Upstream) -> None:
    laptop.project("blog", upstream.path, keep=0)
    laptop.project("shop", upstream.path, workers="two")
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert f"The inventory is invalid: {laptop.inventory}:9: project blog, keep: must be an integer >= 1, not 0" in (
        message(done)
    )
    assert "(1 more above)" in message(done)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("projects:\n  blog: {}\n", "projects.yml:1: the first line must be 'plugin: onetouch.deploy.projects'"),
        ("plugin: onetouch.deploy.projects\nprojects: [\n", "The inventory is invalid: "),
        ("plugin: onetouch.deploy.projects\nprojects: {}\n", "projects.yml: it has no projects"),
    ],
)
def test_a_file_that_is_no_inventory_is_named(laptop: Laptop, text: str, says: str) -> None:
    laptop.inventory.write_text(text)
    assert says in message(laptop.run("playbooks/deploy.yml", extra={"project": "blog"}))


def test_an_inventory_that_was_not_read_is_named_with_the_option_that_reads_it(
    laptop: Laptop, upstream: Upstream, tmp_path: Path
) -> None:
    """The collection is installed, and the user is in the directory that the README describes."""
    path = laptop.project("blog", upstream.path)
    (tmp_path / "inventory").mkdir()
    laptop.inventory.rename(tmp_path / "inventory/projects.yml")
    command = ("onetouch.deploy.deploy", "-e", "project=blog")
    done = run(laptop, *command, cwd=tmp_path)
    assert "inventory/projects.yml was not read. Name it with -i inventory/projects.yml" in message(done)
    ignored = run(laptop, *command, "-i", "inventory", cwd=tmp_path, ANSIBLE_INVENTORY_ENABLED="ini,yaml")
    assert "projects.yml is valid, but Ansible did not read it. See the warning above; enable_plugins" in message(
        ignored
    )
    assert not path.exists()
    done = run(laptop, *command, "-i", "inventory/projects.yml", cwd=tmp_path)
    assert done.code == 0, done.output


def test_a_fresh_clone_works_without_make_setup(laptop: Laptop, upstream: Upstream, tmp_path: Path) -> None:
    """Ansible is the user's own, and finds the collection through the link that the repository holds."""
    clone = tmp_path / "clone"
    listed = subprocess.check_output([GIT, "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name, follow_symlinks=False)
    path = laptop.project("blog", upstream.path)
    laptop.inventory.rename(clone / "inventory/projects.yml")
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "deploy.yml", "-e", "project=blog"]
    done = subprocess.run(
        argv, cwd=clone / "playbooks", env=laptop.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (path / "current/page").read_text() == "one"


def test_a_group_that_ansible_has_renamed_is_an_error(laptop: Laptop, upstream: Upstream) -> None:
    """Its pattern would match no host: the command would do nothing, and end well."""
    laptop.project("my-blog", upstream.path)
    laptop.environment["ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS"] = "always"
    done = laptop.run("playbooks/deploy.yml", extra={"project": "my-blog"})
    assert "The inventory has no group my-blog" in message(done)
    assert "set force_valid_group_names = ignore in ansible.cfg" in message(done)
