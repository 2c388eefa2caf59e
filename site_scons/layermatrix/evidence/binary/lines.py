"""Read which lines of the generated header belong to each layer; the build wrote this with the header."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Origins:
    """runs: layer -> its runs of lines, each as (first, last)."""

    header: str
    runs: Mapping[str, Sequence[tuple[int, int]]]

    def covers(self, file: str) -> bool:
        """Whether a file, as a compiler names it, is the header."""
        return Path(file).name == self.header

    def layer(self, file: str, line: int) -> str | None:
        """The layer that this line belongs to; None for lines of the frame and of other files."""
        if not self.covers(file):
            return None
        owners = (
            name for name, runs in self.runs.items() if any(first <= line <= last for first, last in runs)
        )
        return next(owners, None)


def read(file: Path) -> Origins:
    """Read the file that `build.printing.print_header` wrote."""
    text = json.loads(file.read_text(encoding="utf-8"))
    return Origins(text["header"], text["layers"])
