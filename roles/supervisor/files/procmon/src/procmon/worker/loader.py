# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading the app as uvicorn does, and explaining clearly why it cannot be loaded."""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import sys
from typing import Any

import uvicorn
from uvicorn.importer import ImportFromStringError, import_from_string
from uvicorn.middleware.asgi2 import ASGI2Middleware

from .errors import WorkerError
from .settings import Settings
from .sse import finish_on_cancel


def make_config(settings: Settings) -> uvicorn.Config:
    """Make uvicorn's configuration, which also sets up logging. Raises WorkerError when uvicorn rejects an option."""
    if not hasattr(uvicorn.Config, "get_loop_factory"):
        found = importlib.metadata.version("uvicorn")
        advice = "procmon needs 0.36 or newer. Raise it in the app's requirements"
        raise WorkerError("import", f"uvicorn {found} of {sys.executable} is too old: {advice}")
    try:
        return uvicorn.Config(settings.app, **settings.uvicorn)
    except Exception as error:
        raise WorkerError("import", f"[uvicorn] rejected by uvicorn: {type(error).__name__}: {error}") from error


def import_app(config: uvicorn.Config, app: str) -> None:
    """Import the app into the configuration, before there is an event loop. Raises WorkerError.

    `module:factory()`, as gunicorn spells it, is called here, since gunicorn calls it before there is a loop. A factory
    by the option `factory` is called by `load`, in the loop, as uvicorn does.
    """
    name = app.removesuffix("()")
    config.app = found = import_name(name, app)
    if name != app:
        made = call_factory(app, found)
        config.app, config.factory = (lambda: made), True
    elif config.factory:
        config.app = functools.partial(call_factory, app, found)


def load(config: uvicorn.Config) -> None:
    """Load what serves the app, in the event loop. Raises WorkerError with the traceback's tail."""
    guesses = config.interface == "auto"
    try:
        config.load()
    except WorkerError:
        raise
    except ImportFromStringError as error:
        raise WorkerError("import", f"[uvicorn] {error}") from error
    except (Exception, SystemExit) as error:
        raise WorkerError.of("import", error) from error
    if guesses and config.interface == "asgi2":
        refuse_wsgi(config.loaded_app)
    config.loaded_app = finish_on_cancel(config.loaded_app)


def refuse_wsgi(loaded: Any) -> None:  # noqa: ANN401 - uvicorn's middleware around an app of any type
    """Raise WorkerError for a WSGI app that uvicorn has taken for one of ASGI 2: each request would fail."""
    while not isinstance(loaded, ASGI2Middleware):
        loaded = loaded.app
    if takes(loaded.app, 2) and not takes(loaded.app, 1):
        advice = "Set uvicorn: {interface: wsgi}, and add a2wsgi to the app's requirements"
        raise WorkerError("import", f"the app takes two arguments, as one for WSGI does, and not for ASGI. {advice}")


def takes(function: object, count: int) -> bool:
    """Return whether a function can be called with so many arguments; some functions in C do not show that."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def import_name(name: str, app: str) -> Any:  # noqa: ANN401 - whatever the name refers to; uvicorn checks it
    """Return what `module:attribute` names. Raises WorkerError: uvicorn's own import would log the reason and exit."""
    try:
        return import_from_string(name)
    except ImportFromStringError as error:
        raise WorkerError("import", f"app = {app}: {error} Searched in {sys.path[0]}") from error
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and is_package_of(name, error.name):
            raise WorkerError("import", f"app = {app}: {error}. Searched in {sys.path[0]}") from error
        raise WorkerError.of("import", error) from error


def is_package_of(app: str, missing: str | None) -> bool:
    """Return whether the missing module is the app's own package, and not one that the app imports."""
    return missing is not None and app.startswith(missing + ".")


def call_factory(app: str, factory: Any) -> Any:  # noqa: ANN401 - as above
    """Return the app that a factory makes. Raises WorkerError, with a plain reason when it is not a factory at all."""
    try:
        return factory()
    except (Exception, SystemExit) as error:
        if isinstance(error, TypeError) and is_outermost(error):
            reason = f"it cannot be called without arguments ({type(factory).__name__}: {error})"
            raise WorkerError("import", f"app = {app} is not an app factory: {reason}") from error
        raise WorkerError.of("import", error) from error


def is_outermost(error: BaseException) -> bool:
    """Return whether an exception was raised by the call itself, and not in the code that was called."""
    return error.__traceback__ is None or error.__traceback__.tb_next is None
