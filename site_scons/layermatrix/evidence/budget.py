"""Evidence `budget`: a cell's counts compared with the budget of its variant.

A figure that was not measured is not within budget. For each figure over budget, the record holds the share
of every layer, in this variant and in its ancestor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from layermatrix.build.step import Task
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence import asm
from layermatrix.evidence.asm import Asm
from layermatrix.evidence.builder import Builder
from layermatrix.evidence.columns import Column, Figure, FigureKind, Heading, View
from layermatrix.evidence.kind import Check, Inputs, Kind, Status
from layermatrix.model.budgets import HIT

if TYPE_CHECKING:
    from layermatrix.model.cells import Cell
    from layermatrix.model.project import Project

NAME = "budget"
LIBRARY = "library"
SHOWN_INSTEAD = "instructions"  # shown for layers if a figure is not the sum of theirs


class Limit(Protocol):
    """most: the largest value within budget. place: where the spec sets it, as path:line."""

    @property
    def most(self) -> int: ...

    @property
    def place(self) -> str: ...


Limits = Mapping[str, Mapping[str, Limit]]  # entry or `library` -> metric -> limit


@dataclass(frozen=True)
class Limited:
    """A figure and its limit. place: where the spec sets the limit, as path:line."""

    entry: str
    metric: str
    limit: int
    place: str
    value: int | NotMeasured

    @property
    def is_over(self) -> bool:
        return isinstance(self.value, NotMeasured) or self.value > self.limit

    @property
    def sentence(self) -> str:
        """The figure and its limit, on one line."""
        name, limit = f"{self.entry} {self.metric}", f"the limit is {self.limit:,} ({self.place})"
        if isinstance(self.value, NotMeasured):
            return f"{name} is not known, and {limit}: {self.value.reason}"
        return f"{name} is {self.value:,}, and {limit}"


@dataclass(frozen=True)
class LayerShare:
    """A layer's share of a figure, here and in the ancestor. origin: the layer's template and entry."""

    layer: str
    value: int
    ancestor: int
    origin: str | None


@dataclass(frozen=True)
class OverBudget(Limited):
    """A figure over budget. ancestor: the cell of the nearest variant that this one extends; ancestor_value:
    its figure. shares: the metric of the layers' figures."""

    ancestor: str | None
    ancestor_value: int | None
    shares: str
    layers: tuple[LayerShare, ...]


@dataclass(frozen=True)
class Budget(Measured):
    figures: tuple[Limited, ...]
    over: tuple[OverBudget, ...]


def _left_out(cell: Cell, project: Project) -> str | None:
    return None if cell.limits else "no budget is set for this cell"


def _declare(build: Builder) -> Inputs:
    cell = build.cell
    ancestors = [
        other
        for other in build.cells
        if other.variant.name in cell.variant.lineage[:-1] and replace(other, variant=cell.variant) == cell
    ]
    return Inputs(
        [build.file("evidence/asm.json")],
        values=[str(cell.limits)],
        after=[build.file(build.at(f"{other.build_dir}/{asm.KIND.file}")) for other in ancestors],
    )


def _take(task: Task) -> Budget:
    """Compare the counts with the budget. sources: the record `asm`."""
    from layermatrix.emit import printer

    catalogue = task.project.catalogue
    origins = {
        name: f"templates/{printer.template_of(layer, task.root / 'templates')}, {catalogue.places[name]}"
        for name, layer in catalogue.layers.items()
    }
    counted = asm.KIND.format.read(task.sources[0])
    return judge(counted, task.cell.limits, _ancestor(task), origins)


def _ancestor(task: Task) -> tuple[str, Asm] | None:
    """The nearest counted cell of a variant that this one extends, with its counts."""
    for name in reversed(task.variant.lineage[:-1]):
        cell = replace(task.cell, variant=task.project.variants[name])
        record = asm.KIND.format.read(task.root / cell.build_dir / asm.KIND.file)
        if isinstance(record, Asm):
            return cell.id, record
    return None


def judge(
    record: Asm | NotMeasured, limits: Limits, ancestor: tuple[str, Asm] | None, origins: Mapping[str, str]
) -> Budget:
    """Compare counts with limits. ancestor: a cell and its counts. origins: layer -> template and entry."""
    figures = tuple(
        Limited(entry, metric, limit.most, limit.place, value(record, entry, metric))
        for entry, metrics in limits.items()
        for metric, limit in metrics.items()
    )
    over = tuple(_explained(record, figure, ancestor, origins) for figure in figures if figure.is_over)
    return Budget(figures, over)


