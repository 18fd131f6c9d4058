"""A procmon of which newer builds are installed beside the one that runs, behind one link."""

from __future__ import annotations

import shutil
import stat
import sys
import tarfile
from pathlib import Path
from typing import Any

import procmon

from tests.support.procmon.service import Service
from tests.support.waiting import until

PACKAGE = Path(procmon.__file__).parent
ARCHIVE_0_1 = Path(__file__).parent / "builds" / "procmon-0.1.0.tar.gz"
"""`git archive b23046e roles/supervisor/files/procmon/src`: the last procmon whose master did not run on asyncio."""
LAUNCHER = """#!{python}
import os, sys, time
from pathlib import Path
here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))
sys.prefix = str(here / "venv")
{first}
from procmon.cli import main
sys.exit(main())
"""
REFUSE = "if 'check-handover' in sys.argv: sys.exit('this build has no dependencies')"
VANISH = "if 'check-handover' in sys.argv: Path(__file__).resolve().chmod(0o644)"
DIE = "if '--handover-fd' in sys.argv: os._exit(3)"
EXHAUST = """if 'check-handover' in sys.argv:
    import resource
    hard = resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)[1]
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, hard))
"""
"""The successor leaves its predecessor no file descriptor to open, once it has been tried."""
WAIT = """if "--handover-fd" in sys.argv or "--adopt" in sys.argv:
    (here / "waits").touch()
    while not (here / "go").exists(): time.sleep(0.01)
"""
"""The successor is held between the exec and its first step, for as long as the test likes."""


class Builds:
    """The installed builds of one service's procmon."""

    def __init__(self, service: Service, *, begin_with_0_1: bool = False) -> None:
        self.service = service
        self.link = service.root / "procmon"
        self.count = 0
        if begin_with_0_1:
            self.install_0_1()
        else:
            self.install()
        service.command = [str(self.link)]
        service.environment.pop("PYTHONPATH")

    def install(self, first: str = "") -> Path:
        """Install one more build and let the link lead to it; `first` is code that it begins with."""
        home = self._new_home()
        shutil.copytree(PACKAGE, home / "procmon", ignore=shutil.ignore_patterns("__pycache__"))
        (home / "build").write_text(f"build-{self.count}")
        self._switch(home, first)
        return home

    def install_0_1(self) -> Path:
        """Install procmon 0.1.0 in the same way."""
        home = self._new_home()
        with tarfile.open(ARCHIVE_0_1) as archive:
            archive.extractall(home, filter="data")
        next(home.glob("**/src/procmon")).rename(home / "procmon")
        self._switch(home, "")
        return home

    def _new_home(self) -> Path:
        self.count += 1
        home = self.service.root / "builds" / str(self.count)
        home.mkdir(parents=True)
        return home

    def _switch(self, home: Path, first: str) -> None:
        launcher = home / "launch"
        launcher.write_text(LAUNCHER.format(python=sys.executable, first=first))
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
        new = self.link.with_name("procmon.new")
        new.symlink_to(launcher)
        new.rename(self.link)

    def upgrade(self) -> dict[str, Any]:
        """Upgrade to the installed build, and return the status that follows."""
        done = self.service.run("upgrade", "--wait")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr + self.service.log()
        return self.service.status()

    def upgrade_until_it_waits(self) -> Path:
        """Begin an upgrade to a build that stops right after the exec; return the file that lets it go on."""
        home = self.install(WAIT)
        assert self.service.run("upgrade").returncode == 0
        until((home / "waits").exists, "the successor waits")
        return home / "go"
