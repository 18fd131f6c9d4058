# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: may change in any release.

"""The module `releases`: what it does on the server, from its options to the release that is live.

The way of one deploy, which is the way to read it:

    options.py              the module's arguments, checked
    states.py               what has to be done, by `state`, in check mode and for real
    records/lock.py         one run at a time
    deploy/recovery.py      what a run that died has left
    git/resolve.py          which commit the ref means
    release/build.py        a release made whole, its environment with it
    deploy/activate.py      hook, switch, hook, reload, test, log, in this order
    procmon.py              what procmon answers
    report.py               what the module returns

Beside it, `facts.py` is what `releases_info` returns, `question.py` its options, `configure.py` how setup writes a
configuration. `model.py`, `project.py` and `errors.py` are what all of it deals with, `progress.py` is what a run
reports while it goes on, `restart_file.py` the touch, `env_file.py` the syntax of files of variables, `printable.py`
text that may come from anywhere, `unit.py` what setup has written for systemd.

Rooms: `system` knows the operating system, `git` the git program, `records` the files that record what was done,
`environment` Python environments, `configuration` procmon's settings and the app's variables, `release` release
directories, `deploy` the transaction. Each may import from those before it in this order, and from `errors` and
`model`, never from those after it. `records`, `environment` and `configuration` do not import each other.
"""

from __future__ import annotations

from .._python_version import require

require()
