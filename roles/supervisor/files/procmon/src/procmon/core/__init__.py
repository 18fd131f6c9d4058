# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of procmon: events and the time in, actions out. Nothing here touches the outside world.

What always holds: an old worker is ordered to drain only when as many new ones accept; one reload runs at a time; a
request during a reload is remembered and merged into one; a reload that fails changes nothing that serves.

An event is handled in three steps: what it means for the worker that it concerns (`worker.NEXT`), what it asks of the
master (`supervisor`, `reload`), and a look at the whole picture (`Supervisor._reconcile`), which does whatever is due
now. So no combination of events needs a rule of its own. `Supervisor.deadline` says when to look again if nothing
happens.
"""
