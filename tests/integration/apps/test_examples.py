"""The apps of docs/examples, deployed by the playbooks over a real sshd: first, under requests, and broken.

All of them are one inventory, as several projects of a server are: each step is one run for all. What a run did to one
of them is a test of its own.
"""

from __future__ import annotations

import getpass
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uv

from tests.integration.playbooks.conftest import Done, Laptop
from tests.support.example_apps import EXAMPLES, Example, Visitor, visited, wheels
from tests.support.installed_procmon import start_procmon, write_places
from tests.support.ssh_server import ssh_server
from tests.support.sshd import Sshd

# The section's file, the app's directory, and the file that has the page's title.
APPS = [
    ("fastapi", "fastapi", "main.py"),
    ("starlette", "starlette", "main.py"),
    ("django", "django", "notes/templates/notes/index.html"),
    ("django_wsgi", "django", "notes/templates/notes/index.html"),
    ("flask", "flask", "notes/templates/index.html"),
]
NAMES = [name for name, _source, _page in APPS]
IMPORTS = "from __future__ import annotations"
MISSING = "No module named 'a_module_that_is_nowhere'"
# What is changed in a file so that no worker can serve, and the reason that the deploy has to give. The hook before
# does not notice: Django's commands do not import config/asgi.py, and Flask's migrate asks for no page.
BREAKS = {
    "fastapi": ("main.py", IMPORTS, f"{IMPORTS}\nimport a_module_that_is_nowhere", MISSING),
    "starlette": ("main.py", IMPORTS, f"{IMPORTS}\nimport a_module_that_is_nowhere", MISSING),
    "django": ("config/asgi.py", IMPORTS, f"{IMPORTS}\nimport a_module_that_is_nowhere", MISSING),
    "django_wsgi": ("config/wsgi.py", IMPORTS, f"{IMPORTS}\nimport a_module_that_is_nowhere", MISSING),
    "flask": (
        "notes/__init__.py",
        '{"ok": True}',
        '{"ok": 1 // 0 > 0}',
        "GET /up (heartbeat.path): the app answered 500",
    ),
}
SECRET = "k3y-of-the-apps"  # noqa: S105  of these tests alone

pytestmark = pytest.mark.timeout(600)


@dataclass
class Story:
    """What each run printed, and what visitors of each app saw."""

    examples: dict[str, Example]
    laptop: Laptop
    runs: dict[str, Done] = field(default_factory=dict)
    pages: dict[str, dict[str, str]] = field(default_factory=dict)
    visitors: dict[str, list[Visitor]] = field(default_factory=dict)

    def run(self, title: str, playbook: str, *words: str) -> Done:
        """Run a playbook for all projects."""
        done = self.laptop.run(f"playbooks/{playbook}.yml", *words, extra={"project": "all"})
        self.runs[title] = done
        return done

    def look(self, title: str) -> None:
        """Keep the page of each app."""
        self.pages[title] = {name: example.ask("/")[1] for name, example in self.examples.items()}


