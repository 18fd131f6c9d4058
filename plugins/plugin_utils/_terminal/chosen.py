# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which callback shows or passes on what happens, so that actions need not. Private to this collection."""

from __future__ import annotations

import os

from ansible import constants
from ansible.utils.display import Display

NAME = "onetouch.deploy.terminal"
# Set for the callback `events`, which passes everything on to a Python program.
EVENTS = "ONETOUCH_DEPLOY_EVENTS"


def is_chosen() -> bool:
    """Return whether it is the stdout callback; with -v it leaves the screen to Ansible's own."""
    found = constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK")  # type: ignore[no-untyped-call]
    return bool(found == NAME) and Display().verbosity == 0


def is_followed() -> bool:
    """Return whether a callback of ours makes something of the progress of a deploy, and of all that it returns."""
    return is_chosen() or bool(os.environ.get(EVENTS))
