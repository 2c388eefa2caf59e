"""`store`: a run is written whole or not at all, by several processes at once, in files of every version."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import large_store
import pytest
from large_store import count, run, subject, timing

from layermatrix.store import database, history, query, recording, schema
from layermatrix.store.database import Store, StoreError
from layermatrix.store.entries import Figure, Measurement

VERSIONS = sorted((Path(__file__).parent / "store_versions").glob("*.sql"))
WRITER = """
import sys
from pathlib import Path
import large_store
from layermatrix.store import database, recording
from layermatrix.store.entries import Measurement
path, first, runs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
figures = tuple(large_store.count(float(place), f"figure_{place}") for place in range(200))
print("ready", flush=True)
for number in range(first, first + runs):
    with database.writable(path) as store:
        recording.add(store, large_store.run(number), [Measurement(large_store.subject("small"), figures)])
"""
OF_WRITER = 200  # figures of each of its runs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "build/results.sqlite"


def add(path: Path, number: int, *figures: Figure) -> None:
    with database.writable(path) as store:
        recording.add(store, run(number), [Measurement(subject("small"), figures)])


def writer(path: Path, first: int, runs: int) -> subprocess.Popen[bytes]:
    """A process that writes runs one after another."""
    here = Path(__file__).parent
    variables = {**os.environ, "PYTHONPATH": f"{here.parents[1] / 'site_scons'}:{here}"}
    words = [sys.executable, "-c", WRITER, str(path), str(first), str(runs)]
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE)


def shape(store: Store) -> set[str]:
    """The columns and indexes of every table. The order of columns may differ."""
    names = [table.name for table in schema.TABLES]
    columns = [
        store.rows(f"SELECT '{name}', name, type, \"notnull\", pk FROM pragma_table_info('{name}')")
        for name in names
    ]
    indexes = [
        store.rows(f"SELECT '{name}', name, \"unique\" FROM pragma_index_list('{name}')") for name in names
    ]
    return {repr(row) for rows in (*columns, *indexes) for row in rows}


def test_a_run_is_recorded_with_its_machine_subject_and_figures(path: Path) -> None:
    add(path, 1, count(27.5), timing(10.0))
    with database.readable(path) as store:
        by_figure = {
            row[0]: row[1:] for row in store.rows("SELECT figure, median, low, high, samples FROM figures")
        }
        assert by_figure["instructions"] == (27.5, 27.5, 27.5, None)
        assert json.loads(str(by_figure["speed"][3])) == pytest.approx([9.95, 10.0, 10.05])
        ((cpu, commit),) = store.rows(
            "SELECT cpu, commit_hash FROM runs JOIN machines ON machine = machines.id"
        )
    assert (cpu, commit) == ("A CPU", large_store.name_of(1))


def test_an_equal_machine_and_build_have_one_row(path: Path) -> None:
    add(path, 1, count(1.0))
    add(path, 2, count(2.0))
    with database.readable(path) as store:
        assert store.rows("SELECT (SELECT count(*) FROM machines), (SELECT count(*) FROM subjects)") == [
            (1, 1)
        ]


def test_a_run_that_fails_on_the_way_leaves_nothing(path: Path) -> None:
    add(path, 1, count(1.0))
    broken = count(2.0, "broken")
    object.__setattr__(broken, "median", None)
    with pytest.raises(StoreError, match="NOT NULL"):
        add(path, 2, count(2.0), broken)
    with database.readable(path) as store:
        assert store.rows("SELECT count(*) FROM runs") == [(1,)]


def test_two_processes_write_at_once(path: Path) -> None:
    with writer(path, 0, 10) as one, writer(path, 100, 10) as other:
        assert [one.wait(60), other.wait(60)] == [0, 0]
    with database.readable(path) as store:
        assert store.rows("SELECT count(*), count(DISTINCT run) FROM figures") == [(20 * OF_WRITER, 20)]
        assert store.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_killed_writer_leaves_whole_runs(path: Path) -> None:
    chance = random.Random(14)
    with database.writable(path):
        pass
    for attempt in range(6):
        with writer(path, 1000 * attempt, 1000) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
        with database.readable(path) as store:
            assert store.rows("PRAGMA integrity_check") == [("ok",)]
            sizes = store.rows("SELECT DISTINCT (SELECT count(*) FROM figures WHERE run = runs.id) FROM runs")
            assert sizes in ([], [(OF_WRITER,)])
    add(path, 900_000, count(1.0))


@pytest.mark.parametrize("old", VERSIONS, ids=lambda file: file.stem)
def test_a_file_of_an_older_version_is_brought_forward(old: Path, path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript(old.read_text(encoding="utf-8"))
    connection.close()
    with database.readable(path) as store:
        assert store.rows("PRAGMA user_version") == [(schema.VERSION,)]
        (point,) = history.series(store, load="churn", subject="small-release-gcc", figure="speed")
        assert (point.commit, point.median, point.low, point.high) == ("c1", 10.0, 9.5, 10.5)
        migrated = shape(store)
    with database.writable(tmp_path / "new.sqlite") as new:
        assert migrated == shape(new)


def test_there_is_a_file_of_every_older_version() -> None:
    assert [int(file.stem) for file in VERSIONS] == list(range(1, schema.VERSION)) == list(schema.MIGRATIONS)


def test_a_newer_file_is_an_error_that_names_both_versions(path: Path) -> None:
    add(path, 1, count(1.0))
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    with pytest.raises(
        StoreError, match=f"has version {schema.VERSION + 1} of the schema.*knows {schema.VERSION}"
    ):
        add(path, 2, count(1.0))


def test_files_that_are_no_store_are_refused_and_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.sqlite"
    text.write_text(
        "a text that is long enough to be taken for the head of a database " * 4, encoding="utf-8"
    )
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE bookmarks (address TEXT)")
    connection.close()
    for file, message in ((text, "not a database"), (other, "belongs to another program")):
        before = file.read_bytes()
        with pytest.raises(StoreError, match=message):
            add(file, 1, count(1.0))
        assert file.read_bytes() == before
    with pytest.raises(StoreError, match="there is no store yet"), database.readable(tmp_path / "none"):
        pass


def test_a_store_that_is_locked_too_long_is_an_error(path: Path) -> None:
    add(path, 1, count(1.0))
    with database.writable(path) as store, store.transaction():  # noqa: SIM117 - the second one waits for the first
        with pytest.raises(StoreError, match="locked"), database.writable(path, patience=0.05) as second:
            recording.add(second, run(2), [])


def test_a_full_disk_is_an_error_and_the_store_stays_whole(path: Path) -> None:
    add(path, 1, count(1.0))
    many = [count(float(place), f"figure_{place}") for place in range(2000)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 8192, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"results.sqlite: .*(full|I/O)"):
            add(path, 2, *many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    add(path, 3, *many)
    with database.readable(path) as store:
        assert store.rows("PRAGMA integrity_check") == [("ok",)]
        assert store.rows("SELECT count(*) FROM runs") == [(2,)]


def test_large_stores_are_read_through_the_indexes(path: Path) -> None:
    large_store.fill(path, large_store.OF_RUN)
    known = {"load": "load_1", "subject": "variant_1-release-gcc", "figure": "speed"}
    with database.readable(path) as store:
        plan = store.rows(f"EXPLAIN QUERY PLAN {history._POINTS}", known)
        steps = [str(step[3]) for step in plan]
        of_load = store.rows(
            "EXPLAIN QUERY PLAN SELECT run, subject FROM figures WHERE figure = 'speed' AND load = 'load_1'"
        )
        assert len(query.rows(store, query.Filter(load="load_1", figure="speed"))) == large_store.VARIANTS
    assert any("subjects USING INDEX subjects_by_name" in step for step in steps)
    assert any("figures USING INDEX figures_by_subject" in step for step in steps)
    assert not any(step.startswith("SCAN") for step in steps)
    assert "figures_by_load" in str(of_load)
