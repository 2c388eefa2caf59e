"""Evidence `layers`: the requests, hits and moves of each layer in a load, and their cost.

Runs a benchmark program twice. The first run uses a library whose layers count; the library writes the counts
as JSON at exit (`check_counts` defines their form). The second run uses the library without counters under
Valgrind, to count the instructions in each layer's lines.

The library itself aborts if its counts do not add up. This module checks the sums again, so that no figure
comes from wrong counts.
"""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.build.step import Task
from layermatrix.core import library_use, process
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence.binary import lines
from layermatrix.evidence.binary.counts import FRAME
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Figure, FigureKind, Heading, View
from layermatrix.evidence.kind import Check, Inputs, Kind, Status
from layermatrix.evidence.tools import linecost, load_commands

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

Counts = dict[str, Any]  # the JSON that a library wrote, once `check_counts` has passed it
OwnerOf = Callable[[str, int], str | None]  # file and line -> layer, `frame`, or None: neither

ELSEWHERE = "elsewhere"
COUNTERS = ("entries", "hits", "misses", "offered", "accepted", "refused", "held", "peak")
# our name -> the direction and the purpose of a move
MOVES = {
    "refilled": ("in", "refill"),
    "topped_up": ("in", "top_up"),
    "taken_in": ("in", "spill"),
    "handed_up": ("out", "top_up"),
    "spilled": ("out", "spill"),
    "drained": ("out", "drain"),
}


class CountsError(ValueError):
    """The counts cannot be used; str() is the reason."""


@dataclass(frozen=True)
class Instructions(Measured):
    """Instructions per request, by layer. They include the request's frees and the slow paths."""

    layers: Mapping[str, float]
    frame: float
    elsewhere: float
    total: float


@dataclass(frozen=True)
class LayerCounts:
    """The counts of one layer in one load, in blocks; held_bytes and peak_bytes in bytes. hit_rate: hits per
    entry. share: hits per request of the load. kept_rate: accepted offers per offer. A rate is None if its
    denominator is 0. classes: class -> counter -> blocks, for the classes that reached the layer."""

    entries: int
    hits: int
    misses: int
    offered: int
    accepted: int
    refused: int
    hit_rate: float | None
    share: float | None
    kept_rate: float | None
    refilled: int
    topped_up: int
    taken_in: int
    handed_up: int
    spilled: int
    drained: int
    held_bytes: int
    peak_bytes: int
    classes: Mapping[str, Mapping[str, int]]

    @property
    def handled(self) -> int:
        """The number of times that the layer handled a block."""
        moved = (self.refilled, self.topped_up, self.taken_in, self.handed_up, self.spilled, self.drained)
        return self.entries + self.offered + sum(moved)


@dataclass(frozen=True)
class LoadCounts:
    """The counts of all layers in one load."""

    requests: int
    frees: int
    unserved: int
    threads: Mapping[str, int]
    layers: Mapping[str, LayerCounts]
    instructions: Instructions | NotMeasured


@dataclass(frozen=True)
class Layers(Measured):
    """classes: class -> its size in bytes. programs: for each load, whether it ran and its counts add up."""

    layers: tuple[str, ...]
    classes: Mapping[str, int]
    programs: tuple[Check, ...]
    loads: Mapping[str, LoadCounts]


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if cell.counts_layers else "its layers do not count; a cell of another mode has them"


def _declare(build: Builder) -> Inputs:
    loads = [(load.name, load.program, load.counted) for load in build.project.matrix.loads.values()]
    return Inputs(
        [build.libraries[0], build.shipped.libraries[0], build.shipped.origins, *build.benches],
        values=[f"{loads}, valgrind {load_commands.state('valgrind')}"],
    )


def _take(task: Task) -> Layers:
    """Count each load. sources: the shared library whose layers count, the library without counters but with
    line tables, the header lines of each layer, and the benchmark programs."""
    counting, shipped, origins, *programs = task.sources
    stats = task.variant.system.stats
    assert stats is not None
    subject = Subject(
        layers=[layer.name for layer in task.variant.layers],
        classes={key.name: key.number("size") for key in task.variant.keys},
        counting=counting,
        variable=stats.env,
        shipped=shipped,
        owner=owner_in(lines.read(origins)),
    )
    commands = load_commands.commands(task.project, task.project.matrix.loads, programs)
    return measure(commands, subject, shutil.which("valgrind"))