def write_inventory(laptop: Laptop, examples: Sequence[Example], sshd: Sshd) -> None:
    """Write the sections of the documents, and where everything is without root and systemd."""
    login = {"host": "127.0.0.1", "port": sshd.port, "user": getpass.getuser(), "python": sys.executable}
    sections = {example.name: example.section(**login, index=str(wheels())) for example in examples}
    # JSON is YAML, but for the first line, by which Ansible knows the file.
    laptop.inventory.write_text(f"plugin: onetouch.deploy.projects\nprojects: {json.dumps(sections)}\n")
    write_places(laptop.folder)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """All runs, one after the other."""
    folder = tmp_path_factory.mktemp("apps")
    laptop = Laptop(folder)
    examples = {name: Example(name, source, folder) for name, source, _page in APPS}
    with ExitStack() as ends:
        server = ends.enter_context(ssh_server(folder / "ssh"))
        sockets = ends.enter_context(tempfile.TemporaryDirectory(prefix="cp"))
        sshd = Sshd(server)
        search = f"{sshd.bin}:{laptop.environment['PATH']}"
        laptop.environment |= {"PATH": search, "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets, "NOTES_SECRET_KEY": SECRET}
        ends.callback(server.hang_up)
        (server.home / "account/bin").mkdir()
        (server.home / "account/bin/uv").symlink_to(uv.find_uv_bin())
        for example in examples.values():
            example.create()
        write_inventory(laptop, list(examples.values()), sshd)
        made = Story(examples, laptop)
        play(made, ends)
        yield made


def play(story: Story, ends: ExitStack) -> None:
    """Set all apps up, deploy them, change them under requests, and break them."""
    done = story.run("setup", "setup")
    assert done.code == 0, done.output
    for example in story.examples.values():
        start_procmon(story.laptop.folder, example.name, ends)
    done = story.run("first", "deploy")
    assert done.code == 0, done.output
    story.look("first")
    for name, example in story.examples.items():
        add_note(name, example)
    story.look("noted")
    with visited(story.examples.values()) as story.visitors:
        for name, _source, page in APPS:
            story.examples[name].replace(page, "Notes", "Jottings")
        done = story.run("second", "deploy")
        assert done.code == 0, done.output
        for visitors in story.visitors.values():
            for visitor in visitors:
                visitor.wait_for("<h1>Jottings</h1>")
        for name, example in story.examples.items():
            file, old, new, _reason = BREAKS[name]
            example.replace(file, old, new)
        story.run("broken", "deploy")
    story.look("broken")


def add_note(name: str, example: Example) -> None:
    """Add a note as a browser or a client of the API does."""
    if name in {"fastapi", "starlette"}:
        headers = {"Content-Type": "application/json"}
        status, text = example.ask("/notes", "POST", json.dumps({"text": "buy milk"}), **headers)
    elif name == "flask":
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, text = example.ask("/notes", "POST", "text=buy+milk", **headers)
    else:
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', example.ask("/")[1])[0]
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"csrftoken={token}",
            "X-Forwarded-Proto": "https",
            "Referer": f"https://{example.host()}/",
        }
        status, text = example.ask("/notes/", "POST", f"csrfmiddlewaretoken={token}&text=buy+milk", **headers)
    assert status in {201, 302}, (name, status, text)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_deploy_serves_the_page(story: Story, name: str) -> None:
    assert "<h1>Notes</h1>" in story.pages["first"][name]


@pytest.mark.parametrize("name", NAMES)
def test_the_migration_has_made_the_database_that_the_app_uses(story: Story, name: str) -> None:
    """pre_deploy has the app's variables: DATABASE, and the settings of Django."""
    assert "<li>buy milk</li>" in story.pages["noted"][name]
    assert "<li>buy milk</li>" in story.pages["broken"][name]
    assert (story.examples[name].path / "shared/data/notes.sqlite3").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_page_goes_live_and_no_request_is_lost(story: Story, name: str) -> None:
    for visitor in story.visitors[name]:
        assert visitor.lost == []
        assert "<h1>Notes</h1>" in visitor.pages[0]
        assert "<h1>Jottings</h1>" in visitor.pages[-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_release_is_put_back_with_the_end_of_its_traceback(story: Story, name: str) -> None:
    done = story.runs["broken"]
    assert done.code != 0
    own = [part for part in re.split(r"(?m)^(?=\S)", done.output) if f"{name}@" in part.partition("\n")[0]]
    assert any(BREAKS[name][3] in " ".join(part.split()) for part in own), done.output
    assert "<h1>Jottings</h1>" in story.pages["broken"][name]
    journal = (story.examples[name].path / ".deploys.jsonl").read_text().splitlines()
    assert [json.loads(line)["outcome"] for line in journal][-1] == "put_back"


@pytest.mark.parametrize("name", ["django", "django_wsgi", "flask"])
def test_the_style_sheet_of_the_page_is_served(story: Story, name: str) -> None:
    """Django's was written by collectstatic in pre_deploy: its name has the hash of its content."""
    (address,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', story.pages["broken"][name])
    assert name == "flask" or re.fullmatch(r"/static/notes/style\.[0-9a-f]{12}\.css", address)
    assert story.examples[name].ask(address) == (200, "body { font-family: sans-serif; }\n")


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} == {source for _name, source, _page in APPS}


def test_what_the_examples_require_is_what_the_tests_install() -> None:
    pinned = (Path(__file__).parent / "requirements.txt").read_text()
    for file in EXAMPLES.glob("*/requirements.txt"):
        names = [line.partition("#")[0].strip() for line in file.read_text().splitlines()]
        assert [name for name in names if re.sub(r"\[.*?\]", "", name) not in pinned] == []
