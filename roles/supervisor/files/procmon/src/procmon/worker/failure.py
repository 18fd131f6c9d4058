# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a worker cannot serve, told so that the reader need not look elsewhere."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

TAIL_CHARACTERS = 8000  # a datagram holds far more; a status file should not
MACHINERY = ("uvicorn", "importlib", "asyncio")


class WorkerError(Exception):
    """The worker ends with exit code 1; `stage` is `import`, `lifespan` or `serve`, `error` what to show."""

    def __init__(self, stage: str, error: str) -> None:
        super().__init__(error)
        self.stage = stage
        self.error = error[-TAIL_CHARACTERS:]

    @classmethod
    def of(cls, stage: str, error: BaseException) -> WorkerError:
        """Make a failure of an exception: its traceback from the app's first frame on.

        What could not be imported or parsed is named by the exception itself: without a frame of the app's none is
        shown. Anything else that has none is shown whole, for then it is ours.
        """
        frames = skip_machinery(error.__traceback__)
        if frames is None and not isinstance(error, (ImportError, SyntaxError)):
            frames = error.__traceback__
        return cls(stage, "".join(traceback.format_exception(type(error), error, frames)).rstrip())


def skip_machinery(frames: TracebackType | None) -> TracebackType | None:
    """Drop the frames above the app's first one; give None when the app has none."""
    while frames is not None and is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def is_machinery(filename: str) -> bool:
    """Tell whether a frame's file belongs to this package, to uvicorn or to the import system."""
    if filename.startswith("<frozen importlib"):
        return True
    parent = Path(filename).parent
    return parent == Path(__file__).parent or parent.name in MACHINERY