def owner_in(origins: lines.Origins) -> OwnerOf:
    """A function that returns the owner of a C line: a layer, or the frame; None outside the generated
    header."""

    def owner(file: str, line: int) -> str | None:
        return origins.layer(file, line) or FRAME if origins.covers(file) else None

    return owner


@dataclass(frozen=True)
class Subject:
    """What is measured. layers: in order. classes: class -> its size in bytes. counting: the library whose
    layers count. variable: the environment variable with the path of its counts. shipped: the library without
    counters. owner: returns the owner of its lines."""

    layers: Sequence[str]
    classes: Mapping[str, int]
    counting: Path
    variable: str
    shipped: Path
    owner: OwnerOf


def measure(
    loads: Mapping[str, Sequence[str]],
    subject: Subject,
    valgrind: str | None,
    *,
    run: process.Run = process.run,
    timeout: float = 600.0,
) -> Layers:
    """Count these loads (name -> command). A failed load is a failed check in `programs`. timeout: seconds
    per run."""
    results, measured = [], {}
    for name, command in loads.items():
        result, load = _load(name, command, subject, valgrind, run, timeout)
        results.append(result)
        if load is not None:
            measured[name] = load
    return Layers(tuple(subject.layers), dict(subject.classes), tuple(results), measured)


def _load(
    name: str,
    command: Sequence[str],
    subject: Subject,
    valgrind: str | None,
    run: process.Run,
    timeout: float,
) -> tuple[Check, LoadCounts | None]:
    shown = shlex.join(command)
    try:
        counts = _count(command, subject, run, timeout)
    except (CountsError, library_use.NotLoadedError) as error:
        return Check(name, Status.FAILED, str(error), log=str(error), command=shown), None
    costs: Instructions | NotMeasured
    try:
        spent = linecost.measure(command, subject.shipped, valgrind, run=run, timeout=timeout)
        costs = _per_request(spent, subject, sum(counts["requests"]))
    except (linecost.LineCostError, library_use.NotLoadedError) as error:
        costs = NotMeasured(str(error))
    return Check(name, Status.PASSED, command=shown), summary(counts, subject, costs)


