"""Notes: a page that lists them, an endpoint that adds one, and a stream of server-sent events."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

TITLE = "Notes"
SECONDS_BETWEEN_EVENTS = 1.0


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, sqlite3.Connection]]:
    """Open the database once per worker, and close it when the worker has finished its requests."""
    with closing(sqlite3.connect(os.environ["DATABASE"])) as database:
        yield {"database": database}


async def index(request: Request) -> Response:
    """Show all notes."""
    notes = request.state.database.execute("SELECT text FROM note ORDER BY id")
    items = "".join(f"<li>{escape(text)}</li>" for (text,) in notes)
    return HTMLResponse(f"<h1>{TITLE}</h1><ul>{items}</ul>")


async def add(request: Request) -> Response:
    """Add a note."""
    with request.state.database as transaction:
        transaction.execute("INSERT INTO note (text) VALUES (?)", [(await request.json())["text"]])
    return PlainTextResponse("added\n", status_code=201)


async def events(_request: Request) -> Response:
    """Send an event every second, for as long as the client listens."""

    async def lines() -> AsyncIterator[str]:
        while True:
            yield f"data: {TITLE}\n\n"
            await asyncio.sleep(SECONDS_BETWEEN_EVENTS)

    return StreamingResponse(lines(), media_type="text/event-stream")


async def up(_request: Request) -> Response:
    """Answer procmon's heartbeat."""
    return PlainTextResponse("ok\n")


routes = [Route("/", index), Route("/notes", add, methods=["POST"]), Route("/events", events), Route("/up", up)]
app = Starlette(routes=routes, lifespan=lifespan)
