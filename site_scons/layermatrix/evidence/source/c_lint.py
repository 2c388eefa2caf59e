"""Check the folders of C files: `python -m layermatrix.evidence.source.c_lint csrc`.

Reads the C files and README.md of the folder; prints a line for each mistake, or the size of the graph. The
exit status is 1 if there is a mistake.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from layermatrix.core.errors import SpecErrors
from layermatrix.evidence.source import c_declarations, c_folders


def mistakes(files: c_folders.Files) -> Iterator[str]:
    """All mistakes, the first kind first."""
    if not files.order:
        what = "no row of a table begins with a folder, such as | `os/` | ..."
        yield f"{files.top}/README.md:1:1: error: {what}"
        return
    yield from c_folders.against_the_order(files)
    yield from c_folders.in_circles(files)
    yield from c_declarations.misplaced(files)


def main(arguments: Sequence[str]) -> int:
    """Check each of these folders."""
    bad = 0
    for name in arguments:
        files = c_folders.read(Path(name), name)
        try:
            found = list(mistakes(files))
        except SpecErrors as errors:
            found = [f"{name}/{errors}"]
        print("\n".join(found or [_summary(files)]))
        bad += len(found)
    return 1 if bad else 0


def _summary(files: c_folders.Files) -> str:
    units = {c_folders.unit_of(path, files) for path in files.texts}
    folders = " <- ".join(files.order)
    return f"{files.top}: {len(files.texts)} files in {len(units)} units, no circle: {folders}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
