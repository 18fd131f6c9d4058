# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures: the reason first, then the output that explains it, then what is live now. Pure.

Private to this collection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .look import Look
from .text import break_up, clean, clean_lines, cut, hang, wrap

# What Ansible puts before the message of a task, an action or a module.
PREFIXES = re.compile(r"(?:(?:Task|Action|Module) failed: |Failed to connect to the host via ssh: )+")
TAIL_LINES = 20
# How Ansible's modules name what a program wrote.
OUTPUTS = ("traceback_tail", "module_stderr", "stderr", "module_stdout", "stdout")
# What procmon puts before the error of a worker, and Python before the lines of a traceback.
WORKER = re.compile(r"worker \d+ \(pid \d+, generation \d+\) (?:failed \(\w+\): )?")
TRACEBACK = "Traceback (most recent call last):"
CAUSE_CELLS = 300
# How a line begins in a message of ours that is to be copied: a key, or a command
COPIED = "    "
UNCHANGED = "Nothing was changed"
HINT_LOST = "What it serves now is not known: the server comes to its own end. Ask with status."


def failure_lines(look: Look, result: Mapping[str, Any], shown: Sequence[str] = (), indent: str = "  ") -> list[str]:
    """Return the lines below the one that names the failed server; `shown` is the output that is above them already."""
    reason, more, tail = _parts(result)
    end = tail[-TAIL_LINES:]
    above = end and [*shown][-len(end) :] == end
    lines = [indent + line for line in wrap(reason, look.columns - len(indent))]
    lines += [indent + line for line in own_lines(look, more, len(indent))]
    lines += [] if above else bar_lines(look, end, indent)
    return lines + [indent + line for line in wrap(sentence(result.get("now")), look.columns - len(indent)) if line]


def explain(result: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the reason of a failed result as one line, and the lines that explain it."""
    reason, more, tail = _parts(result)
    return reason, more or tail


def _parts(result: Mapping[str, Any]) -> tuple[str, list[str], list[str]]:
    """Return the reason of a failed result as one line, more of its message, and what a program has written."""
    reason, *more = message_of(result).split("\n")
    detail = next((str(result[key]) for key in OUTPUTS if result.get(key)), "")
    if result.get("reason"):
        reason, more = str(result["reason"]), []
    tail = [line for line in clean_lines(detail) if line.strip()]
    cause = cause_of(tail)
    if cause and cause not in reason:
        reason = f"{reason.rstrip('.')}: {cut(cause, CAUSE_CELLS)}"
    # A message may end with the output.
    return sentence(reason), [] if tail else [clean(line) for line in more if line.strip()], tail


def cause_of(tail: Sequence[str]) -> str:
    """Return the line that names the cause in what procmon reports of a worker: of a traceback the exception.

    Nothing where the lines are no such report.
    """
    head = WORKER.match(tail[0]) if tail else None
    if not head:
        return ""
    lines = [tail[0][head.end() :], *tail[1:]]
    last = max((number for number, line in enumerate(lines) if line == TRACEBACK), default=-1)
    return next((line for line in lines[last + 1 :] if line.strip() and not line.startswith(" ")), "")


def own_lines(look: Look, lines: Sequence[str], indent: int = 0) -> list[str]:
    """Return lines of a message of ours: what is to be copied stays as it is."""
    return [part for line in lines for part in ([line] if line.startswith(COPIED) else fitting(look, [line], indent))]


def fitting(look: Look, lines: Sequence[str], indent: int = 0) -> list[str]:
    """Return lines, where the width is known as lines that fit."""
    return [part for line in lines for part in (hang(line, look.columns - indent) if look.live else [line])]


def message_of(result: Mapping[str, Any]) -> str:
    """Return the message of a result: of a loop that of the first item that failed."""
    failed = next(
        (item for item in result.get("results") or [] if isinstance(item, Mapping) and item.get("failed")), {}
    )
    msg = str(failed.get("msg") or result.get("msg") or "it failed without a message").strip()
    return PREFIXES.sub("", msg, count=1)


def lost_result(result: Mapping[str, Any], address: str, hint: str = "", *, started: bool) -> dict[str, Any]:
    """Return the result of a server that did not answer as one with a reason; `started` is whether it had begun.

    `hint` is what to do where it had not.
    """
    *before, last = [line for line in message_of(result).split("\n") if line.strip()] or ["ssh ended"]
    what = f"the connection to {address} broke" if started else f"{address} cannot be reached"
    now = HINT_LOST if started else ". ".join(filter(None, [UNCHANGED, hint]))
    return {"reason": f"{what}: {last.strip()}", "traceback_tail": "\n".join(before), "now": now}


def bar_lines(look: Look, lines: Sequence[str], indent: str = "  ") -> list[str]:
    """Return what a program wrote, each line behind a bar; on a terminal in lines that fit."""
    width = look.columns - len(indent) - 2
    pieces = [part for line in lines for part in (break_up(line, width) if look.live else [line])]
    return [f"{indent}{look.mark('bar')} {look.paint(piece, 'dim')}".rstrip() for piece in pieces]


def sentence(text: object) -> str:
    """Return a text as one line that ends as a sentence does."""
    found = clean(text or "").strip()
    return found if not found or found[-1] in ".!?:" else f"{found}."
