"""Write a run and all of its figures in one transaction, so that a store never holds half of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from layermatrix.core.host import Host
from layermatrix.store.database import Store
from layermatrix.store.entries import Measurement, Run, Subject

if TYPE_CHECKING:
    import sqlite3

    from layermatrix.store.database import Value
    from layermatrix.store.entries import Figure


def add(store: Store, run: Run, measurements: Sequence[Measurement]) -> None:
    """Add a run. The later one of two measurements of a subject counts. Raises StoreError."""
    add_all(store, [(run, measurements)])


def add_all(store: Store, runs: Iterable[tuple[Run, Sequence[Measurement]]]) -> None:
    """Add several runs, all or none, such as the parts of one run on several hosts. Raises StoreError."""
    with store.transaction() as connection:
        for run, measurements in runs:
            _add(connection, run, measurements)


def _add(connection: sqlite3.Connection, run: Run, measurements: Sequence[Measurement]) -> None:
    add_host(connection, run.host)
    number = _add_run(connection, run)
    for one in measurements:
        subject = _subject(connection, one.subject)
        rows = [(number, subject, *_columns(figure)) for figure in one.figures]
        connection.executemany(f"INSERT OR REPLACE INTO figures VALUES ({_marks(12)})", rows)


def add_host(connection: sqlite3.Connection, host: Host) -> None:
    """Add a host, unless it is there."""
    row = {"id": host.id, **host.to_json()}
    names = ", ".join(row)
    connection.execute(
        f"INSERT OR IGNORE INTO machines ({names}) VALUES ({_marks(len(row))})", tuple(row.values())
    )


def _add_run(connection: sqlite3.Connection, run: Run) -> int:
    values: dict[str, Value] = {
        "key": run.key,
        "job": run.job,
        "started": run.started,
        "finished": run.finished,
        "commit_hash": run.revision.commit,
        "commit_time": run.revision.time,
        "commit_order": run.revision.order,
        "dirty": int(run.revision.dirty),
        "command": run.command,
        "seed": run.seed,
        "machine": run.host.id,
        "conditions": json.dumps(run.conditions),
    }
    names = ", ".join(values)
    added = connection.execute(
        f"INSERT INTO runs ({names}) VALUES ({_marks(len(values))})", tuple(values.values())
    )
    assert added.lastrowid is not None
    return added.lastrowid


def _subject(connection: sqlite3.Connection, subject: Subject) -> int:
    """The number of a subject, which is added if it is new."""
    row = subject.columns
    connection.execute(f"INSERT OR IGNORE INTO subjects VALUES (NULL, {_marks(len(row))})", row)
    (number,) = connection.execute("SELECT id FROM subjects WHERE key = ?", row[:1]).fetchone()
    assert isinstance(number, int)
    return number


def _columns(figure: Figure) -> tuple[Value, ...]:
    return (
        figure.load, figure.name, figure.unit, figure.better, figure.kind, figure.load_digest,
        figure.median, figure.low, figure.high, json.dumps(figure.samples) if figure.samples else None,
    )  # fmt: skip


def _marks(count: int) -> str:
    return ", ".join("?" * count)
