"""Time cells and other libraries of their kind against each other, in turn, in one run.

Reads the cells' libraries, and runs the benchmark programs of `build/baseline/bin/` with each library
in turn. Writes and reads `build/report/peers.json`. A peer that is not installed is left out, and
the reason is recorded. If the matrix has a floor, it is timed with the loads that it can run. The floor never
counts as the best library: it shows how much improvement is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.core.command import scons
from layermatrix.core.records import Missing, NotMeasured
from layermatrix.evidence.bench import SMALLEST_EFFECT, Bench, Ratio, Timing
from layermatrix.measure import hardware, libraries, one_run, peer_results, runner, stats, summary, timing
from layermatrix.measure.libraries import SearchPaths
from layermatrix.measure.method import Method
from layermatrix.measure.peer_results import FILE, FloorAbout, PeerLoadResult, PeerResults
from layermatrix.measure.peer_selection import PeerSelection
from layermatrix.model.catalogue import Better
from layermatrix.model.measuring import FLOOR

if TYPE_CHECKING:
    from layermatrix.model.catalogue import Unit
    from layermatrix.model.cells import Cell
    from layermatrix.model.measuring import Floor, PeerLoad, Peers
    from layermatrix.model.project import Project


Figures = Mapping[str, Timing | NotMeasured]  # by name of the library
Series = Mapping[str, Bench | NotMeasured]  # by name of the library, with all loads


@dataclass(frozen=True)
class Lineup:
    """All libraries to time, and their loads. others: the other installed libraries. missing: libraries that
    are not installed, and why. own: the variants."""

    loads: Sequence[PeerLoad]
    baseline: str
    others: Mapping[str, Path]
    own: Mapping[str, Path]
    missing: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.baseline, *self.others, *self.own)

    @property
    def rivals(self) -> tuple[str, ...]:
        return tuple(name for name in self.others if name != FLOOR)

    def loads_of(self, name: str, peers: Peers) -> Sequence[PeerLoad]:
        """The loads that this library is timed with."""
        if name != FLOOR:
            return self.loads
        able = peers.of_floor
        return [load for load in self.loads if load in able]


def floor_library(floor: Floor) -> Path:
    """The floor's path in the build, relative to the project."""
    return Path(paths.BASELINE, paths.lone_library(floor.source))


def lineup(
    root: Path,
    project: Project,
    cells: Sequence[Cell],
    selection: PeerSelection,
    where: SearchPaths | None = None,
) -> Lineup:
    """Find the selected libraries that are installed. The floor, which is built with the cells, is the last
    of the others."""
    peers = project.matrix.peers
    assert peers is not None
    where = where or libraries.search_paths()
    wanted = {name: peers.libraries[name] for name in selection.libraries if name != FLOOR}
    found = {name: libraries.find(peer, where) for name, peer in wanted.items()}
    others = {**{name: path for name, path in found.items() if path}, **selection.added}
    if (
        peers.floor
        and FLOOR in selection.libraries
        and any(load in peers.of_floor for load in selection.loads)
    ):
        others[FLOOR] = root / floor_library(peers.floor)
    return Lineup(
        loads=selection.loads,
        baseline=project.matrix.baseline.name,
        others=others,
        own={cell.variant.name: root / cell.library for cell in cells},
        missing={name: libraries.missing(wanted[name]) for name, path in found.items() if not path},
    )


def expected_seconds(peers: Peers, wanted: Lineup, rounds: int) -> float | None:
    """An estimate of the timing's duration from the loads' seconds; None if a load declares none."""
    runs = [load for name in wanted.names for load in wanted.loads_of(name, peers)]
    if not all(load.seconds for load in runs):
        return None
    return sum((rounds + 1) * load.seconds + peers.quiet_seconds for load in runs)


def take(
    root: Path,
    project: Project,
    wanted: Lineup,
    rounds: int,
    *,
    store: Callable[[PeerResults], None],
    method: Method | None = None,
    on_progress: Callable[[runner.Step], None] | None = None,
) -> None:
    """Time every library with every load in at most `rounds` rounds. The record so far is stored after each
    round."""
    peers = project.matrix.peers
    assert peers is not None
    unit, smallest = project.catalogue.unit, project.matrix.timing.smallest_share

    def subject(name: str, library: Path | None) -> one_run.Subject:
        loads = wanted.loads_of(name, peers)
        programs = {load.name: root / paths.BASELINE / paths.program(load.program) for load in loads}
        return one_run.Subject(name, programs, library, Path(name))

    base = subject(wanted.baseline, None)
    others = [subject(name, library) for name, library in {**wanted.others, **wanted.own}.items()]
    series: dict[str, Bench | NotMeasured] = {}

    def keep(path: Path, record: Bench | NotMeasured) -> None:
        series[str(path)] = record
        if str(path) == others[-1].name:  # the last library of a round
            store(results_of(peers, unit, wanted, series, smallest))

    loads = [
        one_run.Load(
            load.name, load.args, unit, load.is_inlined, quiet=peers.quiet, parallel=peers.is_parallel(load)
        )
        for load in wanted.loads
    ]
    with hardware.counting() as perf:
        runner.measure(
            loads, others, rounds, base, method=method or timing.usual(project), perf=perf,
            on_progress=on_progress, store=keep,
        )  # fmt: skip


