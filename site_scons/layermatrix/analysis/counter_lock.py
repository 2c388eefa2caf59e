"""Compare what an operation costs now with what was accepted, and accept what it costs.

Reads the records `counters` of cells and the lock (`lockspec`); returns the record `reference` of each cell.
A verdict is "kept", "better", "worse", "new" where nothing was accepted that could be compared with, or "not
measured" where the load could not be counted now.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.core import records
from layermatrix.model.measuring import METRICS
from layermatrix.spec import lockspec
from layermatrix.spec.lockspec import Accepted, Lock, Machine, Place

if TYPE_CHECKING:
    from layermatrix.model.measuring import Limit

Record = dict[str, Any]

KEPT, BETTER, WORSE, NEW, MISSED = "kept", "better", "worse", "new", records.NOT_MEASURED
GRAVEST_FIRST = (WORSE, MISSED, NEW, BETTER, KEPT)
BROKEN = (WORSE, MISSED)
NOISE = {"instructions": 0.005, "branches": 0.0025}  # by which one run differs from the next
OTHER_NOISE = 0.0015


@dataclass(frozen=True)
class Reference:
    """What every cell of this project is compared with. compilers: name -> identity; trouble: why the lock
    cannot be used."""

    lock: Lock
    compilers: Mapping[str, str]
    limits: Mapping[str, Limit]
    trouble: str | None = None

    def of(self, cell: Record) -> Record:
        """The record `reference` of a cell's record."""
        counters = cell["counters"]
        if self.trouble:
            return records.not_measured("reference", self.trouble)
        if not records.is_measured(counters):
            return records.not_measured("reference", counters["reason"])
        loads = {
            name: self._load(place, counters["loads"][name]) for name, place in self.places(cell).items()
        }
        return records.measured("reference", verdict=gravest(loads), loads=loads)

    def places(self, cell: Record) -> dict[str, Place]:
        """Where the figures of each load that was counted belong."""
        counters = cell["counters"]
        machine = Machine(
            compiler=self.compilers[cell["compiler"]],
            libc=counters["libc"],
            valgrind=counters["valgrind"],
            caches=caches(counters["cache"]),
        )
        return {name: Place(machine, cell["variant"], cell["mode"], name) for name in counters["loads"]}

    def _load(self, place: Place, counted: Record) -> Record:
        if not records.is_measured(counted):
            return {"verdict": MISSED, "reason": counted["reason"], "figures": {}}
        accepted = self.lock.get(place)
        if accepted is None:
            return {"verdict": NEW, "reason": self._why_new(place), "figures": {}}
        if accepted.args != counted["args"]:
            return {"verdict": NEW, "reason": "the reference is for other arguments", "figures": {}}
        figures = {
            name: _figure(accepted.figures[name], counted["per_op"][name], self.limits.get(name))
            for name in METRICS
        }
        return {"verdict": gravest(figures), "reason": None, "figures": figures}

    def _why_new(self, place: Place) -> str:
        if all(known.machine != place.machine for known in self.lock):
            return "no reference for this machine"
        if all((known.machine, known.variant) != (place.machine, place.variant) for known in self.lock):
            return "no reference for this variant"
        return "no reference for this load"


def _figure(old: float, new: float, limit: Limit | None) -> Record:
    """allowed: by how much it may grow; None where it has no limits."""
    new = round(new, lockspec.DIGITS)  # as the old one is
    allowed = None if limit is None else min(limit.hard, max(limit.soft, abs(old) * limit.percent / 100))
    verdict = KEPT
    if allowed is not None and abs(new - old) > allowed:
        verdict = WORSE if new > old else BETTER
    return {"old": old, "new": new, "allowed": allowed, "verdict": verdict}


def gravest(items: Mapping[str, Record]) -> str:
    """The verdict on all of them."""
    verdicts = {item["verdict"] for item in items.values()}
    return next((verdict for verdict in GRAVEST_FIRST if verdict in verdicts), MISSED)


def caches(shapes: Mapping[str, Iterable[int]]) -> str:
    """The simulated caches in a line: bytes, ways, bytes of a line."""
    return ", ".join(f"{name} {'/'.join(map(str, shape))}" for name, shape in shapes.items())


# --- accepting


def accepted(reference: Reference, cells: Iterable[Record], known: Known) -> dict[Place, Accepted]:
    """The lock with what these cells cost now. What no machine can ask for any more is gone; everything
    else that was not counted now stays."""
    lock = {place: was for place, was in reference.lock.items() if known.has(place)}
    for cell in cells:
        if not records.is_measured(cell["counters"]):
            continue
        for name, place in reference.places(cell).items():
            counted = cell["counters"]["loads"][name]
            if records.is_measured(counted):
                lock[place] = _accepted(lock.get(place), counted)
    return lock


def _accepted(was: Accepted | None, counted: Record) -> Accepted:
    """What a load costs now. A figure that has not moved stays as it was, so that a diff shows what has; and
    many small steps are not lost, as each is compared with the first."""
    figures = {metric: round(counted["per_op"][metric], lockspec.DIGITS) for metric in METRICS}
    for metric, old in was.figures.items() if was and was.args == counted["args"] else ():
        if abs(figures[metric] - old) <= NOISE.get(metric, OTHER_NOISE):
            figures[metric] = old
    return Accepted(counted["args"], figures)


@dataclass(frozen=True)
class Known:
    """What the spec has today: the variants, the loads that are counted, and the simulated caches."""

    variants: Collection[str]
    loads: Collection[str]
    caches: str

    def has(self, place: Place) -> bool:
        """Whether some machine may still ask for these figures."""
        return (
            place.variant in self.variants
            and place.load in self.loads
            and place.machine.caches == self.caches
        )


def write(root: Path, lock: Lock) -> str:
    """Write the lock, at once or not at all; returns what changed as a unified diff, or nothing."""
    file = root / lockspec.FILE
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    after = lockspec.render(lock)
    if before != after:
        records.write_text(file, after)
    name = lockspec.FILE.as_posix()
    return "".join(
        difflib.unified_diff(before.splitlines(True), after.splitlines(True), f"a/{name}", f"b/{name}", n=1)
    )
