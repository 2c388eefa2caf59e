"""How long each file of a cell took to make, and how the cells did: for shards, and for what to build first.

Writes build/<cell>/.costs while the cell is built: one line a file, `seconds path`, so that a killed build
loses at most a line. Reads variants/costs.json, the accepted seconds of each cell: all shards of a run must
see the same numbers, wherever they run. So a damaged variants/costs.json is an error: a shard that took it
for empty would build other cells than the rest of the run expects.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable
from pathlib import Path

from layermatrix.build import paths
from layermatrix.build.failure import FORMAT, Failure, file_of
from layermatrix.core import records
from layermatrix.core.errors import SelectionError
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
    last = dict(pair for pair in map(_cost, _lines(folder)) if pair)
    return sum(last.values()) if last else None


def damage(folder: Path) -> str | None:
    """What is wrong with a cell's file, if its seconds cannot be trusted. A killed build leaves half a line,
    with which the first line of the next build runs together; that is no damage."""
    path = folder / NAME
    try:
        lines = _lines(folder)
    except OSError as error:
        return f"{path}: {error.strerror or error}; remove it, and build the cell again"
    broken = [number for number, line in enumerate(lines, 1) if line.strip("\0") and not _cost(line)]
    if len(broken) <= 1:
        return None
    return (
        f"{path}: {len(broken)} lines cannot be read, the first is line {broken[0]}; its cell has too few "
        "seconds until the file is removed and the cell is built again"
    )


def _lines(folder: Path) -> list[str]:
    """The lines of a cell's file; none if there is no file."""
    try:
        return (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _cost(line: str) -> tuple[str, float] | None:
    """The file and its seconds; None for a line that is not whole."""
    seconds, _, target = line.partition(" ")
    if not target or not seconds.replace(".", "", 1).isdigit() or not seconds.isascii():
        return None
    return target, float(seconds)


def accepted(root: Path) -> dict[str, float]:
    """The accepted seconds of each cell; empty if there is no file. Raises SelectionError if the file is
    damaged."""
    try:
        found = json.loads((root / ACCEPTED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(str(error)) from None
    if not isinstance(found, dict):
        raise _damaged("an object is expected: the seconds by the name of the cell")
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise _damaged(f"the seconds of {name} are {json.dumps(value)}")
    return {name: float(value) for name, value in found.items()}


def _damaged(what: str) -> SelectionError:
    helps = "restore it, or remove it and run `matrix --accept` again"
    return SelectionError(f"{ACCEPTED} is damaged: {what}; {helps}")


def accept(root: Path, cells: Iterable[Cell]) -> int:
    """Write the seconds of these cells beside those that are accepted; returns how many are known."""
    new = {cell.id: of_cell(root / cell.build_dir) for cell in cells if not damage(root / cell.build_dir)}
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
