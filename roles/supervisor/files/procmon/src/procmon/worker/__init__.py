# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: one uvicorn server in the app's own interpreter, led by the master over a control channel."""
