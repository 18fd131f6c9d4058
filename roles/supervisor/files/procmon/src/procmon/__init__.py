# SPDX-License-Identifier: GPL-3.0-or-later
"""Supervisor of uvicorn workers that replaces them without losing a request."""

__version__ = "0.1.0"
