"""Lay out a comparison with other libraries as tables: each load with speed and memory, and a summary.

Reads a `PeerResults`; returns `Table`s of text, for every exporter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from layermatrix.core.records import NotMeasured
from layermatrix.evidence import bench, conditions
from layermatrix.evidence.bench import Ratio, Timing
from layermatrix.evidence.columns import (
    Figure,
    FigureKind,
    Heading,
    Table,
    figure,
    not_applicable,
    not_measured,
    several,
)
from layermatrix.measure.peer_results import PeerLoadResult, PeerResults, Standing, Summary
from layermatrix.model.measuring import FLOOR
from layermatrix.report import tables
from layermatrix.report.peer_figures import speed_unit, three_digits

RATIOS = "median of the ratios of the rounds, with its interval"
SHARE = "share of the best"
MEANS = "geometric mean over the loads"
EMPTY = Figure("")

Row = tuple[Figure, ...]


def loads_table(found: PeerResults) -> Table:
    """The speed and memory of every library with each load, and our variants compared with the best of the
    others and with the floor."""
    names = [found.baseline, *found.rivals, *([FLOOR] if found.floor else []), *found.own]
    others = ["the best other", *(["the floor"] if found.floor else [])]
    unit = speed_unit(found)
    headings = [
        Heading(name, f"{unit}, reference" if name == FLOOR else unit, bench.ROUNDS) for name in names
    ]
    headings += [Heading(f"{name} to", other, RATIOS, name) for name in found.own for other in others]
    rows = [row for name, load in found.loads.items() for row in _rows(found, name, load, names)]
    title = f"Compared with other libraries, {several(found.rounds, 'round')} in turn"
    return Table(title, (Heading("load"), *headings), tuple(rows), tuple(_notes(found)))


def summary_table(found: PeerResults) -> Table:
    """The summary of each library over each group of loads and over all loads; the worst loads of our
    variants."""
    headings = [Heading(name, method=MEANS) for name in found.names]
    rows = [row for group, summary in found.summaries.items() for row in _summary_rows(found, group, summary)]
    what = f"Geometric means: speed as a share of the best other's, memory relative to {found.baseline}'s."
    title = f"Summary of {several(len(found.loads), 'load')}"
    return Table(title, (Heading("loads"), *headings), tuple(rows), (what, *_worst(found), *_busy(found)))


def all_tables(found: PeerResults | NotMeasured) -> tuple[Table, ...]:
    """The summary, then the loads; empty if nothing was timed."""
    return () if isinstance(found, NotMeasured) else (summary_table(found), loads_table(found))


# --- a load


def _rows(found: PeerResults, name: str, load: PeerLoadResult, names: list[str]) -> Iterable[Row]:
    against = [load.against_best, *([load.against_floor] if found.floor else [])]
    ratios = [_ratio(of.get(own)) for own in found.own for of in against]
    empty = [EMPTY] * len(ratios)
    yield (Figure(name, FigureKind.NAME), *(_speed(load, one) for one in names), *ratios)
    yield (Figure(SHARE), *(_share(load, one) for one in names), *empty)
    if not load.parallel and _is_any(load, lambda timing: timing.cpu_ns):
        cpu = (_timing(load, one, lambda timing: figure(timing.cpu_ns, 1)) for one in names)
        yield (Figure(f"CPU time, ns/{found.work}"), *cpu, *empty)
    peaks = (_timing(load, one, lambda timing: figure(timing.peak_kib)) for one in names)
    yield (Figure("peak, KiB"), *peaks, *empty)
    if any(timing.after_kib is not None for timing in _timings(load)):
        after = (_timing(load, one, lambda timing: figure(timing.after_kib)) for one in names)
        yield (Figure(f"after {found.quiet_seconds:g} s, KiB"), *after, *empty)


def _timings(load: PeerLoadResult) -> list[Timing]:
    return [one for one in load.figures.values() if isinstance(one, Timing)]


def _is_any(load: PeerLoadResult, of: Callable[[Timing], object]) -> bool:
    return any(not isinstance(of(timing), NotMeasured) for timing in _timings(load))


def _speed(load: PeerLoadResult, name: str) -> Figure:
    timing = load.figures.get(name)
    if timing is None:
        return not_applicable() if name == FLOOR else not_measured(None)
    if isinstance(timing, NotMeasured):
        return not_measured(timing.reason)
    middle, low, high = (three_digits(value) for value in (timing.median, timing.low, timing.high))
    return Figure(middle, FigureKind.ASIDE if name == FLOOR else FigureKind.MEASURED, note=f"{low}-{high}")


def _share(load: PeerLoadResult, name: str) -> Figure:
    share = load.shares.get(name)
    if share is None:
        return not_applicable()
    kind = FigureKind.ASIDE if name == FLOOR else FigureKind.MEASURED
    return Figure(f"{share:.2f}", kind)


def _timing(load: PeerLoadResult, name: str, shown: Callable[[Timing], Figure]) -> Figure:
    timing = load.timing(name)
    return shown(timing) if timing else not_applicable()


def _ratio(ratio: Ratio | None) -> Figure:
    return tables.ratio_figure(ratio) if ratio else not_applicable()


def _busy(found: PeerResults) -> tuple[str, ...]:
    """The mark of a run on a busy machine."""
    return conditions.marks([found.conditions])


def _notes(found: PeerResults) -> Iterable[str]:
    yield from _busy(found)
    if found.floor:
        yield f"{FLOOR}: {found.floor.doc} ({found.floor.source})"
    for name, reason in found.missing.items():
        yield f"{name}: not measured: {reason}"
    for name, load in found.loads.items():
        yield f"{name}: {load.doc} ({load.command})"


# --- the summary


def _summary_rows(found: PeerResults, group: str, summary: Summary) -> Iterable[Row]:
    standings = [summary.standings[name] for name in found.names]
    yield (
        Figure(group, FigureKind.NAME, note=f"speed, {several(summary.loads, 'load')}"),
        *(_mean(one.speed, one, summary) for one in standings),
    )
    yield (Figure("peak memory"), *(_mean(one.peak, one, summary) for one in standings))
    if any(one.after is not None for one in standings):
        yield (Figure("memory afterwards"), *(_mean(one.after, one, summary) for one in standings))


def _mean(value: float | None, standing: Standing, summary: Summary) -> Figure:
    """A mean. If some loads have no figure, the text includes the number of loads."""
    if value is None:
        return not_applicable()
    some = "" if standing.loads == summary.loads else f"{standing.loads} of {summary.loads} loads"
    return Figure(f"{value:.2f}", note=some)


def _worst(found: PeerResults) -> Iterable[str]:
    """The worst loads of each of our variants, over all groups together."""
    *_, summary = found.summaries.values()
    for name in found.own:
        names = summary.standings[name].worst
        shown = (_share_of(found.loads[load], load, name) for load in names)
        if names:
            yield f"{name}, worst loads: {', '.join(shown)}"


def _share_of(load: PeerLoadResult, load_name: str, name: str) -> str:
    return f"{load_name} {load.shares[name]:.2f} of {load.best}"
