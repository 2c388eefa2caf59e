"""The definition of an exporter: its files below build/report/, and the function for their text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from layermatrix.analysis.results import Results
from layermatrix.core import records


@dataclass(frozen=True)
class Exporter:
    """pattern: the names of its files. render: results -> the text of each file."""

    pattern: str
    render: Callable[[Results], Mapping[str, str]]

    def files(self, results: Results, folder: Path) -> Mapping[str, str]:
        """The text of each file. folder: where the reports are written."""
        return self.render(results)

    def write(self, results: Results, folder: Path) -> None:
        """Write its files atomically, and delete files of an earlier report that it no longer writes."""
        files = self.files(results, folder)
        for old in folder.glob(self.pattern):
            if old.relative_to(folder).as_posix() not in files:
                old.unlink()
        for name, text in files.items():
            records.write_text(folder / name, text)


def single(name: str, render: Callable[[Results], str]) -> Exporter:
    """The exporter of one file."""
    return Exporter(name, lambda results: {name: render(results)})
