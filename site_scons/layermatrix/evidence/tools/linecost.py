"""Count the instructions that a program executes in each line of a library, under Callgrind.

Runs the program with the library under `valgrind --tool=callgrind`; the library has line tables (-g). The
counts are exact and repeat with the same binaries. An instruction belongs to the line that it was compiled
from, also in an inlined function.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from layermatrix.core import library_use, process

OPTIONS = ("--tool=callgrind", "--dump-line=yes", "--compress-strings=no", "--compress-pos=no")

# (file as the compiler named it, line from 1) -> instructions
LineCosts = Counter[tuple[str, int]]


class LineCostError(ValueError):
    """The costs could not be measured; str() is the reason."""


def measure(
    command: Sequence[str],
    library: Path,
    valgrind: str | None,
    *,
    run: process.Run = process.run,
    timeout: float = 600.0,
) -> LineCosts:
    """The instructions of every line of the library in one run of the command. timeout: seconds. Raises
    LineCostError or NotLoadedError."""
    if valgrind is None:
        raise LineCostError("valgrind is not installed (Debian: valgrind)")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        named = str(out).replace("%", "%%")  # valgrind expands %p and the like in file names
        files = [f"--callgrind-out-file={named}", f"--log-file={named}.log"]
        callgrind = [valgrind, *OPTIONS, *files]
        finished = library_use.run_with(library, command, run=run, timeout=timeout, under=callgrind)
        if finished.failure:
            raise LineCostError(finished.failure)
        if not out.exists():
            raise LineCostError("valgrind wrote no counts")
        # valgrind names an object by its file, not by a link to it
        costs = parse(out.read_text(encoding="utf-8", errors="replace").splitlines(), library.resolve().name)
    if not costs:
        raise LineCostError(f"the program ran no line of {library.name}")
    return costs


def parse(lines: Iterable[str], library: str) -> LineCosts:
    """The costs of the object of this name in Callgrind's file. Raises LineCostError for a wrong file."""
    costs: LineCosts = Counter()
    counted = file = ""
    waiting = iter(lines)
    for line in waiting:
        key, equals, value = line.partition("=")
        if equals and key == "ob":
            counted = Path(value).name
        elif equals and key in ("fl", "fi", "fe"):
            file = value
        elif equals and key == "calls":
            next(waiting, None)  # the inclusive cost of the call; the called function's lines have it, too
        elif line[:1].isdigit() and counted == library:
            number, cost = _cost_line(line)
            costs[file, number] += cost
    return costs


def _cost_line(line: str) -> tuple[int, int]:
    """A line number and its instructions; a missing count is 0."""
    words = line.split()
    try:
        return int(words[0]), int(words[1]) if len(words) > 1 else 0
    except ValueError as error:
        raise LineCostError(f"valgrind's file has a line that is not a count: {line[:60]!r}") from error
