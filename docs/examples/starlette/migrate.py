"""Apply the migrations that the database does not have yet: 0001_….sql, 0002_….sql and so on, one transaction each."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def main() -> None:
    """Bring the database that DATABASE names to the newest version."""
    migrations = sorted(Path("migrations").glob("*.sql"))
    with closing(sqlite3.connect(os.environ["DATABASE"], isolation_level=None)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        for number, file in enumerate(migrations[version:], version + 1):
            print(f"migrate: {file.name}")
            database.executescript(f"BEGIN; {file.read_text()}; PRAGMA user_version = {number}; COMMIT;")


if __name__ == "__main__":
    main()
