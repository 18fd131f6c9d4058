"""Notes: a page that lists them, and a form that adds one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from flask import Flask, redirect, render_template, request
from werkzeug.wrappers import Response

SCHEMA = "CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"


def connect() -> sqlite3.Connection:
    """Open the database that DATABASE names."""
    return sqlite3.connect(os.environ["DATABASE"])


def create_app() -> Flask:
    """Make the app, with its settings from the environment."""
    app = Flask(__name__)
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY and the like

    @app.get("/")
    def index() -> str:
        with closing(connect()) as database:
            notes = [text for (text,) in database.execute("SELECT text FROM note ORDER BY id")]
        return render_template("index.html", notes=notes)

    @app.post("/notes")
    def add() -> Response:
        with closing(connect()) as database:
            database.execute("INSERT INTO note (text) VALUES (?)", [request.form["text"]])
            database.commit()
        return redirect("/")

    @app.get("/up")
    def up() -> dict[str, bool]:
        return {"ok": True}

    @app.cli.command("migrate")
    def migrate() -> None:
        """Create what the database lacks."""
        with closing(connect()) as database:
            database.execute(SCHEMA)
            database.commit()

    return app
