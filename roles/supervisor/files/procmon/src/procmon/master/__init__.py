# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge of procmon: everything that touches the outside world, on asyncio. Decisions are in `core`."""
