"""Merge stores into one: every run once, whichever file has it.

Reads the files of the sources; adds the runs that the target does not have, all in one transaction. A run has
a random key, which it keeps, so merging again adds nothing. The target is not locked while a source is read,
nor the other way round: two merges in opposite directions do not wait for each other.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core.host import Host
from layermatrix.store import database, schema
from layermatrix.store.database import StoreError
from layermatrix.store.recording import add_host

if TYPE_CHECKING:
    import sqlite3

HOST = ", ".join(part.name for part in fields(Host))


@dataclass(frozen=True)
class Merged:
    """What became of a source. added: the runs that neither the target nor an earlier source had. known: the
    others."""

    source: Path
    added: int
    known: int


def merge(target: Path, sources: Sequence[Path]) -> tuple[Merged, ...]:
    """Add the runs of the sources to the target, which is created if there is none: of all sources, or if one
    of them cannot be read, of none. Raises StoreError, which names the file."""
    for source in sources:
        if source.exists() and target.exists() and source.samefile(target):
            raise StoreError(f"{source} is the target itself: name another file with store=")
    with tempfile.TemporaryDirectory(prefix="layermatrix-merge-") as scratch:
        copies = [_copied(source, Path(scratch, f"{number}.sqlite")) for number, source in enumerate(sources)]
        keys = [_keys(copy) for copy in copies]
        together = Path(scratch, "together.sqlite")  # SQLite reads few files in one transaction
        for copy in copies:
            _pour(copy, together)
        new = _pour(together, target)
    found = []
    for source, own in zip(sources, keys, strict=True):
        found.append(Merged(source, len(own & new), len(own - new)))
        new -= own
    return tuple(found)


def _keys(file: Path) -> set[str]:
    with database.readable(file) as store:
        return {str(key) for (key,) in store.rows("SELECT key FROM runs")}


def _copied(source: Path, copy: Path) -> Path:
    """A copy of a store at one moment, brought to today's schema. Raises StoreError if it is damaged."""
    import sqlite3

    with (
        database.readable(source) as store,
        database.reported(source),
        contextlib.closing(sqlite3.connect(copy)) as connection,
    ):
        store.connection.backup(connection)
        trouble = [*connection.execute("PRAGMA quick_check(1)")]
        strays = [*connection.execute("PRAGMA foreign_key_check")]
    if trouble != [("ok",)]:
        raise StoreError(f"{source} is damaged: {trouble[0][0]}")
    if strays:
        raise StoreError(f"{source} is damaged: a row of {strays[0][0]} refers to one that is missing")
    return copy


def _pour(source: Path, target: Path) -> set[str]:
    """Add the runs of one store to another one in a transaction; the keys of those that were new."""
    with database.writable(target) as store:
        store.rows("ATTACH ? AS source", (str(source),))
        with store.transaction() as connection, _scratch(connection):
            added = {str(key) for (key,) in connection.execute("SELECT key FROM temp.added")}
            _add_runs(connection)
            _add_figures(connection)
    return added


@contextlib.contextmanager
def _scratch(connection: sqlite3.Connection) -> Iterator[None]:
    """Temporary tables: the runs to add, and the id of each of their machines in the target."""
    connection.execute(
        "CREATE TEMP TABLE added AS SELECT id, key FROM source.runs "
        "WHERE key NOT IN (SELECT key FROM main.runs)"
    )
    connection.execute("CREATE TEMP TABLE hosts (old TEXT PRIMARY KEY, new TEXT NOT NULL)")
    machines = connection.execute(
        f"SELECT id, {HOST} FROM source.machines "
        f"WHERE id IN (SELECT machine FROM source.runs JOIN temp.added USING (key))"
    ).fetchall()
    for old, *values in machines:
        host = Host(*values)  # its id is computed again: that of an older version had fewer columns
        add_host(connection, host)
        connection.execute("INSERT INTO temp.hosts VALUES (?, ?)", (old, host.id))
    yield
    connection.execute("DROP TABLE temp.added")
    connection.execute("DROP TABLE temp.hosts")


def _add_runs(connection: sqlite3.Connection) -> None:
    """Add the rows of runs and subjects, with the numbers that are free in the target."""
    columns = _columns(schema.RUNS, "id")
    values = ", ".join("hosts.new" if column == "machine" else f"runs.{column}" for column in columns)
    connection.execute(
        f"INSERT INTO main.runs ({', '.join(columns)}) SELECT {values} FROM source.runs AS runs "
        "JOIN temp.added ON added.id = runs.id JOIN temp.hosts ON hosts.old = runs.machine "
        "ORDER BY runs.started, runs.id"
    )
    names = ", ".join(_columns(schema.SUBJECTS, "id"))
    connection.execute(
        f"INSERT OR IGNORE INTO main.subjects ({names}) SELECT {names} FROM source.subjects "
        f"WHERE id IN (SELECT subject FROM source.figures WHERE run IN (SELECT id FROM temp.added))"
    )


def _add_figures(connection: sqlite3.Connection) -> None:
    """Add the figures of the added runs, with the numbers of runs and subjects in the target."""
    columns = _columns(schema.FIGURES, "run", "subject")
    connection.execute(
        f"INSERT INTO main.figures (run, subject, {', '.join(columns)}) "
        f"SELECT own.id, known.id, {', '.join(f'figures.{column}' for column in columns)} "
        f"FROM source.figures AS figures "
        "JOIN temp.added ON added.id = figures.run JOIN main.runs AS own ON own.key = added.key "
        f"JOIN source.subjects AS subjects ON subjects.id = figures.subject "
        "JOIN main.subjects AS known ON known.key = subjects.key"
    )


def _columns(table: schema.Table, *without: str) -> list[str]:
    return [column.name for column in table.columns if column.name not in without]
