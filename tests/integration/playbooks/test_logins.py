"""What a slow line to the servers costs: logins and remote executions, counted by sshd; and who waits for whom."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from tests.integration.playbooks.conftest import Laptop, Upstream
from tests.support.releases.site import Site
from tests.support.releases.upstream import GIT
from tests.support.releases.upstream import Upstream as Remote
from tests.support.sshd import Counts, Sshd
from tests.support.waiting import until


def test_each_server_is_logged_in_to_once(laptop: Laptop, sshd: Sshd, upstream: Upstream) -> None:
    """A single one is asked once; each of several first to make ready, or what it would do, and then to do it."""
    address = "{{ {'blog@a': '127.0.0.1', 'blog@b': '127.0.0.2'}[inventory_hostname] }}"
    login = {"ansible_connection": "ssh", "ansible_host": address, "ansible_port": str(sshd.port)}
    paths = laptop.servers("a b", upstream, **login, ansible_user=getpass.getuser())
    a, b = (Site(path, Remote(url=upstream.path, work=upstream.path)) for path in paths.values())
    a.path.parent.mkdir()
    a.deploy("main")
    b.deploy("main")
    upstream.commit("two")
    a.deploy("main")

    def cost(playbook: str, *words: str) -> Counts:
        before = sshd.counts()
        done = laptop.run(playbook, *words, extra={"project": "blog"})
        assert done.code == 0, done.output
        return sshd.counts().since(before)

    assert cost("playbooks/revert.yml", "--limit", "blog@a,localhost") == Counts(logins=1, executions=1)
    sshd.server.hang_up()
    sockets = Path(laptop.environment["ANSIBLE_SSH_CONTROL_PATH_DIR"])
    until(lambda: not any(sockets.iterdir()), "the end of the shared connection")
    assert cost("playbooks/deploy.yml") == Counts(logins=2, executions=4)
    assert [(path / "current/page").read_text() for path in paths.values()] == ["two", "two"]
    assert cost("playbooks/revert.yml") == Counts(logins=0, executions=4)
    assert [(path / "current/page").read_text() for path in paths.values()] == ["one", "one"]


# A clone for server b or c begins when the other one's has begun, too.
MEETING = """#!/bin/sh
for name in b c; do
    case "$*" in *clone*/srv/$name/*) touch {met}/$name; tries=0
        until test -e {met}/b && test -e {met}/c; do
            test $((tries += 1)) -lt 600 || exit 1
            sleep 0.05
        done
    esac
done
exec {git} "$@"
"""


def test_servers_prepare_at_the_same_time(laptop: Laptop, upstream: Upstream) -> None:
    """All but the first server, which resolves the commit: two fetches that wait for each other end."""
    shim = laptop.folder / "bin/git"
    shim.parent.mkdir()
    shim.write_text(MEETING.format(met=shim.parent, git=GIT))
    shim.chmod(0o755)
    laptop.environment["PATH"] = os.pathsep.join((str(shim.parent), laptop.environment["PATH"]))
    paths = laptop.servers("a b c", upstream)
    done = laptop.run("playbooks/deploy.yml", extra={"project": "blog"})
    assert done.code == 0, done.output
    assert [(path / "current/page").read_text() for path in paths.values()] == ["one"] * 3
