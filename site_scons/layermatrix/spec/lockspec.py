"""The file variants/counters.lock: the accepted cost of each load in each cell.

Reads and prints the file. The text is sorted and has one line for each load of a cell, so that one changed
load changes one line. If a manual edit is invalid, the error shows its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from layermatrix.core.command import scons
from layermatrix.core.errors import Report
from layermatrix.core.kinds import Name, PlainLine, Text, number
from layermatrix.model.measuring import METRICS
from layermatrix.model.system import Mode
from layermatrix.spec import reading

FILE = Path("variants/counters.lock")
DIGITS = 3
Figure = Annotated[float, number(-1e9, 1e9)]
Digest = Annotated[str, Text("eight hexadecimal digits in quotes", r"[0-9a-f]{8}")]
HEAD = """\
# What an operation of each load costs in each cell, the benchmark's own share taken off. `{command} counters`
# compares with it, `{command} counters --accept` writes it: commit it with the change that moved a figure.
#
# A figure may grow by the `percent` or by the `soft` of its limits in variants/matrix.yaml, whichever is
# more, but by no more than `hard`. Other compilers, C libraries, valgrinds and caches have figures of their
# own; where a machine has none, its cells are reported as new. args: a digest of program and arguments.
"""


@dataclass(frozen=True, order=True)
class Machine:
    """The conditions of a measurement. Figures are comparable only if all conditions are equal."""

    compiler: str
    libc: str
    valgrind: str
    caches: str


@dataclass(frozen=True)
class Accepted:
    """The cost of one load in one cell. figures: name -> count per operation."""

    args: str
    figures: Mapping[str, float]


@dataclass(frozen=True, order=True)
class Place:
    """The place of figures in the file."""

    machine: Machine
    variant: str
    mode: str
    load: str


Lock = Mapping[Place, Accepted]


# --- reading


@dataclass(frozen=True)
class AcceptedSpec:
    """A record with one field for each of METRICS."""

    args: Digest
    instructions: Figure
    i1_misses: Figure
    d1_misses: Figure
    ll_misses: Figure
    branches: Figure
    mispredicted: Figure

    def accepted(self) -> Accepted:
        return Accepted(self.args, {name: getattr(self, name) for name in METRICS})


@dataclass(frozen=True)
class MachineSpec:
    """The figures of one machine: variant -> mode -> load."""

    compiler: PlainLine
    libc: PlainLine
    valgrind: PlainLine
    caches: PlainLine
    variants: Mapping[Name, Mapping[Mode, Mapping[Name, AcceptedSpec]]]

    def machine(self) -> Machine:
        return Machine(self.compiler, self.libc, self.valgrind, self.caches)

    def entries(self) -> dict[Place, Accepted]:
        return {
            Place(self.machine(), variant, mode, name): spec.accepted()
            for variant, modes in self.variants.items()
            for mode, loads in modes.items()
            for name, spec in loads.items()
        }


@dataclass(frozen=True)
class LockSpec:
    references: tuple[MachineSpec, ...]


def read(root: Path) -> dict[Place, Accepted]:
    """Read the project's lock; empty if there is none. Raises SpecErrors with every mistake."""
    if not (root / FILE).exists():
        return {}
    report = Report()
    document = reading.Document(root, FILE.as_posix(), report)
    spec = reading.read(LockSpec, document)
    if document.sound():
        _refuse_repetition(spec, document)
    report.raise_if_any()
    return {place: one for machine in spec.references for place, one in machine.entries().items()}


def _refuse_repetition(spec: LockSpec, document: reading.Document) -> None:
    seen: dict[Machine, int] = {}
    for index, one in enumerate(spec.references):
        line = document.place("references", index).line
        if one.machine() in seen:
            what = "this machine is here twice"
            document.error(("references", index), what, f"first on line {seen[one.machine()]}")
        seen.setdefault(one.machine(), line)


# --- printing


def render(lock: Lock) -> str:
    """The text of the file."""
    lines = [HEAD.format(command=scons()) + "references:" + ("" if lock else " []")]
    last: tuple[object, ...] = (None, None, None)
    for place in sorted(lock):
        now = (place.machine, place.variant, place.mode)
        lines += _headings(last, now)
        lines.append(f"        {place.load}: {_line(lock[place])}")
        last = now
    return "\n".join(lines) + "\n"


def _headings(last: tuple[object, ...], now: tuple[Machine, str, str]) -> Iterator[str]:
    """The lines that introduce the next figures."""
    machine, variant, mode = now
    if last[0] != machine:
        for index, (name, value) in enumerate(vars(machine).items()):
            yield f"{'  ' if index else '- '}{name}: {json.dumps(value)}"
        yield "  variants:"
    if last[:2] != now[:2]:
        yield f"    {variant}:"
    if last != now:
        yield f"      {mode}:"


def _line(accepted: Accepted) -> str:
    figures = [f"{name}: {accepted.figures[name] + 0.0:.{DIGITS}f}" for name in METRICS]
    return f"{{args: {json.dumps(accepted.args)}, {', '.join(figures)}}}"
