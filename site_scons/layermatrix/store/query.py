"""The figures of a store as flat rows, with everything that is known about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from layermatrix.core.errors import SelectionError, hint_for, quote
from layermatrix.core.host import Host
from layermatrix.model.patterns import match_any, matches
from layermatrix.store import comparable
from layermatrix.store.database import Row, Store, Value

# The columns of an export: name -> what stands in the tables.
COLUMNS = {
    "run": "runs.key",
    "job": "runs.job",
    "started": "runs.started",
    "finished": "runs.finished",
    "commit": "runs.commit_hash",
    "commit_time": "runs.commit_time",
    "dirty": "runs.dirty",
    "command": "runs.command",
    "seed": "runs.seed",
    "conditions": "runs.conditions",
    "cpu": "machines.cpu",
    "cpu_flags": "machines.cpu_flags",
    "cores": "machines.cores",
    "architecture": "machines.architecture",
    "kernel": "machines.kernel",
    "libc": "machines.libc",
    "python": "machines.python",
    "machine": "machines.identity",
    "subject": "subjects.name",
    "source": "subjects.source",
    "variant": "subjects.variant",
    "mode": "subjects.mode",
    "compiler": "subjects.compiler",
    "sanitizer": "subjects.sanitizer",
    "target": "subjects.target",
    "axes": "subjects.axes",
    "library_digest": "subjects.library_digest",
    "compiler_version": "subjects.compiler_version",
    "load": "figures.load",
    "figure": "figures.figure",
    "unit": "figures.unit",
    "better": "figures.better",
    "kind": "figures.kind",
    "load_digest": "figures.load_digest",
    "median": "figures.median",
    "low": "figures.low",
    "high": "figures.high",
    "samples": "figures.samples",
}
_FROM = """
FROM figures
JOIN runs ON runs.id = figures.run
JOIN subjects ON subjects.id = figures.subject
JOIN machines ON machines.id = runs.machine
"""
_ORDER = "ORDER BY runs.started, runs.id, subjects.name, figures.load, figures.figure"
# The columns of a `Host`, in the order of its fields.
HOST = ", ".join(f"machines.{part.name}" for part in fields(Host))
# What a filter compares: the name of the filter -> the column of names.
NAMES = {
    "load": "SELECT DISTINCT load FROM figures",
    "figure": "SELECT DISTINCT figure FROM figures",
    "variant": "SELECT DISTINCT CASE source WHEN 'cell' THEN variant ELSE name END FROM subjects",
}
_FILTERED = {
    "load": "figures.load",
    "figure": "figures.figure",
    "variant": "CASE subjects.source WHEN 'cell' THEN subjects.variant ELSE subjects.name END",
}


@dataclass(frozen=True)
class Filter:
    """The rows to show. Names, comma lists and patterns; empty: all. variant: also names of libraries that
    are not variants. since: runs that started then or later, UTC, as 2026-01-31 or longer."""

    load: str = ""
    variant: str = ""
    figure: str = ""
    since: str = ""


def names(store: Store, what: str) -> tuple[str, ...]:
    """The names that a filter can select in this store."""
    return tuple(sorted(str(name) for (name,) in store.rows(NAMES[what]) if name))


def choose(store: Store, what: str, text: str) -> tuple[str, ...]:
    """The names that a text selects: names, comma lists, patterns. Raises SelectionError for one that
    selects none."""
    known = names(store, what)
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not any(matches(name, word.removeprefix("!")) for name in known):
            hint = hint_for(word, known) or f"nothing is recorded in {store.path}"
            raise SelectionError(f"{what}=: nothing recorded has the {what} {quote(word)}; {hint}")
    return tuple(name for name in known if match_any([name], words))


def rows(store: Store, wanted: Filter) -> list[Row]:
    """The rows in the order of the runs; each has the values of `COLUMNS`."""
    conditions, values = ["runs.started >= ?"], [wanted.since]
    for what, column in _FILTERED.items():
        text = getattr(wanted, what)
        if text:
            chosen = choose(store, what, text)
            conditions.append(f"{column} IN ({_marks(chosen)})")
            values += chosen
    selected = ", ".join(COLUMNS.values())
    return store.rows(f"SELECT {selected} {_FROM} WHERE {' AND '.join(conditions)} {_ORDER}", values)


def _marks(chosen: Sequence[Value]) -> str:
    return ", ".join("?" for _ in chosen)


class SubjectRow(NamedTuple):
    """A subject that is recorded. variant: the name of a library that is not a variant."""

    name: str
    variant: str
    mode: str
    compiler: str
    sanitizer: str
    target: str


def recorded(store: Store, commit: str, subject: str, here: Host) -> set[str]:
    """The kinds of figures of loads that are recorded of a subject at a commit, and that figures of this host
    can be compared with."""
    found = store.rows(
        f"SELECT DISTINCT figures.kind, {HOST} {_FROM} "
        "WHERE runs.commit_hash = ? AND runs.dirty = 0 AND subjects.name = ? AND figures.load <> ''",
        (commit, subject),
    )
    hosts = [(str(kind), Host(*values)) for kind, *values in found]  # type: ignore[arg-type]
    return {kind for kind, host in hosts if comparable.why_other_host(kind, host, here) is None}


def subjects(store: Store) -> list[SubjectRow]:
    """Every subject, each once."""
    columns = f"name, {_FILTERED['variant']}, mode, compiler, sanitizer, target"
    found = store.rows(f"SELECT DISTINCT {columns} FROM subjects ORDER BY name")
    return [SubjectRow(*(str(value) for value in row)) for row in found]