def _count(command: Sequence[str], subject: Subject, run: process.Run, timeout: float) -> Counts:
    """The checked counts of one run. Raises CountsError."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "counts.json")
        extra = {subject.variable: str(file)}
        finished = library_use.run_with(subject.counting, command, run=run, timeout=timeout, extra=extra)
        if finished.failure:
            raise CountsError(finished.failure)
        try:
            counts = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CountsError(
                f"the library wrote no counts to the file that {subject.variable} names"
            ) from None
        except (OSError, ValueError) as error:
            raise CountsError(f"its counts cannot be read: {error}") from error
    check_counts(counts, subject.layers, list(subject.classes.values()))
    return dict(counts)


def check_counts(counts: object, layers: Sequence[str], sizes: Sequence[int]) -> None:
    """Raise CountsError unless these are counts of these layers and class sizes, and they add up.

    Form: `classes` lists the sizes. `requests`, `unserved`, `frees`, each of a layer's COUNTERS, and each
    purpose of its moves `in` and `out` have one number per class. `threads` has the number of `ended`
    threads, which are counted, and of `running` threads, which are not.
    """
    try:
        assert isinstance(counts, dict)
        found, threads = counts["layers"], counts["threads"]
        numbers = [counts[key] for key in ("requests", "unserved", "frees")]
        for name in layers:
            numbers += [found[name][key] for key in COUNTERS]
            numbers += [moved for way in ("in", "out") for moved in found[name][way].values()]
        numbers.append([threads["ended"], threads["running"]])
        well_formed = all(type(number) is int for row in numbers for number in row)
        well_formed = well_formed and all(len(row) == len(sizes) for row in numbers[:-1])
        is_same = list(found) == list(layers) and counts["classes"] == list(sizes)
    except (AssertionError, KeyError, TypeError, AttributeError) as error:
        raise CountsError(f"its counts are incomplete: {type(error).__name__}: {error}") from error
    if not well_formed:
        raise CountsError("its counts are incomplete: some class has no whole number")
    if not is_same:
        raise CountsError("its counts are of other layers or classes than the variant has")
    for violation in _violations(counts, layers, sizes):
        raise CountsError(f"its counts do not add up: {violation}")


def _violations(counts: Counts, layers: Sequence[str], sizes: Sequence[int]) -> Iterator[str]:
    for index, size in enumerate(sizes):
        where = f"blocks of {size} bytes"
        for name in layers:
            of = {key: counts["layers"][name][key][index] for key in COUNTERS}
            came = of["accepted"] + _moved(counts["layers"][name]["in"], index)
            went = of["hits"] + _moved(counts["layers"][name]["out"], index)
            for first, sign, second, whole in (
                ((of["hits"], "hits"), "+", (of["misses"], "passed on"), (of["entries"], "entries")),
                ((of["accepted"], "accepted"), "+", (of["refused"], "passed on"), (of["offered"], "offered")),
                ((came, "in"), "-", (went, "out"), (of["held"], "held")),
            ):
                if first[0] + (second[0] if sign == "+" else -second[0]) != whole[0]:
                    terms = [f"{count} {word}" for count, word in (first, second, whole)]
                    yield f"{name}, {where}: {terms[0]} {sign} {terms[1]} are not {terms[2]}"
        served = counts["unserved"][index] + sum(counts["layers"][name]["hits"][index] for name in layers)
        if served != counts["requests"][index]:
            yield f"{where}: {counts['requests'][index]} requests, {served} answers"


def _moved(by_purpose: Mapping[str, Sequence[int]], index: int) -> int:
    return sum(row[index] for row in by_purpose.values())


# --- figures


def summary(counts: Counts, subject: Subject, costs: Instructions | NotMeasured) -> LoadCounts:
    """The figures of one load: of the whole, of each layer, and of each class."""
    requests = sum(counts["requests"])
    return LoadCounts(
        requests=requests,
        frees=sum(counts["frees"]),
        unserved=sum(counts["unserved"]),
        threads=dict(counts["threads"]),
        layers={name: _layer(counts, name, subject.classes, requests) for name in subject.layers},
        instructions=costs,
    )


def _layer(counts: Counts, name: str, classes: Mapping[str, int], requests: int) -> LayerCounts:
    of = counts["layers"][name]
    totals = {key: sum(of[key]) for key in COUNTERS if key not in ("held", "peak")}
    moves = {ours: sum(of[way].get(purpose, ())) for ours, (way, purpose) in MOVES.items()}
    sizes = list(classes.values())
    return LayerCounts(
        **totals,
        hit_rate=_rate(totals["hits"], totals["entries"]),
        share=_rate(totals["hits"], requests),
        kept_rate=_rate(totals["accepted"], totals["offered"]),
        **moves,
        held_bytes=sum(map(int.__mul__, of["held"], sizes)),
        peak_bytes=sum(map(int.__mul__, of["peak"], sizes)),
        classes={
            class_name: {key: of[key][index] for key in COUNTERS}
            for index, class_name in enumerate(classes)
            if any(of[key][index] for key in COUNTERS)
        },
    )


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _per_request(costs: linecost.LineCosts, subject: Subject, requests: int) -> Instructions:
    if requests == 0:
        raise linecost.LineCostError("the load made no request")
    spent = dict.fromkeys((*subject.layers, FRAME, ELSEWHERE), 0)
    for (file, line), cost in costs.items():
        owner = subject.owner(file, line)
        spent[owner if owner in spent else ELSEWHERE] += cost
    per_request = {name: round(count / requests, 4) for name, count in spent.items()}
    return Instructions(
        layers={name: per_request[name] for name in subject.layers},
        frame=per_request[FRAME],
        elsewhere=per_request[ELSEWHERE],
        total=round(sum(spent.values()) / requests, 4),
    )


# --- checks and columns


def _checks(record: Layers) -> Sequence[Check]:
    return record.programs


def _columns(records: Sequence[Layers], view: View) -> list[Column[Layers]]:
    heading = Heading("layers", "counted", "loads in which every layer's counts add up", "checks")
    return [Column(heading, _counted)] if records else []


def _counted(record: Layers) -> Figure:
    kind = FigureKind.GOOD if len(record.loads) == len(record.programs) else FigureKind.BAD
    return Figure(f"{len(record.loads)}/{len(record.programs)}", kind)


KIND = Kind(
    name="layers",
    title="Layers",
    doc="the hits, misses and instructions of each layer in each load",
    record=Layers,
    columns=_columns,
    declare=_declare,
    take=_take,
    left_out=_left_out,
    checks=_checks,
)
