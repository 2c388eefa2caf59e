"""The history of a figure: a point for each commit, with the changes marked; and what the store holds.

Only figures that `store.comparable` allows form a series. The others are listed with the reason.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import NamedTuple

from layermatrix.core.host import Host
from layermatrix.store import changes, comparable
from layermatrix.store.changes import Change
from layermatrix.store.comparable import Origin
from layermatrix.store.database import Row, Store
from layermatrix.store.entries import DETERMINISTIC
from layermatrix.store.query import HOST

# CROSS JOIN: SQLite looks up the subject first. It cannot know that a load has figures of many subjects.
_POINTS = f"""
SELECT runs.commit_hash, runs.commit_time, runs.dirty, runs.started,
       figures.median, figures.low, figures.high, figures.kind, figures.load_digest,
       subjects.compiler_version, subjects.source, subjects.library_digest,
       {HOST}
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
    origin: Origin


def _row(subject: str, values: Row) -> _Row:
    """A row of `_POINTS`."""
    commit, time, dirty, started, median, low, high, kind, load_digest, compiler, source, digest = values[:12]
    origin = Origin(
        str(kind),
        _host(values[12:]),
        comparable.build_of(subject, str(source), str(commit)),
        str(digest),
    )
    first = (commit, time, dirty, started, median, low, high, kind, load_digest, compiler)
    return _Row(*first, origin)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=64)
def _host(values: Row) -> Host:
    return Host(*values)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=64)
def _terms(kind: str, host: Host) -> tuple[str, ...]:
    return tuple(comparable.terms(kind, host).values())


class _Group(NamedTuple):
    """Figures of equal groups can be compared with each other. host: the terms of `comparable`."""

    load_digest: str
    host: tuple[str, ...]
    compiler: str


def series(store: Store, *, load: str, subject: str, figure: str) -> tuple[Point, ...]:
    """The points of a figure, oldest commit first; empty if nothing is recorded. subject: the id of a cell,
    or the name of a library."""
    return history(store, load=load, subject=subject, figure=figure).points


def history(store: Store, *, load: str, subject: str, figure: str, commits: Collection[str] = ()) -> History:
    """The points of a figure, and the figures that are not comparable with them. commits: only these; empty
    for all."""
    found = store.rows(_POINTS, {"load": load, "subject": subject, "figure": figure})
    rows = [_row(subject, row) for row in found]
    rows = [row for row in rows if not commits or row.commit in commits]
    usable = [row for row in rows if row.commit and not row.dirty]
    if not usable:
        return History((), "", rows[0].kind if rows else "", _unusable(rows))
    grouped = [(row, _group(row)) for row in usable]
    chosen = _chosen(grouped)
    of_group, foreign = _with_one_binary([row for row, group in grouped if group == chosen])
    latest = {row.commit: row for row in sorted(of_group, key=lambda row: row.started)}
    ordered = [row for row in of_group if latest[row.commit] is row]
    kind, first = ordered[0].kind, ordered[0]
    others = [_difference(row, first) for row, group in grouped if group != chosen]
    return History(
        points=_marked([_point(row) for row in ordered], figure, kind),
        machine="; ".join(filter(None, (comparable.described(kind, first.origin.host), first.compiler))),
        kind=kind,
        apart=(*_counted([*others, *foreign]), *_unusable(rows)),
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


def _group(row: _Row) -> _Group:
    return _Group(row.load_digest, _terms(row.kind, row.origin.host), row.compiler)


def _chosen(rows: Sequence[tuple[_Row, _Group]]) -> _Group:
    """The group with the most commits; of equal ones, the latest."""
    commits: dict[_Group, set[str]] = {}
    for row, group in sorted(rows, key=lambda pair: pair[0].started, reverse=True):
        commits.setdefault(group, set()).add(row.commit)
    return max(commits, key=lambda group: len(commits[group]))


def _with_one_binary(rows: Sequence[_Row]) -> tuple[list[_Row], list[str]]:
    """The rows without those that differ in their binary from another row of the same commit, and the reasons
    for those. The machine with the most commits, or else the latest row, decides."""
    commits: dict[str, set[str]] = {}
    for row in rows:
        commits.setdefault(row.origin.host.identity, set()).add(row.commit)
    if len(commits) < 2:
        return list(rows), []
    rank = {machine: len(found) for machine, found in commits.items()}
    judges: dict[str, _Row] = {}
    for row in sorted(rows, key=lambda row: (rank[row.origin.host.identity], row.started)):
        judges[row.commit] = row
    reasons = [(row, comparable.why_not(row.origin, judges[row.commit].origin)) for row in rows]
    return [row for row, reason in reasons if not reason], [reason for _, reason in reasons if reason]


def _difference(row: _Row, chosen: _Row) -> str:
    if row.load_digest != chosen.load_digest:
        return "the load had another program or other arguments"
    reason = comparable.why_other_host(row.kind, row.origin.host, chosen.origin.host)
    return reason or f"built by another compiler: {row.compiler}"


def _counted(reasons: Sequence[str]) -> list[Apart]:
    """Each reason once, with how often it applies."""
    return [Apart(reasons.count(reason), reason) for reason in dict.fromkeys(reasons)]


def _unusable(rows: Sequence[_Row]) -> tuple[Apart, ...]:
    nowhere = sum(not row.commit for row in rows)
    dirty = sum(bool(row.commit and row.dirty) for row in rows)
    found = (Apart(nowhere, "no commit is known"), Apart(dirty, "the files differed from the commit"))
    return tuple(one for one in found if one.count)
