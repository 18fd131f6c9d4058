"""Notes: a page that lists them, and an API that adds one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from html import escape

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

TITLE = "Notes"

app = FastAPI(title=TITLE)


class Note(BaseModel):
    """One note."""

    text: str


@app.get("/", response_class=HTMLResponse)
def index() -> str:
    """Show all notes."""
    with closing(sqlite3.connect(os.environ["DATABASE"])) as database:
        notes = [text for (text,) in database.execute("SELECT text FROM note ORDER BY id")]
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<h1>{TITLE}</h1><ul>{items}</ul>"


@app.post("/notes", status_code=201)
def add(note: Note) -> Note:
    """Add a note."""
    with closing(sqlite3.connect(os.environ["DATABASE"])) as database:
        database.execute("INSERT INTO note (text) VALUES (?)", [note.text])
        database.commit()
    return note


@app.get("/up")
async def up() -> dict[str, bool]:
    """Answer procmon's heartbeat."""
    return {"ok": True}
