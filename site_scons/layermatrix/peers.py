"""Time cells beside other libraries of their kind, in turn, in one run.

Reads the matrix' `peers` and the cells' libraries; runs the benchmark programs of `build/baseline/bin/`, with
one library after the other preloaded. Writes and reads `build/report/peers.json`. A peer that is not
installed is left out, with the reason.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix import process, records
from layermatrix.bench import runner, stats

if TYPE_CHECKING:
    from layermatrix.matrix import Cell
    from layermatrix.parts import Matrix, Peer, Peers

Record = dict[str, Any]

FILE = Path("build/report/peers.json")
PROGRAMS = Path("build/baseline/bin")
KIND = "peers"


def find(peer: Peer, listing: str) -> Path | None:
    """Where the loader finds the peer's file; `listing` is what `ldconfig -p` printed."""
    for line in listing.splitlines():
        name, arrow, path = line.partition("=>")
        if arrow and name.split()[:1] == [peer.file] and Path(path.strip()).is_file():
            return Path(path.strip())
    return None


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
    listing = loader_listing() if listing is None else listing
    found = {name: find(peer, listing) for name, peer in peers.libraries.items()}
    missing = {
        name: f"{peer.file} is not installed (Debian: {peer.package})"
        for name, peer in peers.libraries.items()
        if found[name] is None
    }
    programs = {load.name: root / PROGRAMS / load.program for load in peers.loads.values()}

    def subject(name: str, library: Path | None) -> runner.Subject:
        return runner.Subject(name, programs, library, Path(name))

    base = subject(matrix.baseline.name, None)
    rivals = [subject(name, library) for name, library in found.items() if library is not None]
    own = [subject(cell.variant.name, _library(root, cell)) for cell in cells]
    series: dict[str, Record] = {}

    def keep(path: Path, record: Record) -> None:
        series[str(path)] = record
        if str(path) == own[-1].name:  # the last one of a round
            store(record_of(peers, base.name, names_of(rivals), names_of(own), series, missing))

    loads = [runner.Load(load.name, load.args) for load in peers.loads.values()]
    runner.measure(loads, [*rivals, *own], rounds, base, on_progress=on_progress, store=keep)


def names_of(subjects: Sequence[runner.Subject]) -> list[str]:
    return [subject.name for subject in subjects]


def _library(root: Path, cell: Cell) -> Path:
    return root / cell.build_dir / f"lib{cell.variant.system.libname}.so"


def record_of(
    peers: Peers,
    base: str,
    rivals: Sequence[str],
    own: Sequence[str],
    series: Mapping[str, Record],
    missing: Mapping[str, str],
) -> Record:
    """The record of one run: of each load everyone's figures, and each cell beside the best of the others."""
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
            "against_best": {
                name: _against(figures[best]["samples"], figures[name]["samples"])
                for name in own
                if best is not None and figures[name].get("samples")
            },
        }
    return records.measured(
        KIND,
        baseline=base,
        rivals=list(rivals),
        own=list(own),
        rounds=max((record.get("rounds", 0) for record in series.values()), default=0),
        missing=dict(missing),
        loads=loads,
    )


def _against(best: Sequence[float], own: Sequence[float]) -> Record:
    found = stats.compare(best, own)
    return {"median": found.ratio, "low": found.low, "high": found.high, "verdict": found.word}


def load(root: Path) -> Record:
    """What the last run found, or that there was none."""
    if not (root / FILE).exists():
        return records.not_measured(KIND, "it was not timed beside its peers: ./sconsw peers")
    return records.load(root / FILE, KIND)
