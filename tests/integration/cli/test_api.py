"""The functions of `onetouch_deploy`: what they return, refuse and leave behind. Projects are on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import onetouch_deploy as api
from tests.integration.cli.conftest import Desk
from tests.integration.playbooks.conftest import Upstream
from tests.support.releases.shim import opened

pytestmark = pytest.mark.usefixtures("temporary")


def test_deploys_and_their_results(desk: Desk, upstream: Upstream) -> None:
    """The first one, nothing new, and other settings."""
    path = desk.project("blog", upstream, ref="origin/main", post_deploy="echo built; printf end")
    one, seen, threads = upstream.git("rev-parse", "HEAD"), list[api.Event](), set[int]()

    def note(event: api.Event) -> None:
        threads.add(threading.get_ident())
        seen.append(event)

    [result] = api.deploy("blog", config=desk.config, on_event=note).check().results
    assert (result.project, result.server, result.outcome, result.changed) == ("blog", "localhost", "live", True)
    assert (result.commit, result.previous, result.error) == (one, None, None)
    assert result.commits == (api.Commit(one, "Say one"),)
    assert {"clone", "fetch", "switch", "post_deploy"} <= result.seconds.keys()
    assert (path / "current/page").read_text() == "one"
    assert threads == {threading.get_ident()}, "events come in the thread that called"
    require_order(seen)

    [same] = api.deploy("blog", config=desk.folder).check().results
    assert (same.outcome, same.changed, same.previous) == ("unchanged", False, one)

    desk.project("blog", upstream, ref="origin/main", env={"TOKEN": "secret-value"})
    seen.clear()
    [result] = api.deploy("blog", config=desk.config, on_event=note).check().results
    assert result.settings == ("env.TOKEN",)
    assert "secret-value" not in repr(seen) + repr(result)


def test_a_hook_that_fails_and_a_revert(desk: Desk, upstream: Upstream) -> None:
    desk.project("blog", upstream, ref="origin/main", test="echo looking; echo 'no answer'; exit 3")
    [result] = api.deploy("blog", config=desk.config, test=False).check().results
    one, two = result.commit or "", upstream.commit("two")
    outcome = api.deploy("blog", config=desk.config)
    [result] = outcome.results
    assert (outcome.ok, result.ok, result.outcome) == (False, False, "put_back")
    assert (result.commit, result.previous) == (two, one)
    assert result.error
    assert result.error.reason.startswith("test failed (exit 3): echo looking")
    assert (result.error.tail, result.error.now) == ("looking\nno answer", f"{one[:12]} was restored and is live.")
    assert [phase.name for phase in result.phases if phase.failed] == ["test"]
    with pytest.raises(
        api.RunFailedError, match=r"deploy failed with exit code 2\. blog@localhost: test failed"
    ) as info:
        outcome.check()
    assert info.value.outcome is outcome

    assert api.deploy("blog", config=desk.config, test=False).check().results[0].commit == two
    [back] = api.revert("blog", config=desk.config, test=False).check().results
    assert (back.outcome, back.commit, back.previous) == ("live", one, two)


def require_order(seen: list[api.Event]) -> None:
    """Require the events of a deploy of one commit with a hook."""
    hosts = [event for event in seen if isinstance(event, api.HostEvent)]
    assert {(event.project, event.server) for event in hosts} == {("blog", "localhost")}
    started = [event.phase for event in seen if isinstance(event, api.PhaseStarted)]
    ended = [event.phase.name for event in seen if isinstance(event, api.PhaseEnded)]
    assert started == ended
    assert started[-2:] == ["post_deploy", "prune"]
    [found] = [event for event in seen if isinstance(event, api.CommitsFound)]
    assert (found.count, found.commits[0].subject) == (1, "Say one")
    outputs = [event for event in seen if isinstance(event, api.HookOutput)]
    assert "".join(event.text for event in outputs) == "built\nend"
    assert seen.index(found) < seen.index(outputs[0])
    assert isinstance(hosts[-1], api.HostEnded)
    assert hosts[-1].result.outcome == "live"


def test_hook_output_comes_while_the_hook_runs(desk: Desk, upstream: Upstream) -> None:
    """The hook waits for what the program does when it sees the output."""
    gate = desk.folder / "gate"
    os.mkfifo(gate)
    desk.project("blog", upstream, ref="origin/main", post_deploy=f"echo ready; read word < {gate}; echo got $word")

    def answer(event: api.Event) -> None:
        if isinstance(event, api.HookOutput) and "ready" in event.text:
            gate.write_text("it\n")

    seen: list[api.Event] = []
    with api.start("deploy", "blog", config=desk.config) as run:
        with pytest.raises(TimeoutError, match="deploy is still under way after 0 s"):
            run.wait(0)
        for event in run:
            answer(event)
            seen.append(event)
    assert run.wait().ok
    assert [*run] == seen, "another look begins with the first event"
    assert "".join(event.text for event in seen if isinstance(event, api.HookOutput)) == "ready\ngot it\n"


def test_other_commands(desk: Desk, upstream: Upstream) -> None:
    path = desk.project("blog", upstream, ref="origin/main")
    [result] = api.deploy("blog", config=desk.config, check=True).check().results
    assert (result.outcome, result.changed, (path / "current").exists()) == ("unchanged", True, False)
    api.deploy("blog", config=desk.config).check()
    assert [one.outcome for one in api.restart("blog", config=desk.config).check().results] == ["no_app"]
    [live] = api.status(config=desk.config).check().results
    assert (live.outcome, live.commit, live.data["subject"]) == ("ok", upstream.git("rev-parse", "HEAD"), "Say one")
    failed = api.run("exec", "blog", config=desk.config, argv=["sh", "-c", "cat page; exit 6"])
    assert (failed.ok, failed.results[0].data["rc"], failed.results[0].data["stdout"]) == (False, 6, "one")
    [result] = api.revert("blog", 9, config=desk.config).results
    assert result.outcome == "failed"
    assert result.error
    assert "cannot go back 9 steps" in result.error.reason


def test_output_and_artifacts_where_they_are_wanted(
    desk: Desk, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the callback plugins that the user has enabled."""
    (desk.folder / "ansible.cfg").write_text("[defaults]\ncallbacks_enabled = ansible.builtin.junit\n")
    monkeypatch.setenv("JUNIT_OUTPUT_DIR", str(desk.folder / "junit"))
    desk.project("blog", upstream, ref="origin/main")
    pieces: list[str] = []
    kept = desk.folder / "kept"
    api.run("deploy", "blog", config=desk.config, on_output=pieces.append, artifacts=kept).check()
    assert "PLAY RECAP" in "".join(pieces)
    [run] = kept.iterdir()
    assert (run / "rc").read_text() == "0"
    assert [*(run / "job_events").iterdir()] != []
    assert [*(desk.folder / "junit").iterdir()] != []


