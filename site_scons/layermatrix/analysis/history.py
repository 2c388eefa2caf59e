"""The history of a report's cells: the series of the store that the report shows.

Reads the store; returns `Recorded`s, or the reason why there are none. The report shows each cell's
instructions and speed, with the loads that have the longest series.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core.command import scons
from layermatrix.core.records import Missing, NotMeasured

if TYPE_CHECKING:
    from layermatrix.store.database import Store
    from layermatrix.store.history import Entry, History

FIGURES = ("instructions", "speed")
LOADS = 3  # of each figure
FEWEST = 2  # commits; one is not a history


@dataclass(frozen=True)
class Recorded:
    """A series of the store, with what it is about. busy: commit -> the mark of its timing, if the machine
    was busy."""

    entry: Entry
    history: History
    busy: Mapping[str, str] = field(default_factory=dict)


def collect(file: Path, cells: Collection[str], headline: str | None) -> tuple[Recorded, ...] | NotMeasured:
    """The series of these cells. headline: the load that stands first."""
    from layermatrix.store import database

    hint = f"{scons('history', 'commits=10')} measures the last ten commits"
    if not file.is_file():
        return Missing(f"there is no store of results yet; {hint}")
    try:
        with database.readable(file) as store:
            found = _read(store, cells, headline)
    except database.StoreError as error:
        return NotMeasured(str(error))
    return found or NotMeasured(f"fewer than {FEWEST} commits are recorded of these cells; {hint}")


def _read(store: Store, cells: Collection[str], headline: str | None) -> tuple[Recorded, ...]:
    from layermatrix.store import history

    known = [
        entry
        for entry in history.catalogue(store)
        if entry.subject in cells and entry.figure in FIGURES and entry.commits >= FEWEST
    ]
    chosen = [entry for figure in FIGURES for entry in _of_figure(known, figure, headline)]
    series = (_recorded(store, entry) for entry in chosen)
    return tuple(one for one in series if len(one.history.points) >= FEWEST)


def _recorded(store: Store, entry: Entry) -> Recorded:
    from layermatrix.store import busy, history

    of = {"load": entry.load, "subject": entry.subject, "figure": entry.figure}
    found = history.history(store, **of)
    return Recorded(entry, found, busy.marks(store, found.points, **of))


def _of_figure(known: Sequence[Entry], figure: str, headline: str | None) -> list[Entry]:
    """The entries of a figure with the loads that are shown, load by load."""
    entries = [entry for entry in known if entry.figure == figure and entry.load]
    longest = {load: max(one.commits for one in entries if one.load == load) for load in _loads(entries)}
    loads = sorted(longest, key=lambda load: (load != headline, -longest[load]))[:LOADS]
    return [entry for load in loads for entry in entries if entry.load == load]


def _loads(entries: Sequence[Entry]) -> dict[str, None]:
    return dict.fromkeys(entry.load for entry in entries)
