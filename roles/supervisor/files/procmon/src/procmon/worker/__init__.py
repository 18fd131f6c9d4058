# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: one uvicorn server in the app's own interpreter, controlled by the master over a channel.

Nothing here may import the rest of procmon: `boot.py` loads this package by its path, as `procmon_worker`.
"""
