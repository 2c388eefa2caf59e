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
from typing import TYPE_CHECKING, Any

from layermatrix.build import buildstate
from layermatrix.core import process, records
from layermatrix.measure import runner, stats
from layermatrix.model.measuring import FLOOR

if TYPE_CHECKING:
    from layermatrix.model.matrix import Cell
    from layermatrix.model.measuring import Floor, Peer, Peers
    from layermatrix.model.plan import Matrix

Record = dict[str, Any]

FILE = Path("build/report/peers.json")
PROGRAMS = Path(buildstate.BASELINE, "bin")
KIND = "peers"


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
    matrix: Matrix,
    cells: Sequence[Cell],
    rounds: int,
    *,
    store: Callable[[Record], None],
    on_progress: Callable[[runner.Step], None] | None = None,
    listing: str | None = None,
) -> None:
    """Time everyone with every load; the record so far is stored after each round."""
    assert matrix.peers is not None
    peers = matrix.peers
    found, missing = _libraries(root, peers, loader_listing() if listing is None else listing)
    programs = {load.name: root / PROGRAMS / load.program for load in peers.loads.values()}

    def subject(name: str, library: Path | None) -> runner.Subject:
        return runner.Subject(name, programs, library, Path(name))

    base = subject(matrix.baseline.name, None)
    others = [subject(name, library) for name, library in found.items()]
    rivals = [name for name in found if name != FLOOR]
    own = [subject(cell.variant.name, _library(root, cell)) for cell in cells]
    series: dict[str, Record] = {}

    def keep(path: Path, record: Record) -> None:
        series[str(path)] = record
        if str(path) == own[-1].name:  # the last one of a round
            store(record_of(peers, base.name, rivals, [one.name for one in own], series, missing))

    loads = [runner.Load(load.name, load.args) for load in peers.loads.values()]
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


def _library(root: Path, cell: Cell) -> Path:
    return root / cell.build_dir / f"lib{cell.variant.system.library}.so"


def record_of(
    peers: Peers,
    base: str,
    rivals: Sequence[str],
    own: Sequence[str],
    series: Mapping[str, Record],
    missing: Mapping[str, str],
) -> Record:
    """The record of one run: of each load everyone's figures, and each cell beside the best of the others and
    beside the floor."""
    loads = {}
    for load in peers.loads.values():
        figures = {name: record["loads"][load.name] for name, record in series.items()}
        others = [name for name in (base, *rivals) if figures[name].get("samples")]
        best = max(others, key=lambda name: figures[name]["median"], default=None)
        loads[load.name] = {
            "doc": load.doc,
            "command": " ".join([load.program, *load.args]),
            "figures": figures,
            "best": best,
            "against_best": _against(figures, best, own),
            "against_floor": _against(figures, FLOOR, own),
        }
    floor = peers.floor if FLOOR in series else None
    return records.measured(
        KIND,
        baseline=base,
        rivals=list(rivals),
        floor={"source": floor.source, "doc": floor.doc} if floor else None,
        own=list(own),
        rounds=max((record.get("rounds", 0) for record in series.values()), default=0),
        missing=dict(missing),
        loads=loads,
    )


def _against(figures: Mapping[str, Record], other: str | None, own: Sequence[str]) -> Record:
    """How many times as fast as this one each of ours is, where both have a figure."""
    samples = {name: figure["samples"] for name, figure in figures.items() if figure.get("samples")}
    if other is None or other not in samples:
        return {}
    return {name: _ratio(samples[other], samples[name]) for name in own if name in samples}


def _ratio(other: Sequence[float], own: Sequence[float]) -> Record:
    found = stats.compare(other, own)
    return {"median": found.ratio, "low": found.low, "high": found.high, "verdict": found.word}


def load(root: Path) -> Record:
    """What the last run found, or that there was none."""
    if not (root / FILE).exists():
        return records.not_measured(KIND, "it was not timed beside its peers: ./sconsw peers")
    return records.load(root / FILE, KIND)
