# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading the app with uvicorn's own means, and explaining clearly why it cannot be loaded."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

import uvicorn
from uvicorn.importer import ImportFromStringError, import_from_string

from .errors import WorkerError
from .settings import Settings
from .sse import finish_on_cancel


def make_config(settings: Settings) -> uvicorn.Config:
    """Make uvicorn's configuration, which also sets up logging. Raises WorkerError when uvicorn rejects an option."""
    if not hasattr(uvicorn.Config, "get_loop_factory"):
        found = importlib.metadata.version("uvicorn")
        raise WorkerError("import", f"uvicorn {found} of {sys.executable} is too old: procmon needs 0.36 or newer")
    try:
        return uvicorn.Config(settings.app, **settings.uvicorn)
    except Exception as error:
        raise WorkerError("import", f"[uvicorn] rejected by uvicorn: {type(error).__name__}: {error}") from error


def load(config: uvicorn.Config, app: str) -> None:
    """Import the app and load what serves it. Raises WorkerError with the traceback's tail."""
    config.app = import_app(app)  # uvicorn's own import would log the reason and exit: the master would not know it
    try:
        config.load()
    except ImportFromStringError as error:
        raise WorkerError("import", f"[uvicorn] {error}") from error
    except (Exception, SystemExit) as error:
        raise WorkerError.of("import", error) from error
    config.loaded_app = finish_on_cancel(config.loaded_app)


def import_app(app: str) -> Any:  # noqa: ANN401 - whatever the name refers to; uvicorn checks it
    """Import what `module:attribute` names. Raises WorkerError."""
    try:
        return import_from_string(app)
    except ImportFromStringError as error:
        raise WorkerError("import", f"app = {app}: {error} Searched in {sys.path[0]}") from error
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and is_package_of(app, error.name):
            raise WorkerError("import", f"app = {app}: {error}. Searched in {sys.path[0]}") from error
        raise WorkerError.of("import", error) from error


def is_package_of(app: str, missing: str | None) -> bool:
    """Return whether the missing module is the app's own package, and not one that the app imports."""
    return missing is not None and app.startswith(missing + ".")
