"""Compare the current cost of an operation with the accepted cost, and accept new costs.

Reads the evidence `counters` of cells and the lock (`lockspec`). A verdict is "within limits", "better",
"worse", "new" (no accepted figure to compare with), or "not measured" (the load could not be counted now).
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core import records
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.counters import CountedLoad, Counters
from layermatrix.model.measuring import METRICS
from layermatrix.spec import lockspec
from layermatrix.spec.lockspec import Accepted, Lock, Machine, Place

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Limit


class Verdict(Enum):
    """The verdict about a figure, a load, or all loads of a cell; the most serious one first."""

    WORSE = "worse"
    MISSED = records.NOT_MEASURED
    NEW = "new"
    BETTER = "better"
    WITHIN = "within limits"


BAD = (Verdict.WORSE, Verdict.MISSED)
NOISE = {"instructions": 0.005, "branches": 0.0025}  # variation between two runs
OTHER_NOISE = 0.0015


@dataclass(frozen=True)
class ComparedFigure:
    """A figure: the accepted value and the current one. allowed: its permitted growth; None for no limit."""

    old: float
    new: float
    allowed: float | None
    verdict: Verdict


@dataclass(frozen=True)
class ComparedLoad:
    verdict: Verdict
    reason: str | None
    figures: Mapping[str, ComparedFigure]


@dataclass(frozen=True)
class ComparedCell(Measured):
    """A cell's counters compared with the accepted ones."""

    verdict: Verdict
    loads: Mapping[str, ComparedLoad]


@dataclass(frozen=True)
class Reference:
    """The accepted costs of the project. compilers: name -> identity. trouble: the reason why the lock cannot
    be used."""

    lock: Lock
    compilers: Mapping[str, str]
    limits: Mapping[str, Limit]
    trouble: str | None = None

    def of(self, cell: Cell, counters: Counters | NotMeasured) -> ComparedCell | NotMeasured:
        """A cell's counters, compared."""
        if self.trouble:
            return NotMeasured(self.trouble)
        if isinstance(counters, NotMeasured):
            return counters
        places = self.places(cell, counters)
        loads = {name: self._load(place, counters.loads[name]) for name, place in places.items()}
        return ComparedCell(gravest(load.verdict for load in loads.values()), loads)

    def places(self, cell: Cell, counters: Counters) -> dict[str, Place]:
        """The place in the lock of the figures of each counted load."""
        machine = Machine(
            compiler=self.compilers[cell.compiler],
            libc=counters.libc,
            valgrind=counters.valgrind,
            caches=caches(counters.cache),
        )
        return {name: Place(machine, cell.variant.name, cell.mode, name) for name in counters.loads}

    def _load(self, place: Place, counted: CountedLoad | NotMeasured) -> ComparedLoad:
        if isinstance(counted, NotMeasured):
            return ComparedLoad(Verdict.MISSED, counted.reason, {})
        accepted = self.lock.get(place)
        if accepted is None:
            return ComparedLoad(Verdict.NEW, self._why_new(place), {})
        if accepted.args != counted.args:
            return ComparedLoad(Verdict.NEW, "the reference is for other arguments", {})
        figures = {
            name: _figure(accepted.figures[name], counted.per_op[name], self.limits.get(name))
            for name in METRICS
        }
        return ComparedLoad(gravest(figure.verdict for figure in figures.values()), None, figures)

    def _why_new(self, place: Place) -> str:
        if all(known.machine != place.machine for known in self.lock):
            return "no reference for this machine"
        if all((known.machine, known.variant) != (place.machine, place.variant) for known in self.lock):
            return "no reference for this variant"
        return "no reference for this load"


def _figure(old: float, new: float, limit: Limit | None) -> ComparedFigure:
    new = round(new, lockspec.DIGITS)  # like the accepted one
    allowed = None if limit is None else min(limit.hard, max(limit.soft, abs(old) * limit.percent / 100))
    verdict = Verdict.WITHIN
    if allowed is not None and abs(new - old) > allowed:
        verdict = Verdict.WORSE if new > old else Verdict.BETTER
    return ComparedFigure(old, new, allowed, verdict)


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """The combined verdict."""
    found = set(verdicts)
    return next((verdict for verdict in Verdict if verdict in found), Verdict.MISSED)


def caches(shapes: Mapping[str, Iterable[int]]) -> str:
    """The simulated caches as one line: size in bytes, ways, bytes per line."""
    return ", ".join(f"{name} {'/'.join(map(str, shape))}" for name, shape in shapes.items())


# --- accepting


def accepted(
    reference: Reference, counted: Iterable[tuple[Cell, Counters | NotMeasured]], known: Known
) -> dict[Place, Accepted]:
    """The lock with the current costs of these cells. Figures that no machine can need any more are removed.
    Other figures that were not counted now stay."""
    lock = {place: was for place, was in reference.lock.items() if known.has(place)}
    for cell, counters in counted:
        if isinstance(counters, NotMeasured):
            continue
        for name, place in reference.places(cell, counters).items():
            load = counters.loads[name]
            if isinstance(load, CountedLoad):
                lock[place] = _accepted(lock.get(place), load)
    return lock


def _accepted(was: Accepted | None, counted: CountedLoad) -> Accepted:
    """The current cost of a load. A figure within its tolerance keeps its accepted value: a diff then shows
    only real changes, and many small changes add up instead of being accepted one by one."""
    figures = {metric: round(counted.per_op[metric], lockspec.DIGITS) for metric in METRICS}
    for metric, old in was.figures.items() if was and was.args == counted.args else ():
        if abs(figures[metric] - old) <= NOISE.get(metric, OTHER_NOISE):
            figures[metric] = old
    return Accepted(counted.args, figures)


@dataclass(frozen=True)
class Known:
    """The current spec: the variants, the counted loads, and the simulated caches."""

    variants: Collection[str]
    loads: Collection[str]
    caches: str

    def has(self, place: Place) -> bool:
        """Whether a machine may still need these figures."""
        return (
            place.variant in self.variants
            and place.load in self.loads
            and place.machine.caches == self.caches
        )


def write(root: Path, lock: Lock) -> str:
    """Write the lock atomically. Returns the change as a unified diff, which may be empty."""
    file = root / lockspec.FILE
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    after = lockspec.render(lock)
    if before != after:
        records.write_text(file, after)
    name = lockspec.FILE.as_posix()
    return "".join(
        difflib.unified_diff(before.splitlines(True), after.splitlines(True), f"a/{name}", f"b/{name}", n=1)
    )
