"""Which points of a history were timed on a busy machine: the marks of their runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from layermatrix.core import records
from layermatrix.evidence.conditions import Conditions
from layermatrix.store.database import Store
from layermatrix.store.history import Point

_RUNS = """
SELECT runs.commit_hash, figures.median, runs.conditions
FROM subjects
CROSS JOIN figures ON figures.subject = subjects.id
JOIN runs ON runs.id = figures.run
WHERE subjects.name = :subject AND figures.figure = :figure AND figures.load = :load
  AND figures.kind = 'timed' AND NOT runs.dirty
ORDER BY runs.started, runs.id
"""


def marks(store: Store, points: Sequence[Point], *, load: str, subject: str, figure: str) -> dict[str, str]:
    """Commit -> the mark of the run of its point; only those on a busy machine. Counts have none."""
    shown = {(point.commit, point.median) for point in points}
    rows = store.rows(_RUNS, {"load": load, "subject": subject, "figure": figure})
    found = {
        str(commit): _mark(str(conditions))
        for commit, median, conditions in rows
        if (commit, median) in shown
    }
    return {commit: mark for commit, mark in found.items() if mark}


def _mark(text: str) -> str:
    """The mark of a run, from its conditions in the store; empty if the machine was quiet or not watched."""
    timing = json.loads(text).get("timing")
    try:
        return records.parse(Conditions, json.dumps(timing)).mark if timing else ""
    except ValueError:
        return ""  # written by another version, whose conditions have other fields
