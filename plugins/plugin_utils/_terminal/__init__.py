# Copyright: (c) 2026, The onetouch.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback `terminal` shows: events and results in, lines out. Private to this collection.

Only `screen` writes, through a function that it is given, and `error`, before there is a screen. Only `progress` reads
a file.
"""
