"""The files that a variable of the command line names: paths and patterns, separated by commas."""

from __future__ import annotations

import glob
from pathlib import Path

from layermatrix.build.request import RequestError
from layermatrix.build.targets import Variable


def of(root: Path, variable: Variable, text: str) -> list[Path]:
    """The files, in the order of the text. RequestError if a part of it names none."""
    found: list[Path] = []
    for word in [part.strip() for part in text.split(",") if part.strip()]:
        names = glob.glob(word, root_dir=root, recursive=True)  # noqa: PTH207 - a pattern may be absolute
        own = [root / name for name in sorted(names)]
        if not own or not all(path.is_file() for path in own):
            raise RequestError(f"{variable.name}={word}: there is no such file")
        found += own
    return found
