"""Open a store: create it, bring an older file to today's schema, and refuse files that are not a store.

Writes go through `Store.transaction`. SQLite's rollback journal keeps the file whole if a process is killed,
and works where several processes write: each waits for the others, up to `PATIENCE` seconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from layermatrix.store import schema

if TYPE_CHECKING:
    import sqlite3

PATIENCE = 20.0  # seconds that a process waits for another one's transaction

# One statement, because another process may create the tables at this moment.
HEAD = """
SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)
FROM pragma_user_version, pragma_application_id
"""
Value = str | int | float | None
Row = tuple[Value, ...]


class StoreError(Exception):
    """The store cannot be used; str() is one line that names the file."""


@dataclass(frozen=True)
class Store:
    """An open store."""

    path: Path
    connection: sqlite3.Connection

    def rows(self, sql: str, parameters: Sequence[Value] | Mapping[str, Value] = ()) -> list[Row]:
        """All rows of a query."""
        with reported(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of its statements take effect, or none."""
        with reported(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")


@contextlib.contextmanager
def writable(path: Path, patience: float = PATIENCE) -> Iterator[Store]:
    """The store in this file, which is created if there is none. Raises StoreError."""
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _connected(path, "rwc", patience) as store:
        _prepare(store)
        yield store


@contextlib.contextmanager
def readable(path: Path, patience: float = PATIENCE) -> Iterator[Store]:
    """The store in this file, to read only. Raises StoreError, also if there is no such file."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no store yet; the jobs that measure write it, such as bench")
    # not "ro": a killed writer may have left a journal, which the next one that opens the file rolls back
    with _connected(path, "rw", patience) as store:
        _prepare(store)
        store.rows("PRAGMA query_only = ON")
        yield store


@contextlib.contextmanager
def _connected(path: Path, mode: str, patience: float) -> Iterator[Store]:
    import sqlite3

    with reported(path):
        address = f"file:{quote(str(path.absolute()))}?mode={mode}"
        connection = sqlite3.connect(address, uri=True, timeout=patience, isolation_level=None)
    try:
        with reported(path):
            connection.execute("PRAGMA foreign_keys = ON")
        yield Store(path, connection)
    finally:
        connection.close()


def _prepare(store: Store) -> None:
    """Create the tables in an empty file, or migrate those of an older version, in one transaction."""
    if _version(store) == schema.VERSION:
        return
    with store.transaction() as connection:
        version = _version(store)  # another process may have been faster
        if version == schema.VERSION:
            return
        steps = schema.statements() if version == 0 else _migrations(version)
        for statement in steps:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION}")
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")


def _migrations(version: int) -> list[str]:
    return [step for old in range(version, schema.VERSION) for step in schema.MIGRATIONS[old]]


def _version(store: Store) -> int:
    """The version of the file's schema; 0 if it is empty. StoreError if it is newer, or not a store."""
    ((version, application, tables),) = store.rows(HEAD)
    assert isinstance(version, int)
    if tables and application != schema.APPLICATION:
        raise StoreError(f"{store.path} belongs to another program: choose another file with store=")
    if version > schema.VERSION:
        raise StoreError(
            f"{store.path} has version {version} of the schema, and this layermatrix knows {schema.VERSION}: "
            "update layermatrix, or choose another file with store="
        )
    return version


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn the errors of SQLite and of the system into StoreError."""
    import sqlite3

    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}") from error
