"""How long each file of a cell took to make, and how the cells did: for shards, and for what to build first.

Writes build/<cell>/.costs while the cell is built: one line a file, `seconds path`, so that a killed build
loses at most a line. Reads variants/costs.json, the accepted seconds of each cell: all shards of a run must
see the same numbers, wherever they run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from layermatrix.build import paths
from layermatrix.build.failure import FORMAT, Failure, file_of
from layermatrix.core import records
from layermatrix.model.cells import Cell

NAME = ".costs"
ACCEPTED = Path("variants/costs.json")


def note(folder: Path, target: str, seconds: float) -> None:
    """Add the time that this file took. On a full disk, the build goes on without it."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / NAME).open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{seconds:.3f} {target}\n")


def of_cell(folder: Path) -> float | None:
    """The seconds that it takes to make every file of a cell; None if nothing is known."""
    try:
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    last: dict[str, float] = {}
    for line in lines:
        seconds, _, target = line.partition(" ")
        if target and seconds.replace(".", "", 1).isdigit():  # not the half line of a killed build
            last[target] = float(seconds)
    return sum(last.values()) if last else None


def accepted(root: Path) -> dict[str, float]:
    """The accepted seconds of each cell; empty if there are none."""
    try:
        found = json.loads((root / ACCEPTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {str(name): float(value) for name, value in pairs if isinstance(value, (int, float))}


def accept(root: Path, cells: Iterable[Cell]) -> int:
    """Write the seconds of these cells beside those that are accepted; returns how many are known."""
    new = {cell.id: of_cell(root / cell.build_dir) for cell in cells}
    known = {name: round(seconds, 1) for name, seconds in new.items() if seconds is not None}
    records.write(root / ACCEPTED, dict(sorted({**accepted(root), **known}.items())))
    return len(known)


def by_suspicion(root: Path, cells: Iterable[Cell]) -> list[Cell]:
    """The cells, likely failures first: those that failed last time, then those whose variant has changed or
    that were never tested, then the others."""
    return sorted(cells, key=lambda cell: _suspicion(root, cell))


def _suspicion(root: Path, cell: Cell) -> int:
    folder = root / cell.build_dir
    if isinstance(FORMAT.read(file_of(folder)), Failure):
        return 0
    tests = folder / paths.record("tests")
    if tests.is_file() and not tests.with_suffix(".passed").is_file():
        return 0
    source = root / cell.variant.source if cell.variant.source else None
    if not tests.is_file() or (
        source and source.is_file() and source.stat().st_mtime > tests.stat().st_mtime
    ):
        return 1
    return 2
