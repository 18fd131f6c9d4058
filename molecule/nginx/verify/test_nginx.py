"""What clients of nginx see while the apps behind it are deployed and reloaded: nothing but answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import Laptop
from load import Report, load_from_outside
from procmon import status, wait_for
from server import Server
from upstream import Upstream

EXAMPLES = Path(__file__).parents[3] / "docs/examples"
SITES = {"blog": "nginx-tcp.conf", "shop": "nginx-socket.conf"}
DEPLOYS, RELOADS = 8, 14
Of = Callable[[str], Upstream]


def host(project: str) -> str:
    """Return the name under which nginx knows a project."""
    return f"{project}.example.com"


def install_site(server: Server, project: str) -> None:
    """Install the documented file with only its names replaced, as the documentation says."""
    text = (EXAMPLES / SITES[project]).read_text()
    text = text.replace("www.example.com", host(project)).replace("upstream blog", f"upstream {project}")
    text = text.replace("http://blog", f"http://{project}").replace("/procmon/blog/", f"/procmon/{project}/")
    server.write(f"/etc/nginx/sites-available/{project}", text)
    server.run("ln", "-sf", f"/etc/nginx/sites-available/{project}", "/etc/nginx/sites-enabled/")


@pytest.fixture(scope="module", autouse=True)
def _sites(laptop: Laptop, servers: list[Server], upstream: Of) -> None:
    """Both projects are live behind nginx."""
    for project in SITES:
        upstream(project).publish(f"{project} 0")
    done = laptop.run("deploy", project=",".join(SITES))
    assert done.code == 0, done.output
    for server in servers:
        for project in SITES:
            install_site(server, project)
        server.run("nginx", "-t")
        server.run("systemctl", "reload-or-restart", "nginx")
        wait_for(lambda server=server: asks(server, "blog", "/") == "blog 0", "nginx has reloaded")  # type: ignore[misc]


def asks(server: Server, project: str, path: str) -> str:
    """Return what nginx answers to this machine."""
    return server.get_from_outside(80, path, host(project))


def upstream_lines(server: Server) -> list[str]:
    """Return the lines of nginx's error log, which are all about what is behind it."""
    return server.run("sh", "-c", "cat /var/log/nginx/error.log*").splitlines()


@pytest.fixture
def visitors(servers: list[Server]) -> Iterator[Callable[[], dict[str, Report]]]:
    """Busy and slow clients of both sites on both servers; calling it ends them and returns what each project's saw.

    The slow ones leave nginx's connections to the app idle for as long as it takes until one side closes them.
    """
    reports: dict[str, list[Report]] = {project: [] for project in SITES}
    with ExitStack() as stack:
        for server in servers:
            for project in SITES:
                for threads, pause in ((4, 0.05), (24, 5)):
                    clients = load_from_outside(server, 80, host(project), threads=threads, pause=pause)
                    reports[project].append(stack.enter_context(clients))

        def leave() -> dict[str, Report]:
            stack.close()
            return {project: merged(found) for project, found in reports.items()}

        yield leave


def merged(reports: list[Report]) -> Report:
    """Return several reports as one."""
    together = Report()
    for report in reports:
        together.lost += report.lost
        for answer, times in report.answers.items():
            together.answers[answer] = together.answers.get(answer, 0) + times
    return together


def reload(servers: list[Server]) -> None:
    """Reload each project on each server by its unit, and wait until the old workers have gone."""
    before = {(server, project): status(server, project)["generation"] for server in servers for project in SITES}
    for server, project in before:
        server.run("systemctl", "reload", f"procmon@{project}.service")

    def is_over(server: Server, project: str) -> bool:
        found = status(server, project)
        newer = found["generation"] > before[server, project]
        return newer and {worker["generation"] for worker in found["workers"]} == {found["generation"]}

    wait_for(lambda: all(is_over(*one) for one in before), "all old workers have gone", 120)


@pytest.mark.timeout(1500)
def test_no_client_of_nginx_sees_an_error_while_apps_are_deployed_and_reloaded(
    laptop: Laptop, servers: list[Server], upstream: Of, visitors: Callable[[], dict[str, Report]]
) -> None:
    before = [upstream_lines(server) for server in servers]
    for number in range(1, DEPLOYS + 1):
        for project in SITES:
            upstream(project).publish(f"{project} {number}")
        done = laptop.run("deploy", project=",".join(SITES))
        assert done.code == 0, done.output
    for _ in range(RELOADS):
        reload(servers)
    for project, report in visitors().items():
        assert report.lost == []
        assert set(report.answers) == {f"{project} {number}" for number in range(DEPLOYS + 1)}
    assert [upstream_lines(server) for server in servers] == before


def test_the_app_sees_the_client_and_the_scheme(servers: list[Server]) -> None:
    """Over the socket, too, where `forwarded_allow_ips` lets it."""
    for server in servers:
        gateway = server.run("ip", "route", "show", "default").split()[2]
        for project in SITES:
            assert asks(server, project, "/from") == f"http {gateway}"
