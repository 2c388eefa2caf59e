"""The history of a figure: a point for each commit, with the changes marked; and what the store holds.

Only comparable figures form a series: see `comparable`. The others are listed with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import NamedTuple

from layermatrix.store import changes
from layermatrix.store.changes import Change
from layermatrix.store.database import Store

DETERMINISTIC, TIMED = "deterministic", "timed"

# CROSS JOIN: SQLite looks up the subject first. It cannot know that a load has figures of many subjects.
_POINTS = """
SELECT runs.commit_hash, runs.commit_time, runs.dirty, runs.started,
       figures.median, figures.low, figures.high, figures.kind, figures.load_digest,
       subjects.compiler_version, machines.cpu, machines.cpu_flags, machines.cores, machines.architecture,
       machines.libc
FROM subjects
CROSS JOIN figures ON figures.subject = subjects.id
JOIN runs ON runs.id = figures.run
JOIN machines ON machines.id = runs.machine
WHERE subjects.name = :subject AND figures.figure = :figure AND figures.load = :load
ORDER BY runs.commit_time, runs.commit_order, runs.started, runs.id
"""
# The inner query reads the index alone, in its order; the outer one adds the unit of the latest figure.
_CATALOGUE = """
SELECT subjects.name, found.load, found.figure, figures.unit, figures.better, figures.kind, sum(found.commits)
FROM (
  SELECT subject, figure, load, max(run) AS run, count(DISTINCT runs.commit_hash) AS commits
  FROM figures INDEXED BY figures_by_subject
  CROSS JOIN runs ON runs.id = figures.run
  GROUP BY subject, figure, load
) AS found
JOIN figures ON figures.run = found.run AND figures.subject = found.subject
  AND figures.load = found.load AND figures.figure = found.figure
JOIN subjects ON subjects.id = found.subject
GROUP BY subjects.name, found.load, found.figure
ORDER BY subjects.name, found.load, found.figure
"""


@dataclass(frozen=True)
class Point:
    """A figure at a commit. when: the commit's date, UTC, as 2026-01-31T12:00:00Z. low, high: the interval of
    the median; equal to it for a count. change: where the figure differs from the points before; otherwise
    None."""

    commit: str
    when: str
    median: float
    low: float
    high: float
    change: Change | None = None


@dataclass(frozen=True)
class Entry:
    """A series that the store can show. load: empty for a figure of the code. better: higher or lower. kind:
    deterministic or timed. commits: how many commits have it; one that was built in two ways counts twice."""

    subject: str
    load: str
    figure: str
    unit: str
    better: str
    kind: str
    commits: int


@dataclass(frozen=True)
class Apart:
    """Figures that are not part of the series, and why."""

    count: int
    reason: str


@dataclass(frozen=True)
class History:
    """machine: where the points were measured, in words, with the compiler of a cell."""

    points: tuple[Point, ...]
    machine: str
    kind: str
    apart: tuple[Apart, ...]


class _Row(NamedTuple):
    commit: str
    time: int
    dirty: int
    started: str
    median: float
    low: float
    high: float
    kind: str
    load_digest: str
    compiler: str
    cpu: str
    cpu_flags: str
    cores: int
    architecture: str
    libc: str


class _Comparable(NamedTuple):
    """Figures with equal values can be compared with each other."""

    load_digest: str
    machine: str
    compiler: str


_Grouped = tuple[_Row, _Comparable]


def series(store: Store, *, load: str, subject: str, figure: str) -> tuple[Point, ...]:
    """The points of a figure, oldest commit first; empty if nothing is recorded. subject: the id of a cell,
    or the name of a library."""
    return history(store, load=load, subject=subject, figure=figure).points


def history(store: Store, *, load: str, subject: str, figure: str, commits: Collection[str] = ()) -> History:
    """The points of a figure, and the figures that are not comparable with them. commits: only these; empty
    for all."""
    found = store.rows(_POINTS, {"load": load, "subject": subject, "figure": figure})
    rows = [_Row(*row) for row in found]  # type: ignore[arg-type]
    rows = [row for row in rows if not commits or row.commit in commits]
    usable = [(row, _group(row)) for row in rows if row.commit and not row.dirty]
    if not usable:
        return History((), "", rows[0].kind if rows else "", _unusable(rows))
    chosen = _chosen(usable)
    of_group = [row for row, group in usable if group == chosen]
    latest = {row.commit: row for row in sorted(of_group, key=lambda row: row.started)}
    ordered = [row for row in of_group if latest[row.commit] is row]
    kind = ordered[0].kind
    return History(
        points=_marked([_point(row) for row in ordered], figure, kind),
        machine="; ".join(filter(None, (chosen.machine, chosen.compiler))),
        kind=kind,
        apart=(*_others(usable, chosen), *_unusable(rows)),
    )


def catalogue(store: Store) -> tuple[Entry, ...]:
    """Every series that the store can show."""
    return tuple(Entry(*row) for row in store.rows(_CATALOGUE))  # type: ignore[arg-type]


def _point(row: _Row) -> Point:
    when = datetime.fromtimestamp(row.time, timezone.utc).isoformat(timespec="seconds")
    return Point(row.commit, f"{when[:19]}Z", row.median, row.low, row.high)


def _marked(points: Sequence[Point], figure: str, kind: str) -> tuple[Point, ...]:
    find = changes.of_counts if kind == DETERMINISTIC else changes.of_timings
    found = find(figure, points)
    return tuple(
        replace(point, change=found[place]) if place in found else point for place, point in enumerate(points)
    )


def _group(row: _Row) -> _Comparable:
    """Counts depend on the processor's features, because the C library chooses its code by them; timings
    also on the processor itself."""
    if row.kind == DETERMINISTIC:
        machine = f"{row.architecture}, processor features {row.cpu_flags}, {row.libc}"
    else:
        machine = f"{row.cpu}, {row.cores} cores, {row.architecture}, {row.libc}"
    return _Comparable(row.load_digest, machine, row.compiler)


def _chosen(rows: Sequence[_Grouped]) -> _Comparable:
    """The group with the most commits; of equal ones, the latest."""
    commits: dict[_Comparable, set[str]] = {}
    for row, group in sorted(rows, key=lambda pair: pair[0].started, reverse=True):
        commits.setdefault(group, set()).add(row.commit)
    return max(commits, key=lambda group: len(commits[group]))


def _others(rows: Sequence[_Grouped], chosen: _Comparable) -> list[Apart]:
    counts: dict[str, int] = {}
    for _, group in rows:
        if group != chosen:
            reason = _difference(group, chosen)
            counts[reason] = counts.get(reason, 0) + 1
    return [Apart(count, reason) for reason, count in counts.items()]


def _difference(group: _Comparable, chosen: _Comparable) -> str:
    if group.load_digest != chosen.load_digest:
        return "the load had another program or other arguments"
    if group.machine != chosen.machine:
        return f"measured on another kind of machine: {group.machine}"
    return f"built by another compiler: {group.compiler}"


def _unusable(rows: Sequence[_Row]) -> tuple[Apart, ...]:
    nowhere = sum(not row.commit for row in rows)
    dirty = sum(bool(row.commit and row.dirty) for row in rows)
    found = (Apart(nowhere, "no commit is known"), Apart(dirty, "the files differed from the commit"))
    return tuple(one for one in found if one.count)
