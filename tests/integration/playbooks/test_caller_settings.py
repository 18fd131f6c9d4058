"""Whatever the caller's ansible.cfg sets, the playbooks keep their promises: plays state what they rely on."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path

from tests.support.sshd import Sshd

from .conftest import ROOT, Laptop, Upstream

# Each line breaks a deploy whose plays do not state the opposite, or changes how results are read.
CONFIGURATION = """\
[defaults]
collections_path = {root}/collections
strategy = ansible.builtin.free
transport = ansible.builtin.local
gathering = implicit
any_errors_fatal = true
force_handlers = true
task_timeout = 1
inject_facts_as_vars = false
fact_caching = ansible.builtin.jsonfile
fact_caching_connection = {folder}/facts
hash_behaviour = merge
stdout_callback = ansible.builtin.minimal
display_ok_hosts = false
no_target_syslog = true
remote_tmp = {folder}/remote
local_tmp = {folder}/local
[connection]
pipelining = false
[privilege_escalation]
become = true
become_user = nobody
become_exe = {folder}/become
[ssh_connection]
retries = 0
"""
# Takes longer than task_timeout, and shows who has run it.
HOOK = "sleep 2; id -un > $DEPLOY_PATH/who"


def configure(laptop: Laptop) -> Path:
    """Write the configuration, and return the file that exists once anything was run through `become`."""
    escalate, used = laptop.folder / "become", laptop.folder / "became"
    escalate.write_text(f"#!/bin/sh\ntouch {used}\nexit 1\n")
    escalate.chmod(0o755)
    config = laptop.folder / "ansible.cfg"
    config.write_text(CONFIGURATION.format(root=ROOT, folder=laptop.folder))
    laptop.environment["ANSIBLE_CONFIG"] = str(config)
    return used


def two_servers(laptop: Laptop, sshd: Sshd, upstream: Upstream, ahead: Upstream) -> dict[str, Path]:
    """Make the inventory a project on two servers over ssh, of which the second one's remote is ahead."""
    paths = {name: laptop.folder / "srv" / name for name in ("a", "b")}
    login = {"ansible_host": "127.0.0.1", "ansible_port": sshd.port, "ansible_user": getpass.getuser()}
    common = {**login, "ansible_python_interpreter": sys.executable, "project_post_deploy": HOOK}
    common |= {"project_name": "blog", "project_ref": "origin/main"}
    hosts = {
        f"blog@{name}": {"project_path": str(path), "project_repo": str(repository.path)}
        for (name, path), repository in zip(paths.items(), (upstream, ahead), strict=True)
    }
    laptop.inventory = laptop.folder / "hosts.yml"
    laptop.inventory.write_text(json.dumps({"all": {"children": {"blog": {"hosts": hosts, "vars": common}}}}))
    return paths


def test_a_deploy_does_not_depend_on_the_callers_settings(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    """One commit on both servers, over ssh, as the user who logs in, with a hook that outlasts the task timeout."""
    ahead = laptop.folder / "ahead"
    upstream.git("clone", "--quiet", str(upstream.path), str(ahead))
    first = upstream.git("rev-parse", "HEAD")
    later = Upstream(ahead)
    later.commit("later")
    became = configure(laptop)
    paths = two_servers(laptop, sshd, upstream, later)
    before = sshd.counts()
    done = laptop.run("onetouch.deploy.deploy", cwd=laptop.folder, extra={"project": "blog"})
    assert done.code == 0, done.output
    assert sshd.counts().since(before).executions > 0
    live = [json.loads((path / ".deploys.jsonl").read_text())["commit"] for path in paths.values()]
    assert live == [first, first]
    assert {(path / "who").read_text().strip() for path in paths.values()} == {getpass.getuser()}
    assert not became.exists()
    assert f"blog@b: {first[:12]} is live" in done.output


def test_status_and_revert_do_not_depend_on_the_callers_settings(laptop: Laptop, upstream: Upstream) -> None:
    """A server that does not answer keeps its row, and the others theirs, although any error would be fatal."""
    became = configure(laptop)
    paths = laptop.servers("a b", upstream, project_post_deploy=HOOK)
    for text in ("", "two"):
        assert not text or upstream.commit(text)
        done = laptop.run("onetouch.deploy.deploy", cwd=laptop.folder, extra={"project": "blog"})
        assert done.code == 0, done.output
    done = laptop.run("onetouch.deploy.revert", cwd=laptop.folder, extra={"project": "blog"})
    assert done.code == 0, done.output
    assert [(path / "current/page").read_text() for path in paths.values()] == ["one", "one"]
    unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
    hosts = json.loads(laptop.inventory.read_text())
    hosts["all"]["children"]["blog"]["hosts"]["blog@a"] |= unreachable
    laptop.inventory.write_text(json.dumps(hosts))
    done = laptop.run("onetouch.deploy.status", cwd=laptop.folder)
    assert done.code == 4, done.output
    rows = [line.split()[:3] for line in done.output.splitlines() if line.startswith("blog ")]
    assert rows == [["blog", "a", "?"], ["blog", "b", upstream.git("rev-parse", "one")[:12]]]
    assert not became.exists()


def test_a_failure_stops_the_rollout_whatever_the_strategy(laptop: Laptop, upstream: Upstream) -> None:
    """Of two servers that switch together one fails: the strategy `free` would go on to the third."""
    became = configure(laptop)
    paths = laptop.servers("a b c", upstream, project_test="test ! -e $DEPLOY_PATH/ill")
    request = {"project": "blog", "at_once": "2"}
    done = laptop.run("onetouch.deploy.setup", cwd=laptop.folder, extra={"project": "blog"})
    assert done.code == 0, done.output
    done = laptop.run("onetouch.deploy.deploy", cwd=laptop.folder, extra=request)
    assert done.code == 0, done.output
    upstream.commit("two")
    (paths["a"] / "ill").touch()
    done = laptop.run("onetouch.deploy.deploy", cwd=laptop.folder, extra=request)
    assert done.code != 0
    pages = {name: (path / "current/page").read_text() for name, path in paths.items()}
    assert (pages["a"], pages["c"]) == ("one", "one")
    one, two = (upstream.git("rev-parse", tag)[:12] for tag in ("one", "two"))
    assert f"blog@c  {one}  {two} is prepared, not reached" in done.output
    assert not became.exists()
