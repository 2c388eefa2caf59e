"""`store.merging`: every run once, all or nothing, from files of every version, by several processes."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from large_store import MACHINE, count, run, subject, timing

from layermatrix.store import database, history, merging, query, recording, schema
from layermatrix.store.database import StoreError
from layermatrix.store.entries import Measurement
from layermatrix.store.merging import Merged

HERE = Path(__file__).parent
MERGER = """
import sys
from pathlib import Path
from layermatrix.store import merging
print("ready", flush=True)
merging.merge(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
"""


def store_with(path: Path, numbers: Sequence[int], machine: str = "m1", results: int = 2) -> Path:
    """A store with these runs of a machine."""
    host = replace(MACHINE, identity=machine)
    figures = tuple(count(float(place), f"figure_{place}") for place in range(results))
    with database.writable(path) as store:
        for number in numbers:
            measured = [Measurement(subject("small"), (*figures, timing(10.0)))]
            recording.add(store, run(number, machine=host), measured)
    return path


def contents(path: Path) -> list[database.Row]:
    """What an export shows of a store."""
    with database.readable(path) as store:
        return sorted(query.rows(store, query.Filter()), key=repr)


def counts(path: Path) -> list[int]:
    """The number of rows of each table."""
    with database.readable(path) as store:
        found = (store.rows(f"SELECT count(*) FROM {table.name}") for table in schema.TABLES)
        return [int(str(rows[0][0])) for rows in found]


def merger(target: Path, *sources: Path) -> subprocess.Popen[bytes]:
    variables = {**os.environ, "PYTHONPATH": f"{HERE.parents[1] / 'site_scons'}:{HERE}"}
    words = [sys.executable, "-c", MERGER, str(target), *map(str, sources)]
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE)


def test_a_merge_has_every_run_with_its_machine_and_figures(tmp_path: Path) -> None:
    one = store_with(tmp_path / "one.sqlite", (1, 2))
    other = store_with(tmp_path / "other.sqlite", (3,), machine="m2")
    target = tmp_path / "new/all.sqlite"
    assert merging.merge(target, [one, other]) == (Merged(one, 2, 0), Merged(other, 1, 0))
    assert contents(target) == sorted([*contents(one), *contents(other)], key=repr)
    assert counts(target) == [2, 3, 1, 9]
    with database.readable(target) as store:
        assert store.rows("PRAGMA foreign_key_check") == []


def test_merging_again_adds_nothing(tmp_path: Path) -> None:
    one = store_with(tmp_path / "one.sqlite", (1, 2))
    other = store_with(tmp_path / "other.sqlite", (3,), machine="m2")
    merging.merge(one, [other])
    before = one.read_bytes()
    assert merging.merge(one, [other, other]) == (Merged(other, 0, 1), Merged(other, 0, 1))
    assert one.read_bytes() == before
    back = merging.merge(other, [one])
    assert back == (Merged(one, 2, 1),)
    assert contents(one) == contents(other)


def test_many_sources_are_merged_at_once(tmp_path: Path) -> None:
    sources = [store_with(tmp_path / f"{number}.sqlite", (number,), f"m{number}") for number in range(12)]
    merging.merge(tmp_path / "all.sqlite", sources)
    assert counts(tmp_path / "all.sqlite")[:2] == [12, 12]


def test_a_source_that_cannot_be_read_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    target = store_with(tmp_path / "target.sqlite", (1,))
    good = store_with(tmp_path / "good.sqlite", (2,))
    text, torn, newer = tmp_path / "text", tmp_path / "torn.sqlite", tmp_path / "newer.sqlite"
    text.write_text("no database, but long enough for the head of one " * 9, encoding="utf-8")
    store_with(torn, range(10, 40), results=50)
    torn.write_bytes(torn.read_bytes()[:-9000])
    store_with(newer, (3,))
    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    before = target.read_bytes()
    for source, message in (
        (text, "text: file is not a database"),
        (torn, "torn.sqlite.*(malformed|damaged)"),
        (newer, f"newer.sqlite has version {schema.VERSION + 1} of the schema.*: update layermatrix"),
        (tmp_path / "none", "none: there is no store"),
        (target, "target.sqlite is the target itself: name another file"),
    ):
        with pytest.raises(StoreError, match=message):
            merging.merge(target, [good, source])
        assert target.read_bytes() == before
    with pytest.raises(StoreError, match="there is no store"):
        merging.merge(tmp_path / "fresh.sqlite", [tmp_path / "none"])
    assert not (tmp_path / "fresh.sqlite").exists()


def test_a_row_without_its_run_is_damage(tmp_path: Path) -> None:
    source = store_with(tmp_path / "source.sqlite", (1,))
    with sqlite3.connect(source) as connection:
        connection.execute("DELETE FROM machines")
    connection.close()
    with pytest.raises(StoreError, match=r"source.sqlite is damaged: a row of runs refers to one that is"):
        merging.merge(tmp_path / "all.sqlite", [source])


@pytest.mark.parametrize("old", sorted((HERE / "store_versions").glob("*.sql")), ids=lambda file: file.stem)
def test_a_store_of_an_older_version_is_brought_forward(old: Path, tmp_path: Path) -> None:
    source = tmp_path / "old.sqlite"
    with sqlite3.connect(source) as connection:
        connection.executescript(old.read_text(encoding="utf-8"))
        # a second machine: both get one name, because one file was mostly written on one computer
        connection.execute(
            "INSERT INTO machines SELECT 'm2', cpu, 'f2', cores, 'x', kernel, libc FROM machines"
        )
    connection.close()
    target = store_with(tmp_path / "target.sqlite", (1,))
    assert merging.merge(target, [source, source]) == (Merged(source, 1, 0), Merged(source, 0, 1))
    assert merging.merge(target, [source]) == (Merged(source, 0, 1),)
    with database.readable(source) as store:
        assert store.rows("SELECT count(DISTINCT identity), min(length(identity)) FROM machines") == [(1, 16)]
    with database.readable(target) as store:
        found = history.history(store, load="churn", subject="small-release-gcc", figure="speed")
        # the old file does not say which computer it is about
        assert (len(found.points), sum(one.count for one in found.apart)) == (1, 1)


def test_a_killed_merge_leaves_all_or_nothing(tmp_path: Path) -> None:
    chance = random.Random(15)
    source = store_with(tmp_path / "source.sqlite", range(100, 140), results=200)
    target = store_with(tmp_path / "target.sqlite", (1,))
    for _ in range(4):
        with merger(target, source) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.25))
            process.send_signal(signal.SIGKILL)
        with database.readable(target) as store:
            assert store.rows("PRAGMA integrity_check") == [("ok",)]
        assert counts(target)[1] in (1, 41)
    merging.merge(target, [source])
    assert counts(target)[1] == 41


def test_merges_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Into one target, and in both directions between two stores."""
    one = store_with(tmp_path / "one.sqlite", range(20), results=100)
    other = store_with(tmp_path / "other.sqlite", range(50, 70), "m2", results=100)
    target = tmp_path / "all.sqlite"
    processes = [merger(target, one), merger(target, other), merger(one, other), merger(other, one)]
    for process in processes:
        with process:
            assert process.wait(60) == 0
    assert counts(target) == [2, 40, 1, 40 * 101]
    assert contents(one) == contents(other) == contents(target)
