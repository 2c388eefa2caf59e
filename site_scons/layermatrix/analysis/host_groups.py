"""Group the cells of a report by the hosts that took their figures, so that each table has comparable ones.

Reads results; returns groups. The rule is that of `store.comparable`: counts stand together if their hosts
are of one kind, and timings if one machine took them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from layermatrix.analysis.results import BaselineResult, CellResult, Results
from layermatrix.core.host import Host
from layermatrix.core.records import Measured, NotMeasured
from layermatrix.evidence import bench, counters
from layermatrix.store import comparable
from layermatrix.store.entries import DETERMINISTIC, TIMED

TOLD = 6  # characters of a machine's digest
Terms = tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Cells whose figures can be compared. words: where they were taken; empty if there is one group."""

    words: str
    cells: tuple[CellResult, ...]
    key: tuple[Terms, Terms]

    @property
    def suffix(self) -> str:
        """What the title of a table ends in."""
        return f" ({self.words})" if self.words else ""


@dataclass(frozen=True)
class Used:
    """A host that took evidence, and the cells that it took it of; its compilers are not known."""

    host: Host
    cells: tuple[str, ...]


def groups(results: Results, *, timed: bool = True) -> tuple[Group, ...]:
    """The cells of each group, the largest group first. timed: timings stand together, not only counts."""
    keys = [_key(results, cell, timed) for cell in results.cells]
    by_key: dict[tuple[Terms, Terms], list[CellResult]] = {}
    for cell, key in zip(results.cells, keys, strict=True):
        by_key.setdefault(_joined(key, keys), []).append(cell)
    found = sorted(by_key.items(), key=lambda pair: -len(pair[1]))
    if len(found) < 2:
        return tuple(Group("", tuple(cells), key) for key, cells in found)
    named = [
        (_words(results, _told_by(results, cells, key, timed), timed), cells, key) for key, cells in found
    ]
    words = [one for one, _, _ in named]
    return tuple(
        Group(text if words.count(text) == 1 else f"{text}, machine {_machine(key)}", tuple(cells), key)
        for text, cells, key in named
    )


def of_group(results: Results, group: Group, *, timed: bool = True) -> Results:
    """The results with the cells of a group alone. The baseline is left out if another host measured it."""
    if not group.words:
        return results
    baseline = results.baseline
    if not _fits(_key(results, baseline, timed), group.key):
        reason = NotMeasured("it was measured on another host, whose figures do not compare")
        evidence = {
            kind: reason if isinstance(one, Measured) else one for kind, one in baseline.evidence.items()
        }
        baseline = replace(baseline, evidence=evidence)
    return replace(results, cells=group.cells, baseline=baseline)


def parts(results: Results, *, timed: bool = True) -> Iterator[tuple[Group, Results]]:
    """Each group with its results."""
    return ((group, of_group(results, group, timed=timed)) for group in groups(results, timed=timed))


def main(results: Results) -> Results:
    """The results of the largest group, for what shows one group only."""
    found = groups(results)
    return of_group(results, found[0]) if found else results


def why_apart(results: Results, kind: str, one: CellResult, other: CellResult) -> str | None:
    """The reason why the figures of two cells do not compare; None if they do. kind: of evidence."""
    of_store = TIMED if kind == bench.KIND.name else DETERMINISTIC
    return comparable.why_other_host(of_store, _host(results, one, kind), _host(results, other, kind))


def used(results: Results) -> tuple[Used, ...]:
    """The hosts that took evidence, in the order of the cells; a cell whose programs ran on several hosts
    counts for each."""
    cells: dict[Host, list[str]] = {}
    for cell in results.cells:
        for host in dict.fromkeys(cell.hosts.values()) or (here(results),):
            cells.setdefault(host, []).append(cell.id)
    return tuple(Used(host, tuple(ids)) for host, ids in cells.items())


def here(results: Results) -> Host:
    """The host that the report was written on."""
    return Host(**{name: getattr(results.host, name) for name in Host.__dataclass_fields__})


def sentences(results: Results) -> Iterable[str]:
    """What a reader has to know if several hosts took the figures."""
    hosts = used(results)
    if len(hosts) < 2:
        return
    kinds = len({one.host.kind for one in hosts})
    words = "one kind" if kinds == 1 else f"{kinds} kinds"
    yield (
        f"{len(hosts)} hosts of {words} took these figures. Timings are compared within one machine,"
        " and counts within one kind of host, so each table is about one."
    )


def _key(results: Results, record: CellResult | BaselineResult, timed: bool) -> tuple[Terms, Terms]:
    """What comparable records have in common. A record without a timing is bound to no machine."""
    counted = _terms(DETERMINISTIC, _host(results, record, counters.KIND.name))
    is_timed = timed and not isinstance(record.of(bench.KIND), NotMeasured)
    return counted, _terms(TIMED, _host(results, record, bench.KIND.name)) if is_timed else ()


def _joined(key: tuple[Terms, Terms], keys: Sequence[tuple[Terms, Terms]]) -> tuple[Terms, Terms]:
    """The group of a record: one without a timing stands with the most timed ones whose counts compare with
    its own, so that the cells of one host are one group."""
    return max((one for one in keys if _fits(key, one)), key=lambda one: (bool(one[1]), keys.count(one)))


def _fits(key: tuple[Terms, Terms], group: tuple[Terms, Terms]) -> bool:
    """Whether a record can stand in a group: its counts compare, and its timing if it has one."""
    return key[0] == group[0] and key[1] in ((), group[1])


def _terms(kind: str, host: Host) -> Terms:
    return tuple(comparable.terms(kind, host).values())


def _host(results: Results, record: CellResult | BaselineResult, kind: str) -> Host:
    return record.hosts.get(kind) or results.host


def _words(results: Results, cell: CellResult, timed: bool) -> str:
    if not timed or isinstance(cell.of(bench.KIND), NotMeasured):
        return comparable.described(DETERMINISTIC, _host(results, cell, counters.KIND.name))
    return comparable.described(TIMED, _host(results, cell, bench.KIND.name))


def _told_by(
    results: Results, cells: Sequence[CellResult], key: tuple[Terms, Terms], timed: bool
) -> CellResult:
    """The cell whose host describes a group: a timed one if there is one."""
    return next(cell for cell in cells if _key(results, cell, timed) == key)


def _machine(key: tuple[Terms, Terms]) -> str:
    return (key[1][-1][:TOLD] if key[1] else "") or "not timed"
