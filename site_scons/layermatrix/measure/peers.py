"""Time cells beside other libraries of their kind, in turn, in one run.

Reads the matrix' `peers` and the cells' libraries; runs the benchmark programs of `build/baseline/bin/`, with
one library after the other preloaded. Writes and reads `build/report/peers.json`. A peer that is not
installed is left out, with the reason. The floor, where the matrix has one, is timed like a peer and never
counts as the best of them: it shows what is left to win.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import buildstate
from layermatrix.core import process
from layermatrix.core.records import Missing, NotMeasured
from layermatrix.evidence.bench import Bench, Ratio, Timing
from layermatrix.measure import contest, runner, stats, timing
from layermatrix.measure.contest import FILE, Contest, ContestLoad, FloorAbout
from layermatrix.model.catalogue import Better
from layermatrix.model.measuring import FLOOR

if TYPE_CHECKING:
    from layermatrix.model.catalogue import Unit
    from layermatrix.model.matrix import Cell
    from layermatrix.model.measuring import Floor, Load, Peer, Peers
    from layermatrix.model.project import Project

PROGRAMS = Path(buildstate.BASELINE, "bin")

Figures = Mapping[str, Timing | NotMeasured]  # by name of the library


def find(peer: Peer, listing: str) -> Path | None:
    """Where the loader finds the peer's file; `listing` is what `ldconfig -p` printed."""
    for line in listing.splitlines():
        name, arrow, path = line.partition("=>")
        if arrow and name.split()[:1] == [peer.file] and Path(path.strip()).is_file():
            return Path(path.strip())
    return None


def floor_library(floor: Floor) -> Path:
    """Where the build puts the floor, relative to the project."""
    return PROGRAMS / f"{Path(floor.source).stem}.so"


def loader_listing(run: process.Run = process.run) -> str:
    """The libraries that the loader knows; empty where it cannot be asked."""
    tool = shutil.which("ldconfig") or shutil.which("ldconfig", path="/usr/sbin:/sbin")
    if tool is None:
        return ""
    return process.text(run([tool, "-p"], environment=process.environment(), timeout=60).stdout)


def take(
    root: Path,
    project: Project,
    cells: Sequence[Cell],
    rounds: int,
    *,
    store: Callable[[Contest], None],
    on_progress: Callable[[runner.Step], None] | None = None,
    listing: str | None = None,
) -> None:
    """Time everyone with every load; the record so far is stored after each round."""
    peers = project.matrix.peers
    assert peers is not None
    unit = project.catalogue.unit
    found, missing = _libraries(root, peers, loader_listing() if listing is None else listing)
    programs = {load.name: root / PROGRAMS / load.program for load in peers.loads.values()}

    def subject(name: str, library: Path | None) -> runner.Subject:
        return runner.Subject(name, programs, library, Path(name))

    base = subject(project.matrix.baseline.name, None)
    others = [subject(name, library) for name, library in found.items()]
    rivals = [name for name in found if name != FLOOR]
    own = [subject(cell.variant.name, root / cell.library) for cell in cells]
    series: dict[str, Bench | NotMeasured] = {}

    def keep(path: Path, record: Bench | NotMeasured) -> None:
        series[str(path)] = record
        if str(path) == own[-1].name:  # the last one of a round
            names = [one.name for one in own]
            store(contest_of(peers, unit, base.name, rivals, names, series, missing))

    loads = timing.loads_of(project, peers.loads.values())
    runner.measure(loads, [*others, *own], rounds, base, on_progress=on_progress, store=keep)


def _libraries(root: Path, peers: Peers, listing: str) -> tuple[dict[str, Path], dict[str, str]]:
    """The libraries that are there, the floor last; and of each of the others, why it is not."""
    found, missing = {}, {}
    for name, peer in peers.libraries.items():
        library = find(peer, listing)
        if library is None:
            missing[name] = f"{peer.file} is not installed (Debian: {peer.package})"
        else:
            found[name] = library
    if peers.floor:
        file = floor_library(peers.floor)
        if (root / file).is_file():
            found[FLOOR] = root / file
        else:
            missing[FLOOR] = f"{file} is not built"
    return found, missing


def contest_of(
    peers: Peers,
    unit: Unit,
    base: str,
    rivals: Sequence[str],
    own: Sequence[str],
    series: Mapping[str, Bench | NotMeasured],
    missing: Mapping[str, str],
) -> Contest:
    """One run: of each load everyone's figures, and each cell beside the best of the others and beside the
    floor."""
    floor = peers.floor if FLOOR in series else None
    return Contest(
        baseline=base,
        rivals=tuple(rivals),
        floor=FloorAbout(floor.source, floor.doc) if floor else None,
        own=tuple(own),
        rounds=max((record.rounds for record in series.values() if isinstance(record, Bench)), default=0),
        missing=dict(missing),
        loads={
            load.name: _load(load, unit.better, (base, *rivals), own, series) for load in peers.loads.values()
        },
    )


def _load(
    load: Load,
    better: Better,
    others: Sequence[str],
    own: Sequence[str],
    series: Mapping[str, Bench | NotMeasured],
) -> ContestLoad:
    figures = {
        name: record.load(load.name) if isinstance(record, Bench) else record
        for name, record in series.items()
    }
    timed = {name: one for name in others if isinstance(one := figures.get(name), Timing)}
    first = max if better is Better.HIGHER else min
    best = first(timed, key=lambda name: timed[name].median, default=None)
    command = " ".join([load.program, *load.args])
    return ContestLoad(
        load.doc,
        command,
        figures,
        best,
        against_best=_against(figures, better, best, own),
        against_floor=_against(figures, better, FLOOR, own),
    )


def _against(figures: Figures, better: Better, other: str | None, own: Sequence[str]) -> dict[str, Ratio]:
    """How many times as fast as this one each of ours is, where both have a figure."""
    base = figures.get(other) if other else None
    if not isinstance(base, Timing):
        return {}
    timed = {name: one for name in own if isinstance(one := figures.get(name), Timing)}
    return {name: stats.compare(base.samples, one.samples, better) for name, one in timed.items()}


def load(root: Path) -> Contest | NotMeasured:
    """What the last run found, or that there was none."""
    found = contest.FORMAT.read(root / FILE)
    if isinstance(found, Missing):
        return Missing("it was not timed beside its peers: ./sconsw peers")
    return found
