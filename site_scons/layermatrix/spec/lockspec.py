"""The file variants/counters.lock: what each load cost in each cell when somebody accepted it.

Reads and prints it. The text is sorted, and has a line for each load of a cell, so that a change of one is a
change of one line; whoever edits it by hand is told where it is wrong.
"""

# ruff: noqa: RUF009  `key` makes a dataclass field, which ruff cannot know

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core.errors import Report
from layermatrix.spec.matrixspec import METRICS
from layermatrix.spec.schema import ListOf, MapOf, Number, OneOf, Placed, Record, Shape, Text, key
from layermatrix.spec.shapes import MODES, NAME, load

FILE = Path("variants/counters.lock")
DIGITS = 3
IDENTITY = Text("one line", r"[^\n\r\t]+")
FIGURE = Number(-1e9, 1e9)
HEAD = """\
# What an operation of each load costs in each cell, the benchmark's own share taken off. `./sconsw counters`
# compares with it, `./sconsw counters --accept` writes it: commit it with the change that moved a figure.
#
# A figure may grow by the `percent` or by the `soft` of its limits in variants/matrix.yaml, whichever is
# more, but by no more than `hard`. Other compilers, C libraries, valgrinds and caches have figures of their
# own; where a machine has none, its cells are reported as new. args: a digest of program and arguments.
"""


@dataclass(frozen=True, order=True)
class Machine:
    """What makes figures comparable: all of it has to be the same."""

    compiler: str
    libc: str
    valgrind: str
    caches: str


@dataclass(frozen=True)
class Accepted:
    """One load in one cell. figures: by name, an operation."""

    args: str
    figures: Mapping[str, float]


@dataclass(frozen=True, order=True)
class Place:
    """Where figures belong."""

    machine: Machine
    variant: str
    mode: str
    load: str


Lock = Mapping[Place, Accepted]


# --- reading


@dataclass(frozen=True)
class AcceptedSpec(Shape):
    """A field for each of METRICS."""

    args: Placed[str] = key(Text("eight hexadecimal digits in quotes", r"[0-9a-f]{8}"))
    instructions: Placed[float] = key(FIGURE)
    i1_misses: Placed[float] = key(FIGURE)
    d1_misses: Placed[float] = key(FIGURE)
    ll_misses: Placed[float] = key(FIGURE)
    branches: Placed[float] = key(FIGURE)
    mispredicted: Placed[float] = key(FIGURE)

    def accepted(self) -> Accepted:
        return Accepted(self.args.value, {name: getattr(self, name).value for name in METRICS})


_LOADS = MapOf(NAME, Record(AcceptedSpec), "load")
_MODES = MapOf(OneOf(*MODES), _LOADS, "mode")


@dataclass(frozen=True)
class MachineSpec(Shape):
    """The figures of one machine: variant -> mode -> load."""

    compiler: Placed[str] = key(IDENTITY)
    libc: Placed[str] = key(IDENTITY)
    valgrind: Placed[str] = key(IDENTITY)
    caches: Placed[str] = key(IDENTITY)
    variants: tuple[
        tuple[
            Placed[str],
            tuple[tuple[Placed[str], tuple[tuple[Placed[str], AcceptedSpec | None], ...] | None], ...] | None,
        ],
        ...,
    ] = key(MapOf(NAME, _MODES, "variant"))

    def machine(self) -> Machine:
        return Machine(self.compiler.value, self.libc.value, self.valgrind.value, self.caches.value)

    def entries(self) -> Iterator[tuple[Place, Accepted]]:
        machine = self.machine()
        for variant, modes in self.variants:
            for mode, loads in modes or ():
                for name, spec in loads or ():
                    if spec:
                        yield Place(machine, variant.value, mode.value, name.value), spec.accepted()


@dataclass(frozen=True)
class LockSpec(Shape):
    references: tuple[MachineSpec, ...] = key(ListOf(Record(MachineSpec)))

    def check(self, report: Report) -> Iterable[str]:
        seen: dict[Machine, int] = {}
        for spec in self.references:
            if not spec.sound():
                continue
            if spec.machine() in seen:
                report.error(
                    spec.place, "this machine is here twice", f"first on line {seen[spec.machine()]}"
                )
            seen.setdefault(spec.machine(), spec.place.line)
        return ()


_LOCK = Record(LockSpec)


def read(root: Path) -> dict[Place, Accepted]:
    """What the project's lock holds; nothing, where it has none. SpecErrors with every mistake."""
    if not (root / FILE).exists():
        return {}
    report = Report()
    spec = load(_LOCK, root / FILE, FILE.as_posix(), report)
    report.raise_if_any()
    assert spec is not None
    return {place: accepted for machine in spec.references for place, accepted in machine.entries()}


# --- printing


def render(lock: Lock) -> str:
    """The text of the file."""
    lines = [HEAD + "references:" + ("" if lock else " []")]
    last: tuple[object, ...] = (None, None, None)
    for place in sorted(lock):
        now = (place.machine, place.variant, place.mode)
        lines += _headings(last, now)
        lines.append(f"        {place.load}: {_line(lock[place])}")
        last = now
    return "\n".join(lines) + "\n"


def _headings(last: tuple[object, ...], now: tuple[Machine, str, str]) -> Iterator[str]:
    """The lines that lead to the next figures."""
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