def test_wrong_arguments_start_nothing(desk: Desk, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.project("blog", upstream)
    monkeypatch.setattr("onetouch_deploy.runs.Run.__init__", lambda *_: pytest.fail("it was started"))
    config = desk.config
    with pytest.raises(api.UnknownProjectError, match=r"There is no project shop in .*\. Known projects: blog"):
        api.deploy("shop", config=config)
    with pytest.raises(api.UnknownProjectError, match=r"blog has no server web9\. Known servers: localhost"):
        api.deploy("blog", config=config, servers=["web9"])
    with pytest.raises(api.ArgumentError, match="There is no command 'deplyo'"):
        api.run("deplyo", "blog", config=config)
    with pytest.raises(api.ArgumentError, match="deploy needs a project"):
        api.run("deploy", config=config)
    with pytest.raises(api.ArgumentError, match="remove was not confirmed"):
        api.run("remove", "blog", config=config)
    with pytest.raises(api.ArgumentError, match="steps is 0"):
        api.revert("blog", 0, config=config)
    with pytest.raises(api.ArgumentError, match="Both steps and to"):
        api.revert("blog", 1, to="abcd", config=config)
    with pytest.raises(api.ArgumentError, match=r"project is 3 \(int\)"):
        api.deploy(3, config=config)  # type: ignore[arg-type]  # the case
    with pytest.raises(api.ArgumentError, match="at_once is '2'"):
        api.deploy("blog", config=config, at_once="2")  # type: ignore[arg-type]  # as above
    with pytest.raises(api.ArgumentError, match="at_once is True"):
        api.restart("blog", config=config, at_once=True)
    with pytest.raises(api.ArgumentError, match="ref is 1"):
        api.deploy("blog", 1, config=config)  # type: ignore[arg-type]  # as above
    with pytest.raises(api.ArgumentError, match="servers is None"):
        api.status(config=config, servers=None)  # type: ignore[arg-type]  # as above
    with pytest.raises(api.ArgumentError, match="on_event is 3"):
        api.setup("blog", config=config, on_event=3)  # type: ignore[arg-type]  # as above
    with pytest.raises(api.ArgumentError, match="on_output is 'x'"):
        api.run("doctor", "blog", config=config, on_output="x")  # type: ignore[arg-type]  # as above
    with pytest.raises(api.ArgumentError, match="config is b'x'"):
        api.start("deploy", "blog", config=b"x")  # type: ignore[arg-type]  # as above
    with pytest.raises(api.ArgumentError, match="argv has a byte that is not UTF-8"):
        api.run("exec", "blog", config=config, argv=["ls", "\udcff"])
    with pytest.raises(TypeError, match="chek"):
        api.deploy("blog", config=config, chek=True)  # type: ignore[call-arg]  # the misspelled word is the case
    with pytest.raises(api.NotConfiguredError, match="There is no file"):
        api.deploy("blog", config=desk.folder / "nowhere.yml")


def test_a_locale_that_is_not_utf_8(desk: Desk, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible refuses one. `C` asks for none in particular; of another one the reason is kept."""
    desk.project("blog", upstream, ref="origin/main")
    monkeypatch.setenv("LC_ALL", "C")
    [result] = api.deploy("blog", "nowhere", config=desk.config).results
    assert result.error
    assert "ref 'nowhere' is unknown" in result.error.reason
    monkeypatch.setenv("LC_ALL", "xx_YY.ISO-8859-1")
    outcome = api.status(config=desk.config)
    assert outcome.results == ()
    assert "Ansible could not initialize the preferred locale" in outcome.error


def test_without_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(api.NotConfiguredError, match="No projects are configured"):
        api.deploy("blog", config=tmp_path)


def test_what_ansible_refuses_is_an_exception_too(desk: Desk, upstream: Upstream) -> None:
    desk.project("blog", upstream)
    with pytest.raises(api.RefusedError, match=r"Unknown variable given with -e: refs\. Did you mean ref\?"):
        api.run("deploy", "blog", config=desk.config, refs="v1")
    desk.project("blog", upstream, path=None)
    with pytest.raises(api.RefusedError, match=r"The inventory is invalid: .*path"):
        api.deploy("blog", config=desk.config)


def static_inventory(desk: Desk, upstream: Upstream, *hosts: str, **variables: str) -> Path:
    """Write an inventory without our plugin, with a project on hosts that are all this machine."""
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "project_name": "blog"}
    common |= {"project_repo": str(upstream.path), "project_ref": "origin/main", **variables}
    paths = {host: {"project_path": str(desk.folder / "srv" / host)} for host in hosts}
    inventory = desk.folder / "hosts.yml"
    inventory.write_text(json.dumps({"all": {"children": {"blog": {"hosts": paths, "vars": common}}}}))
    return inventory


def test_a_rollout_in_a_static_inventory(desk: Desk, upstream: Upstream) -> None:
    """Its hosts may have any names, and which projects there are only Ansible can say."""
    config = static_inventory(desk, upstream, "web1", "web2", project_test='test -z "$DEPLOY_PREVIOUS"')
    first = api.deploy("blog", config=config).check()
    assert [(one.project, one.server, one.outcome) for one in first.results] == [
        ("blog", "web1", "live"),
        ("blog", "web2", "live"),
    ]
    assert {"fetch", "switch", "test"} <= first.results[1].seconds.keys()
    same = api.deploy("blog", config=config).check()
    assert [one.outcome for one in same.results] == ["unchanged", "unchanged"]
    upstream.commit("two")
    second = api.deploy("blog", config=config)
    assert [(one.outcome, one.ok) for one in second.results] == [("put_back", False), ("not_reached", False)]
    assert second.results[1].error
    assert second.results[1].error.reason == "not reached, because web1 failed."
    by_command = json.loads(desk.deploy("-c", str(config), "blog", "--json").out)
    assert [one["ok"] for one in by_command["results"]] == [False, False]
    with pytest.raises(api.RefusedError, match="Known projects: blog"):
        api.deploy("shop", config=config)


def test_two_projects_at_once_from_threads(desk: Desk, upstream: Upstream) -> None:
    """Each hook waits for the other's."""
    for name, other in (("blog", "shop"), ("shop", "blog")):
        meet = f"touch {desk.folder}/{name}-is-here; until test -e {desk.folder}/{other}-is-here; do sleep 0.1; done"
        desk.project(name, upstream, ref="origin/main", post_deploy=f"{meet}; echo {name}")

    def one(name: str) -> tuple[api.Outcome, str]:
        seen: list[api.Event] = []
        outcome = api.deploy(name, config=desk.config, on_event=seen.append)
        return outcome, "".join(event.text for event in seen if isinstance(event, api.HookOutput))

    with ThreadPoolExecutor() as pool:
        found = [*pool.map(one, ["blog", "shop"])]
    assert [(outcome.ok, outcome.results[0].project, text) for outcome, text in found] == [
        (True, "blog", "blog\n"),
        (True, "shop", "shop\n"),
    ]


def test_asyncio(desk: Desk, upstream: Upstream) -> None:
    """The loop goes on meanwhile, and a cancelled task cancels the run."""
    gate = desk.folder / "gate"
    os.mkfifo(gate)
    path = desk.project("blog", upstream, ref="origin/main", pre_deploy=f"echo waits; read word < {gate}")

    async def deploy(run: api.Run) -> api.Outcome:
        try:
            return await asyncio.to_thread(run.wait)
        except asyncio.CancelledError:
            run.cancel()
            raise

    async def main() -> api.Outcome:
        run = api.start("deploy", "blog", config=desk.config)
        task = asyncio.create_task(deploy(run))
        await asyncio.to_thread(lambda: next(event for event in run if isinstance(event, api.HookOutput)))
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.to_thread(run.wait)

    outcome = asyncio.run(main())
    assert (outcome.ok, outcome.cancelled, [one.outcome for one in outcome.under_way]) == (False, True, ["under_way"])
    assert not (path / "current").exists()


def test_an_exception_of_the_program_cancels_the_run(desk: Desk, upstream: Upstream) -> None:
    gate = desk.folder / "gate"
    os.mkfifo(gate)
    desk.project("blog", upstream, ref="origin/main", pre_deploy=f"echo waits; read word < {gate}")

    def fail(event: api.Event) -> None:
        if getattr(event, "text", "").startswith("waits"):
            raise LookupError("of the program")

    with pytest.raises(LookupError, match="of the program"):
        api.deploy("blog", config=desk.config, on_event=fail)
    assert not opened(gate), "a hook on this machine has ended with the run"
