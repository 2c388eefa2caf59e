"""Fill a store with planted results, and time what the report reads from it.

    PYTHONPATH=site_scons python tests/unit/large_store.py FILE [RESULTS]

Tests use `fill` for small stores. The figures repeat from commit to commit, with one step in the middle.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from layermatrix.core.host import Host
from layermatrix.store import database, history, query, recording
from layermatrix.store.entries import CELL, TIMED, Figure, Measurement, Revision, Run, Subject

MACHINE = Host("x86_64", "A CPU", "f1", 2, "Linux 6.1", "glibc 2.36", "3.11.7", "m1")
VARIANTS, LOADS = 10, 10
FIGURES = ("instructions", "l1_misses", "mispredictions", "speed", "cpu_time")
OF_RUN = VARIANTS * LOADS * len(FIGURES)
NOON = 1_769_860_800  # 2026-01-31T12:00:00Z


def name_of(number: int) -> str:
    """The hash of the planted commit of this number."""
    return f"{number:010x}".ljust(40, "0")


def run(number: int, commit: str = "", machine: Host = MACHINE, *, dirty: bool = False) -> Run:
    """The run of this number, an hour after the one before."""
    day, hour = divmod(number, 24)
    when = f"2026-{1 + day // 28:02}-{1 + day % 28:02}T{hour:02}:00:00Z"
    revision = Revision(commit or name_of(number), NOON + 3600 * number, number, dirty)
    return Run("bench", when, when, revision, "scons bench", machine)


def subject(variant: str, library: str = "d1") -> Subject:
    return Subject(
        f"{variant}-release-gcc", CELL, variant, "release", "gcc", "none", "native", {}, library, "gcc 12.2.0"
    )


def count(value: float, name: str = "instructions", load: str = "churn") -> Figure:
    return Figure(load, name, "per op", value, value, value, load_digest="l1")


def timing(value: float, load: str = "churn", spread: float = 0.005) -> Figure:
    low, high = value * (1 - spread), value * (1 + spread)
    return Figure(load, "speed", "M/s", value, low, high, TIMED, "higher", "l1", (low, value, high))


def _figures(number: int, runs: int) -> Iterator[Figure]:
    step = 1.1 if number > runs / 2 else 1.0
    for load in range(LOADS):
        for place, name in enumerate(FIGURES):
            known = timing if name in ("speed", "cpu_time") else count
            one = known(step * (10 + place), load=f"load_{load}")
            yield Figure(**{**vars(one), "name": name})


def fill(path: Path, results: int) -> None:
    """Write this many results, in runs of OF_RUN."""
    runs = -(-results // OF_RUN)
    with database.writable(path) as store:
        for number in range(runs):
            measured = [
                Measurement(subject(f"variant_{variant}"), tuple(_figures(number, runs)))
                for variant in range(VARIANTS)
            ]
            recording.add(store, run(number), measured)


def main(words: list[str]) -> None:
    path, results = Path(words[0]), int(words[1]) if words[1:] else 100_000
    begin = time.perf_counter()
    fill(path, results)
    _say(f"{results:,} results written, {path.stat().st_size / 1e6:.0f} MB", begin)
    with database.readable(path) as store:
        begin = time.perf_counter()
        entries = history.catalogue(store)
        _say(f"the catalogue of {len(entries)} series", begin)
        begin = time.perf_counter()
        points = history.series(store, load="load_3", subject="variant_3-release-gcc", figure="instructions")
        _say(f"a series of counts, {len(points)} commits", begin)
        begin = time.perf_counter()
        rows = query.rows(store, query.Filter(load="load_3", figure="speed"))
        _say(f"a figure of a load for every subject, {len(rows):,} rows", begin)
        begin = time.perf_counter()
        for entry in entries:
            history.series(store, load=entry.load, subject=entry.subject, figure=entry.figure)
        _say(f"every series of the catalogue, with the changes of {len(entries)}", begin)


def _say(what: str, begin: float) -> None:
    print(f"{time.perf_counter() - begin:7.3f} s  {what}")


if __name__ == "__main__":
    main(sys.argv[1:])
