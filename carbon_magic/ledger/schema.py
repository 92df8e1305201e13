"""The version of a ledger's file, and bringing an older one to this version.

`schema.sql` alone says which tables and columns there are. Versions only ever add columns, so a file is brought up to
date by adding those that it lacks, and one that has more is left with them.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from pathlib import Path

MAJOR, MINOR = 1, 0
"""`PRAGMA user_version` is 1000 times the major number plus the minor one. Another major means other things by the
same names; a greater minor only has more columns."""


def version_of(connection: sqlite3.Connection) -> tuple[int, int]:
    """The file's major and minor version; 0 and 0 for one that has just begun."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    return version // 1000, version % 1000


@lru_cache(maxsize=1)
def columns() -> dict[str, dict[str, str]]:
    """By table: the columns of this version and their types, as `schema.sql` makes them."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(_schema())
        return {table: dict(_columns_of(connection, table)) for table in ("sessions", "records")}
    finally:
        connection.close()


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """The names of the columns that a file's table has; none where there is no such table."""
    return [name for name, _ in _columns_of(connection, table)]


def _columns_of(connection: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    return [(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({table})")]


def migrate(connection: sqlite3.Connection) -> None:
    """Add what is missing. Another process may be about the same: the lock lets one at a time, and none of it harms
    when it is done already."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        statements = [part for part in _schema().split(";") if part.strip()]
        tables = [part for part in statements if "CREATE TABLE" in part]
        for statement in tables:
            connection.execute(statement)
        for table, wanted in columns().items():
            there = columns_of(connection, table)
            for name, kind in wanted.items():
                if name not in there:
                    connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
        for statement in statements:
            if statement not in tables:
                connection.execute(statement)
        if version_of(connection) < (MAJOR, MINOR):
            connection.execute(f"PRAGMA user_version = {MAJOR * 1000 + MINOR}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _schema() -> str:
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
