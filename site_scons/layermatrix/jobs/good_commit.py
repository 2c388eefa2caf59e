"""Where `bisect` without `good=` looks for a commit whose figure differs from that of the bad end.

First the store: commits at which it has recorded the figure. Then steps back along the first parents, each
twice as long as the one before. Asks git and reads the store; the caller measures the candidates in order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.jobs import commits

LIMIT = 128  # commits that the longest step goes back: 8 builds
# The figure that decides -> its name in the store.
STORED = {
    "instructions": "instructions",
    "misses": "l1_misses",
    "mispredictions": "mispredictions",
    "speed": "speed",
}


@dataclass(frozen=True)
class Candidate:
    """A commit that may be the good end. why: where it comes from, in words."""

    commit: str
    why: str


@dataclass(frozen=True)
class Wanted:
    """The figures of a cell with some loads whose move is searched. bad: the full hash of the bad end."""

    bad: str
    cell: str
    figures: Sequence[str]
    loads: Sequence[str]


def candidates(root: Path, store: Path, wanted: Wanted) -> list[Candidate]:
    """The commits to measure, in this order; empty if no commit before the bad end touched the build."""
    touched = commits.touching(root, wanted.bad)[: LIMIT + 1]
    if len(touched) < 2:
        return []
    line = commits.first_parents(root, wanted.bad)
    older = line[line.index(touched[0]) + 1 :]  # from here on, files of the build may differ from the bad end
    found: dict[str, Candidate] = {}
    for one in (*_recorded(store, wanted, older), *_steps(touched)):
        found.setdefault(one.commit, one)
    return list(found.values())


def _steps(touched: Sequence[str]) -> Iterator[Candidate]:
    """The commits 1, 2, 4, 8... places before the bad end, and the oldest one."""
    step, last = 1, len(touched) - 1
    while step < last:
        yield Candidate(touched[step], f"{step} back")
        step *= 2
    yield Candidate(touched[last], f"{last} back")


def _recorded(store: Path, wanted: Wanted, older: Sequence[str]) -> Iterator[Candidate]:
    """From the store's history of each figure: the latest recorded commit, which tells whether the figure has
    moved since, and the last commit before its latest change."""
    places = {commit: place for place, commit in enumerate(older)}
    found: dict[str, str] = {}
    for figure, load, latest, before in _histories(store, wanted, {*older, wanted.bad}):
        if latest in places:
            found.setdefault(latest, f"the store has its {figure} of {load}")
        if before is not None and before in places:
            found[before] = f"in the store, {figure} of {load} changed after it"
    for commit in sorted(found, key=places.__getitem__):
        yield Candidate(commit, found[commit])


def _histories(
    file: Path, wanted: Wanted, known: Collection[str]
) -> Iterator[tuple[str, str, str, str | None]]:
    """Figure, load, latest commit, and the last commit before the latest change, of each recorded history.
    Without a store that can be read, there are none: the steps find a commit, too."""
    from layermatrix.store import database, history

    try:
        with database.readable(file) as store:
            for figure in wanted.figures:
                for load in wanted.loads:
                    found = history.history(
                        store, load=load, subject=wanted.cell, figure=STORED[figure], commits=known
                    )
                    changes = [point.change for point in found.points if point.change]
                    before = changes[-1].since if changes else None
                    if found.points:
                        yield figure, load, found.points[-1].commit, before
    except database.StoreError:
        return