def results_of(
    peers: Peers, unit: Unit, wanted: Lineup, series: Series, smallest: float = SMALLEST_EFFECT
) -> PeerResults:
    """The result of one run: for each load, the figures of all libraries, and each cell compared with the
    best of the others and with the floor; then the summaries over all loads."""
    floor = peers.floor if FLOOR in series else None
    loads = {load.name: _load(load, peers, unit.better, wanted, series, smallest) for load in wanted.loads}
    loads = _corrected(loads)
    timed = [record for record in series.values() if isinstance(record, Bench)]
    last = timed[-1] if timed else Bench({}, 0)
    names = (wanted.baseline, *wanted.rivals, *wanted.own)
    return PeerResults(
        baseline=wanted.baseline,
        rivals=wanted.rivals,
        floor=FloorAbout(floor.source, floor.doc) if floor else None,
        own=tuple(wanted.own),
        rounds=max((record.rounds for record in timed), default=0),
        work=unit.work,
        quiet_seconds=peers.quiet_seconds,
        missing=dict(wanted.missing),
        loads=loads,
        summaries=summary.summaries(loads, names, wanted.baseline, peers.groups),
        seed=last.seed,
        conditions=last.conditions,
        stopped=last.stopped,
    )


def _corrected(loads: Mapping[str, PeerLoadResult]) -> dict[str, PeerLoadResult]:
    """The loads with verdicts that are corrected for the number of comparisons of the run: of each variant
    with the best other library, and with the floor."""
    best = {(name, own): ratio for name, load in loads.items() for own, ratio in load.against_best.items()}
    floor = {(name, own): ratio for name, load in loads.items() for own, ratio in load.against_floor.items()}
    best, floor = stats.corrected(best), stats.corrected(floor)
    return {
        name: replace(
            load,
            against_best={own: best[name, own] for own in load.against_best},
            against_floor={own: floor[name, own] for own in load.against_floor},
        )
        for name, load in loads.items()
    }


def _load(
    load: PeerLoad, peers: Peers, better: Better, wanted: Lineup, series: Series, smallest: float
) -> PeerLoadResult:
    figures = {
        name: record.load(load.name) if isinstance(record, Bench) else record
        for name, record in series.items()
        if load in wanted.loads_of(name, peers)
    }
    best = _best(figures, better, (wanted.baseline, *wanted.rivals))
    return PeerLoadResult(
        load.doc,
        " ".join([load.program, *load.args]),
        load.group,
        peers.is_parallel(load),
        figures,
        best,
        shares=_shares(figures, better, best),
        against_best=_against(figures, better, best, wanted.own, smallest),
        against_floor=_against(figures, better, FLOOR, wanted.own, smallest),
        scale=load.scale,
    )


def _best(figures: Figures, better: Better, others: Iterable[str]) -> str | None:
    timed = {name: one for name in others if isinstance(one := figures.get(name), Timing)}
    first = max if better is Better.HIGHER else min
    return first(timed, key=lambda name: timed[name].median, default=None)


def _shares(figures: Figures, better: Better, best: str | None) -> dict[str, float]:
    """The median speed of each library divided by that of the best."""
    first = figures.get(best) if best else None
    if not isinstance(first, Timing):
        return {}
    ratios = {name: one.median / first.median for name, one in figures.items() if isinstance(one, Timing)}
    return {name: ratio if better is Better.HIGHER else 1 / ratio for name, ratio in ratios.items()}


def _against(
    figures: Figures, better: Better, other: str | None, own: Iterable[str], smallest: float
) -> dict[str, Ratio]:
    """The speed of each variant divided by the speed of this library, where both were measured."""
    base = figures.get(other) if other else None
    if not isinstance(base, Timing):
        return {}
    timed = {name: one for name in own if isinstance(one := figures.get(name), Timing)}
    return {name: stats.compare(base.samples, one.samples, better, smallest) for name, one in timed.items()}


def load(root: Path) -> PeerResults | NotMeasured:
    """The result of the last run, or the reason why there is none."""
    found = peer_results.FORMAT.read(root / FILE)
    if isinstance(found, Missing):
        return Missing(f"it was not timed with its peers: {scons('peers')}")
    return found