def value(record: Asm | NotMeasured, entry: str, metric: str) -> int | NotMeasured:
    """One figure of the counts, or NotMeasured with the reason."""
    if isinstance(record, NotMeasured):
        return record
    if entry != LIBRARY:
        found = record.entry(entry)
        return found if isinstance(found, NotMeasured) else found.metric(metric)
    if isinstance(record.library, NotMeasured):
        return record.library
    size = getattr(record.library, metric, None)
    return size if isinstance(size, int) else NotMeasured(f"{metric} is not counted")


def _explained(
    record: Asm | NotMeasured,
    figure: Limited,
    ancestor: tuple[str, Asm] | None,
    origins: Mapping[str, str],
) -> OverBudget:
    """The figure with the share of each layer, here and in the ancestor."""
    own = _shares(record, figure)
    other = _shares(ancestor[1], figure) if ancestor else {}
    layers = tuple(
        LayerShare(name, own.get(name, 0), other.get(name, 0), origins.get(name))
        for name in dict.fromkeys((*own, *other))
    )
    before = value(ancestor[1], figure.entry, figure.metric) if ancestor else None
    return OverBudget(
        figure.entry,
        figure.metric,
        figure.limit,
        figure.place,
        figure.value,
        ancestor=ancestor[0] if ancestor else None,
        ancestor_value=before if isinstance(before, int) else None,
        shares=_shared_metric(figure.metric),
        layers=layers,
    )


def _shared_metric(metric: str) -> str:
    """The metric that is shown by layer: this one, or instructions if the layers do not add up to it."""
    hit, name = (HIT, metric.removeprefix(HIT)) if metric.startswith(HIT) else ("", metric)
    return metric if name not in ("stack", "cache_lines") else f"{hit}{SHOWN_INSTEAD}"


def _shares(record: Asm | NotMeasured, figure: Limited) -> dict[str, int]:
    """Layer -> its share of a metric, without layers whose share is 0."""
    if isinstance(record, NotMeasured) or figure.entry == LIBRARY:
        return {}
    entry = record.entry(figure.entry)
    if isinstance(entry, NotMeasured) or isinstance(entry.layers, NotMeasured):
        return {}
    shares = {name: entry.share(name, _shared_metric(figure.metric)) for name in entry.layers}
    return {name: count for name, count in shares.items() if isinstance(count, int) and count}


# --- checks and columns


def _checks(record: Budget) -> list[Check]:
    if not record.over:
        return [Check(NAME, Status.PASSED)]
    others = f" (and {len(record.over) - 1} more)" if record.over[1:] else ""
    reason = f"{record.over[0].sentence}{others}"
    return [Check(NAME, Status.FAILED, reason, log="\n".join(log(record.over)))]


def log(figures: Sequence[OverBudget]) -> Iterator[str]:
    """The log of all figures over budget. Equal shares of layers are printed only once."""
    shown = set()
    for over in figures:
        yield f"over budget: {over.sentence}"
        if over.ancestor_value is not None:
            yield f"  {over.ancestor} has {over.ancestor_value:,}"
        if (over.entry, over.shares) not in shown:
            yield from _layers(over)
        shown.add((over.entry, over.shares))


def _layers(over: OverBudget) -> Iterator[str]:
    if over.layers:
        before = over.ancestor or "(no ancestor was built)"
        yield f"  {over.shares} by layer, compared with {before}:"
    width = max((len(share.layer) for share in over.layers), default=0)
    for share in over.layers:
        change = f"{share.value - share.ancestor:+6}" if over.ancestor else " " * 6
        origin = f"  {share.origin}" if share.origin else ""
        yield f"    {share.layer:<{width}} {share.value:>6} {change}{origin}"


def _columns(records: Sequence[Budget], view: View) -> list[Column[Budget]]:
    heading = Heading(
        "budget", "within", "number of figures within the variant's budget, of those limited", group="checks"
    )
    return [Column(heading, _within)]


def _within(record: Budget) -> Figure:
    limits, over = len(record.figures), len(record.over)
    return Figure(f"{limits - over}/{limits}", FigureKind.BAD if over else FigureKind.GOOD)


KIND = Kind(
    name=NAME,
    title="Budget",
    doc="whether the counts are within the budget of the variant",
    record=Budget,
    columns=_columns,
    declare=_declare,
    take=_take,
    left_out=_left_out,
    checks=_checks,
)
